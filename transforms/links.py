"""The links around some ids, with their states and their undos, read from the ledger as it is now.

Whatever decides them is read too (``near.py``), and the models of the build say what holds.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from ingest.lake import Lake
from transforms import near
from transforms.core import link_states
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.identity import View
from transforms.ledger import LEDGER, fresh_links
from transforms.overlay import work_out
from transforms.tables import ID_LINKS

_STATES: Final = """
select entry as link, id, owner, time, known_at, state
from link_states
where id in (select id from asked) or owner in (select id from asked)
order by time, entry
"""
_TRAIL: Final = """
select entry as undo, id, owner, time as at, undoes_kind, undoes, made_by as by, why
from id_links
where kind = 'undo' and known_at <= $known_at
order by time, entry
"""


@dataclass(frozen=True)
class Ledger:
    """The ledger and the events whose links it may lack; ``events`` None looks at the ledger alone."""

    lake: Lake
    project: str
    version: int | None
    events: int | None = None

    @classmethod
    def now(cls, lake: Lake, project: str, *, with_events: bool) -> Ledger:
        return cls(lake, project, lake.version(project, LEDGER), lake.version(project, "events") if with_events else None)


def links_of(ledger: Ledger, ids: Collection[str], view: View, limits: Limits = DEFAULT_LIMITS) -> list[dict[str, Any]]:
    """The links that name one of these typed ids, the oldest first, each with its state and its undos:

    ``{"link": event id, "id", "owner", "time", "known_at", "state", "undos": [{"undo", "at", "undoes", "by", "why"}]}``.
    """
    with Engine(ledger.lake, ledger.project, {LEDGER: ledger.version, "events": ledger.events}, limits) as engine:
        engine.bind("fresh_links", ID_LINKS.empty_table() if ledger.events is None else fresh_links(engine))
        engine.bind("asked", pa.table({"id": pa.array(sorted(ids), pa.string())}))
        near.prepare(engine)
        engine.bind("asked_actors", near.actors_of(sorted(one for one in ids if ":" in one)))
        engine.make("reached", "from asked_actors")
        near.widen(engine)
        near.gather_near(engine, "from reached")
        engine.make("narrow.id_links", "from near_links")
        engine.bind("fresh_links", ID_LINKS.empty_table())
        for model in link_states(view):
            work_out(engine, model)
        links, trail = engine.table(_STATES).to_pylist(), engine.table(_TRAIL, {"known_at": view.known_at}).to_pylist()
    return [{**link, "undos": [_told(row) for row in trail if _same(row, link)]} for link in links]


def _same(row: dict[str, Any], link: dict[str, Any]) -> bool:
    return (row["id"], row["owner"]) == (link["id"], link["owner"])


def _told(row: dict[str, Any]) -> dict[str, Any]:
    undoes = {"kind": row["undoes_kind"], "name": row["undoes"]}
    return {"undo": row["undo"], "at": row["at"], "undoes": undoes, "by": row["by"], "why": row["why"]}
