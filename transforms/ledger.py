"""The ledger of identity, table ``id_links``: what was said of who is who, appended to and never rewritten.

A row is a link, found in an event and named by it, or an undo, made by somebody for a reason. A link is a pair: an id and
the user it belongs to. Senders repeat themselves at every sign-in, so of a pair's calls only those are kept that were the
earliest by event time when they came: enough to name the link by its first event, as known at any moment.

Constraints
- Links are facts, so they outlive the events that made them; what is forgotten is forgotten here too (``forget``).
- An undo holds for the pair, also against calls that come later or lie earlier: it is taken back by an undo of the undo.
- Between builds the events know links that the ledger has not yet; whoever asks then adds them (``fresh_links``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import pyarrow as pa

from ingest.event import actor_id
from ingest.lake import Lake
from sql.loader import load
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.tables import ID_LINKS

LEDGER: Final = "id_links"


def gather(lake: Lake, project: str, events: int | None, limits: Limits = DEFAULT_LIMITS) -> int | None:
    """Adds the links that one version of the events has and the ledger has not; returns the version that holds them all."""
    version = lake.version(project, LEDGER)
    if events is None:
        return version
    with Engine(lake, project, {"events": events, LEDGER: version}, limits) as engine:
        fresh = fresh_links(engine)
    if fresh.num_rows:
        lake.append(project, LEDGER, fresh, writer="events", batch=events, partition=None)
        return lake.version(project, LEDGER)
    return version


def fresh_links(engine: Engine) -> pa.Table:
    """The links of an engine's ``events`` that its ``id_links`` lacks, as rows of the ledger."""
    found = engine.table(load("models", "links_found").text)
    columns = {name: found[name] for name in found.column_names}
    hashed = pa.chunked_array([_hashed(chunk) for chunk in found["id"].chunks], pa.int64())
    columns |= {"kind": pa.repeat("link", found.num_rows), "actor_id": hashed}
    empty = pa.nulls(found.num_rows, pa.string())
    return pa.table({name: columns.get(name, empty) for name in ID_LINKS.names}).cast(ID_LINKS)


def _hashed(ids: pa.Array) -> pa.Array:
    """Their actor ids, a chunk at a time: millions of ids as Python objects would take gigabytes."""
    return pa.array([actor_id(*one.split(":", 1)) for one in ids.to_pylist()], pa.int64())


def forget(lake: Lake, project: str, ids: Collection[str]) -> None:
    """Removes every row that names one of these typed ids; old versions keep them until a vacuum."""
    handle = lake.open(project, LEDGER)
    if handle is None or not ids:
        return
    named = ", ".join("'" + one.replace("'", "''") + "'" for one in sorted(ids))
    handle.delete(f"id in ({named}) or owner in ({named})")
