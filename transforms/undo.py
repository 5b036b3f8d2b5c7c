"""Undo of a link, and undo of an undo: rows of the ledger, so that who did what, when and why can be read for ever.

An entry is in force while no undo of it is in force; each undo names an entry that was there before it, so this ends.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any, Final

import pyarrow as pa

from ingest.lake import Lake
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.errors import NothingToUndo, UnknownLink
from transforms.ledger import LEDGER, fresh_links
from transforms.tables import ID_LINKS

Pair = tuple[str, str]
_UNDONE: Final = pa.schema([pa.field("actor_id", pa.int64()), pa.field("owner_actor_id", pa.int64())])
_UNDOS: Final = "select * from id_links where kind = 'undo' and known_at <= $known_at"
_LINK: Final = """
select id, owner, actor_id, owner_actor_id from id_links where kind = 'link' and entry = $link
union all
select id, owner, actor_id, owner_actor_id from fresh_links where entry = $link
limit 1
"""
EVER: Final = datetime.fromisoformat("9999-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class Undo:
    """What was written: ``entries`` are the names of the new rows, ``link`` the pair they are about."""

    entries: tuple[str, ...]
    id: str
    owner: str


@dataclass(frozen=True)
class Hand:
    """Who undoes, why and when."""

    by: str
    why: str
    at: datetime


def undo(lake: Lake, project: str, link: str, hand: Hand, limits: Limits = DEFAULT_LIMITS) -> Undo:
    """Takes a link out of force. ``link``: the event that made it, or did until an earlier one came.

    Raises ``UnknownLink``, and ``NothingToUndo`` where it is undone already.
    """
    pair, undos = _read(lake, project, link, limits)
    if standing(undos, _pair(pair)):
        raise NothingToUndo(link, "undone already")
    return _append(lake, project, pair, [("link", link)], hand)


def redo(lake: Lake, project: str, link: str, hand: Hand, limits: Limits = DEFAULT_LIMITS) -> Undo:
    """Undoes the undo of a link. Raises ``UnknownLink``, and ``NothingToUndo`` where it is not undone."""
    pair, undos = _read(lake, project, link, limits)
    found = standing(undos, _pair(pair))
    if not found:
        raise NothingToUndo(link, "not undone")
    return _append(lake, project, pair, [("undo", entry) for entry in found], hand)


def undone_links(engine: Engine, known_at: datetime = EVER) -> pa.Table:
    """The pairs that an engine's ``id_links`` has an undo in force for: columns ``actor_id`` and ``owner_actor_id``."""
    rows = engine.table(_UNDOS, {"known_at": known_at}).to_pylist()
    pairs = {(row["actor_id"], row["owner_actor_id"]) for row in in_force(rows) if row["undoes_kind"] == "link"}
    return pa.Table.from_pylist([dict(zip(_UNDONE.names, pair, strict=True)) for pair in sorted(pairs)], _UNDONE)


def in_force(undos: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of undo rows of the ledger those that no undo in force undoes, in whatever order they come."""
    rows = {row["entry"]: row for row in undos}
    by: dict[str, list[str]] = defaultdict(list)
    for row in rows.values():
        if row["undoes_kind"] == "undo":
            by[row["undoes"]].append(row["entry"])
    stands: dict[str, bool] = {}
    for entry in TopologicalSorter({entry: by[entry] for entry in rows}).static_order():
        stands[entry] = not any(stands[other] for other in by[entry])
    return [row for entry, row in rows.items() if stands[entry]]


def standing(undos: Iterable[Mapping[str, Any]], pair: Pair) -> list[str]:
    """The undos in force of a link."""
    return [row["entry"] for row in in_force(undos) if row["undoes_kind"] == "link" and _pair(row) == pair]


def _read(lake: Lake, project: str, link: str, limits: Limits) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    versions = {table: lake.version(project, table) for table in (LEDGER, "events")}
    with Engine(lake, project, versions, limits) as engine:
        engine.bind("fresh_links", ID_LINKS.empty_table())
        found = engine.table(_LINK, {"link": link}).to_pylist()
        if not found:
            engine.bind("fresh_links", fresh_links(engine))
            found = engine.table(_LINK, {"link": link}).to_pylist()
        if not found:
            raise UnknownLink(link)
        return found[0], engine.table(_UNDOS, {"known_at": EVER}).to_pylist()


def _append(lake: Lake, project: str, pair: Mapping[str, Any], undone: Iterable[tuple[str, str]], hand: Hand) -> Undo:
    rows = [
        {
            **pair,
            "entry": secrets.token_hex(16),
            "kind": "undo",
            "time": hand.at,
            "known_at": hand.at,
            "undoes_kind": kind,
            "undoes": entry,
            "made_by": hand.by,
            "why": hand.why,
        }
        for kind, entry in undone
    ]
    table = pa.Table.from_pylist(rows, ID_LINKS)
    entries = tuple(str(row["entry"]) for row in rows)
    lake.append(project, LEDGER, table, writer=f"undo:{entries[0]}", batch=1, partition=None)
    return Undo(entries, *_pair(pair))


def _pair(row: Mapping[str, Any]) -> Pair:
    return row["id"], row["owner"]
