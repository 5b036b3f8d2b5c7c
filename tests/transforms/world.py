"""Small worlds for tests: events as keyword arguments, in a lake of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from ingest.actor import actor_id
from ingest.event import EVENTS, month_of
from ingest.lake import Lake
from transforms import checks
from transforms.core import CORE
from transforms.engine import Engine
from transforms.model import Model, make
from transforms.tables import ID_LINKS

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
Row = dict[str, object]


def at(days: float = 0, minutes: float = 0) -> datetime:
    """A moment of the test's world, counted from START."""
    return START + timedelta(days=days, minutes=minutes)


def call(
    event_id: str,
    time: datetime,
    *,
    kind: str = "track",
    event: str | None = None,
    user: str | None = None,
    anonymous: str | None = None,
    traits: Mapping[str, object] | None = None,
    **columns: object,
) -> Row:
    """One event: what the test names, and the plainest value for every other column."""
    row: Row = dict.fromkeys(EVENTS.names)
    row |= {
        "event_id": event_id,
        "kind": kind,
        "event": event or f"${kind}",
        "time": time,
        "received_at": time,
        "user_id": user,
        "anonymous_id": anonymous,
        "actor_id": actor_id("user", user) if user is not None else actor_id("anonymous", str(anonymous)),
        "source": "test",
        "bot": False,
        "properties": json.dumps(traits or {}),
        "context": "{}",
        "log": "log-1",
        "log_offset": 0,
        "month": month_of(time, time),
    }
    return row | columns


def table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=EVENTS)


def lake_of(folder: Path, rows: Sequence[Row], batch: int = 1) -> Lake:
    """A lake whose project ``default`` holds these events; a higher ``batch`` adds to an existing one."""
    lake = Lake(str(folder / "lake"))
    if rows:
        lake.append("default", "events", table(rows), writer="test", batch=batch, partition="month")
    return lake


def undo(entry: str, time: datetime, id: str, owner: str, *, of_undo: str | None = None) -> Row:  # noqa: A002
    """An undo of a link, or of an undo, as the ledger has it."""
    row: Row = dict.fromkeys(ID_LINKS.names)
    undone = {"undoes_kind": "undo", "undoes": of_undo} if of_undo else {"undoes_kind": "link", "undoes": "any"}
    hashed = {"actor_id": actor_id(*id.split(":", 1)), "owner_actor_id": actor_id(*owner.split(":", 1))}
    ids = {"id": id, "owner": owner, **hashed}
    return row | ids | undone | {"entry": entry, "kind": "undo", "time": time, "known_at": time}


def rows_of(rows: pa.Table, *columns: str) -> list[tuple[object, ...]]:
    """The named columns of a table as tuples, in order."""
    return [tuple(row.values()) for row in rows.select(list(columns)).to_pylist()]


def built(rows: Sequence[Row], *, models: Sequence[Model] = CORE, ledger: Sequence[Row] = ()) -> dict[str, pa.Table]:
    """The tables (and relations between them) that the models make of these events and ledger rows, without a lake."""
    with Engine(Lake("unused"), "default", {}) as engine:
        engine.bind("events", table(rows))
        engine.bind("id_links", pa.Table.from_pylist(list(ledger), ID_LINKS))
        made = {model.query.name: make(engine, model) for model in models}
        checks.run(engine)
    return made
