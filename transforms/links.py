"""The links around some ids, with their states and their undos, read from the ledger as it is now.

A link's state depends on the other links of its id, on how many links each of its two ids has, and on the same for the users
that its id is linked to. So the links up to two steps away are read too, and the models of the build say what holds.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from ingest.lake import Lake
from transforms.core import who_is_who
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.identity import View
from transforms.ledger import LEDGER, fresh_links
from transforms.model import make
from transforms.tables import ID_LINKS

STEPS: Final = 2
NEIGHBOURS: Final = """
with pairs as (
    select id, owner from id_links where kind = 'link' union all select id, owner from fresh_links
)
select id from named
union
select id from pairs where owner in (select id from named)
union
select owner as id from pairs where id in (select id from named)
"""
NEAR: Final = """
select * from id_links where id in (select id from named) or owner in (select id from named)
union all by name
select * from fresh_links where id in (select id from named) or owner in (select id from named)
"""
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


def near(ledger: Ledger, ids: Collection[str], limits: Limits = DEFAULT_LIMITS, steps: int = STEPS) -> pa.Table:
    """The rows of the ledger that name one of these typed ids or one that links lead to in so many steps."""
    with Engine(ledger.lake, ledger.project, {LEDGER: ledger.version, "events": ledger.events}, limits) as engine:
        engine.bind("fresh_links", ID_LINKS.empty_table() if ledger.events is None else fresh_links(engine))
        engine.bind("named", _ids(ids))
        for _ in range(steps):
            engine.bind("named", engine.table(NEIGHBOURS))
        return engine.table(NEAR)


def links_of(ledger: Ledger, ids: Collection[str], view: View, limits: Limits = DEFAULT_LIMITS) -> list[dict[str, Any]]:
    """The links that name one of these typed ids, the oldest first, each with its state and its undos:

    ``{"link": event id, "id", "owner", "time", "known_at", "state", "undos": [{"undo", "at", "undoes", "by", "why"}]}``.
    """
    with Engine(ledger.lake, ledger.project, {}, limits) as engine:
        engine.bind(LEDGER, near(ledger, ids, limits))
        engine.bind("fresh_links", ID_LINKS.empty_table())
        engine.bind("asked", _ids(ids))
        for model in who_is_who(view)[:3]:
            make(engine, model)
        links, trail = engine.table(_STATES).to_pylist(), engine.table(_TRAIL, {"known_at": view.known_at}).to_pylist()
    return [{**link, "undos": [_told(row) for row in trail if _same(row, link)]} for link in links]


def _ids(ids: Collection[str]) -> pa.Table:
    return pa.table({"id": pa.array(sorted(ids), pa.string())})


def _same(row: dict[str, Any], link: dict[str, Any]) -> bool:
    return (row["id"], row["owner"]) == (link["id"], link["owner"])


def _told(row: dict[str, Any]) -> dict[str, Any]:
    undoes = {"kind": row["undoes_kind"], "name": row["undoes"]}
    return {"undo": row["undo"], "at": row["at"], "undoes": undoes, "by": row["by"], "why": row["why"]}
