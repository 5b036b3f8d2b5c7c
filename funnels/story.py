"""All events of one unit that a question knows by name, at any time, with what the question makes of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from funnels.ask import Unit
from funnels.bounds import in_bytes, table_within, too_large
from funnels.errors import NoSuchUnit
from funnels.reading.codes import held_codes
from funnels.reading.stream_sql import Query
from transforms.engine import Engine, Limits

_BYTES: Final = 2_000  # that one event takes until it is told
_PERSON: Final = """
select person as name, person_id as key
from actors
where id in ($id, 'user:' || $id, 'anonymous:' || $id)
order by id = $id desc, id desc -- an id as it stands first, then a user's before a device's
limit 1"""
_ACCOUNT: Final = """
select $id as name, $id as key
where exists (from events where account_id = $id) or exists (from sole_memberships where account_id = $id)"""
_SESSION: Final = """
select events.event_id as name, session_spans.session as key
from events
join actors on actors.actor_id = events.actor_id
join session_spans on session_spans.person_id = actors.person_id and session_spans.source = events.source
    and session_spans.bot = events.bot and session_spans.started = events.time
where events.event_id = $id
limit 1"""
_FOUND: Final = {"person": _PERSON, "account": _ACCOUNT, "session": _SESSION}


_FORMS: Final = {
    "person": "user:..., anonymous:..., or the id as it was sent",
    "account": "the id of an account",
    "session": "the id of a session's first event",
}


@dataclass(frozen=True, slots=True)
class UnitFound:
    name: str  # the public id
    key: object  # as in the rows of the streams' query


@dataclass(frozen=True, slots=True)
class Told:
    """One event. ``named``: a step or an exclusion has its name; ``mask`` and ``bars`` as in streams."""

    id: str
    name: str
    time: int  # microseconds since 1970
    bot: bool  # and so left out
    internal: bool  # and so left out
    named: bool
    fits_filters: bool
    mask: int
    bars: int
    held: int
    held_missing: bool


def find_unit(engine: Engine, unit: Unit, given: str) -> UnitFound:
    """By any id of a person, an account's id, or the id of a session's first event; raises ``NoSuchUnit``."""
    found = engine.table(_FOUND[unit], {"id": given}).to_pylist()
    if not found:
        raise NoSuchUnit(f"There is no {unit} {given!r}; an id is {_FORMS[unit]}.", given, _FORMS[unit])
    return UnitFound(str(found[0]["name"]), found[0]["key"])


def read_story(engine: Engine, query: Query, limits: Limits) -> Sequence[Told]:
    """In order of time and id. Raises ``TooLarge``: an account may have millions of events."""
    rows = table_within(engine, query.story(), query.parameters.values, limits)
    if len(rows) * _BYTES > in_bytes(limits.memory):
        raise too_large(limits)
    rows = rows.sort_by([("time", "ascending"), ("event_id", "ascending")])
    held = held_codes([rows[f"held{number}"] for number in range(len(query.funnel.hold))]) if query.funnel.hold else None
    return [_told(row, 0 if held is None else int(held[number]), query) for number, row in enumerate(_plain(rows))]


def _plain(rows: pa.Table) -> list[dict[str, object]]:
    found: list[dict[str, object]] = rows.to_pylist()
    return found


def _told(row: dict[str, object], held: int, query: Query) -> Told:
    bot = bool(row["bot"]) and not query.takes_bots
    return Told(
        id=str(row["event_id"]),
        name=str(row["name"]),
        time=int(str(row["time"])),
        bot=bot,
        internal=bool(row["internal"]),
        named=bool(row["named"]),
        fits_filters=bool(row["fits"]),
        mask=int(str(row["mask"])),
        bars=int(str(row["bars"])),
        held=held,
        held_missing=held < 0,
    )
