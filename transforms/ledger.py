"""The ledger of identity, table ``id_links``: what was said of who is who, appended to.

Rewritten are only rows of a person who is forgotten, and links whose event gave way to an earlier copy (``amend.py``).

A row is a link, found in an event and named by it, or an undo, made by somebody for a reason. A link is a pair: an id and
the user it belongs to. Senders repeat themselves at every sign-in, so of a pair's calls only those are kept that were the
earliest by event time when they came: enough to name the link by its first event, as known at any moment.

Constraints
- Links are facts, so they outlive the events that made them; what is forgotten is forgotten here too (``forget``).
- An undo holds for the pair, also against calls that come later or lie earlier: it is taken back by an undo of the undo.
- Between builds the events know links that the ledger has not yet; whoever asks then adds them (``fresh_links``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import pyarrow as pa

from ingest.actor import actor_id
from ingest.lake import Lake
from sql.loader import load
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.tables import ID_LINKS

LEDGER: Final = "id_links"
_WRITER: Final = "events"
_BATCH: Final = 1_000_000  # links added at a time


def gather(
    lake: Lake, project: str, events: int | None, limits: Limits = DEFAULT_LIMITS, came: Sequence[str] | None = None
) -> int | None:
    """Adds the links that one version of the events has and the ledger has not; returns the version that holds them all.

    ``came``: the only files of events that can have any; those before were gathered.
    """
    while events is not None:
        version = lake.version(project, LEDGER)
        with Engine(lake, project, {LEDGER: version} | ({"events": events} if came is None else {}), limits) as engine:
            if came is not None:
                engine.read("events", "events", came)
            batch = _batches(lake, project)
            for number, rows in enumerate(engine.batches(load("models", "links_found").text, _BATCH), batch + 1):
                if rows.num_rows and not lake.append(
                    project, LEDGER, _links(pa.table(rows)), writer=_WRITER, batch=number, partition=None
                ):
                    break  # another gathered meanwhile: look what is left
            else:
                break
    return lake.version(project, LEDGER)


def _batches(lake: Lake, project: str) -> int:
    """The number of the last batch of links. Numbers tell nothing but the order: links that were forgotten, while their
    events stayed, are gathered again from events that were gathered before."""
    handle = lake.open(project, LEDGER)
    return 0 if handle is None else handle.transaction_version(_WRITER) or 0


def fresh_links(engine: Engine) -> pa.Table:
    """The links of an engine's ``events`` that its ``id_links`` lacks, as rows of the ledger."""
    return _links(engine.table(load("models", "links_found").text))


def _links(found: pa.Table) -> pa.Table:
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
