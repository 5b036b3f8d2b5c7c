"""A draft makes a stored table what its repairs say, and nothing of it is seen before it is committed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.lake import Lake
from sql.loader import Query, parse
from tests.transforms.world import Row, at
from transforms import commits
from transforms.draft import LEAF, Draft
from transforms.engine import Engine
from transforms.errors import ModelFailed
from transforms.sweep import sweep
from transforms.tables import TABLES


def kept(name: str, grain: str, kind: str) -> Query:
    return parse(f"models/{name}.sql", name, f"-- x\n-- grain: {grain}\n-- kind: {kind}\n-- reads:\nselect 1 as one")


SESSIONS = kept("sessions", "session_id, started", "by_day person_id started")
DAYS = kept("person_days", "person_id, day", "by_day person_id day")
ACCOUNTS = kept("accounts", "account_id", "by_subject account_id")
INVITES = kept("invites", "invite_id, invitee", "whole")


def session(name: str, person: int, started: datetime, events: int = 1, **columns: object) -> Row:
    row: Row = dict.fromkeys(TABLES["sessions"].names)
    row |= {"session_id": name, "person_id": person, "person": f"user:{person}", "source": "s", "bot": False}
    row |= {"started": started, "ended": started, "events": events, "pages": 0, "channel": "direct"}
    return row | columns


def account(name: str, members: int = 1) -> Row:
    row: Row = dict.fromkeys(TABLES["accounts"].names)
    return row | {"account_id": name, "first_seen": at(), "last_seen": at(), "members": members, "traits": "{}"}


def day(person: int, days: int, events: int = 1) -> Row:
    row: Row = dict.fromkeys(TABLES["person_days"].names, events)
    return row | {"person_id": person, "person": f"user:{person}", "day": at(days).date()}


def invite(name: str, invitee: str | None, scope: str | None = None) -> Row:
    row: Row = dict.fromkeys(TABLES["invites"].names)
    return row | {"invite_id": name, "inviter": "user:1", "sent_at": at(), "invitee": invitee, "scope": scope}


def repair(engine: Engine, draft: Draft, query: Query, old: Sequence[Row], made: Sequence[Row]) -> int:
    for name, rows in (("old", old), ("made", made)):
        engine.bind(name, pa.Table.from_pylist(list(rows), TABLES[query.name]))
    return draft.repair("old", "made")


def commit(
    lake: Lake, query: Query, version: int | None, old: Sequence[Row], made: Sequence[Row], leaf_rows: int = 4
) -> int | None:
    """One repair of a stored table; its new version."""
    with Engine(lake, "default", {}) as engine:
        draft = Draft(engine, query, version, leaf_rows=leaf_rows)
        repair(engine, draft, query, old, made)
        return draft.commit()


def rows_in(lake: Lake, query: Query, version: int | None) -> list[Row]:
    with Engine(lake, "default", {query.name: version}) as engine:
        return stored_rows(engine, query)


def stored_rows(engine: Engine, query: Query) -> list[Row]:
    rows: list[Row] = engine.table(f"from {query.name} order by {', '.join(query.grain)}").to_pylist()
    return rows


def in_order(query: Query, rows: Sequence[Row]) -> list[Row]:
    return sorted(
        rows,
        key=lambda row: (
            [str(row[column]).rjust(9) for column in query.grain]
            if query is DAYS
            else [str(row[column]) for column in query.grain]
        ),
    )


def files(lake: Lake, table: str) -> list[Path]:
    return sorted(Path(lake.root.removeprefix("file://"), "default", table).rglob("*.parquet"))


@pytest.fixture(params=["", "file://"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(f"{request.param}{tmp_path}/lake")


MOMENTS = st.integers(0, 90)
Change = Mapping[tuple[int, int], int]


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["by_day", "by_date", "by_subject"]),
    repairs=st.lists(
        st.dictionaries(st.tuples(st.integers(0, 30), st.integers(0, 3)), st.integers(0, 3), max_size=40), max_size=4
    ),
    committed=st.booleans(),
)
def test_any_repairs_leave_the_rows_that_they_say(kind: str, repairs: list[Change], committed: bool) -> None:
    """A change gives a (person, moment) its number of events; 0 takes it out. Old rows are those that the change names."""
    query = {"by_day": SESSIONS, "by_date": DAYS, "by_subject": ACCOUNTS}[kind]

    def row(place: tuple[int, int], events: int) -> Row:
        person, moment = place
        if query is SESSIONS:
            return session(f"e{person}-{moment}", person, at(moment * 25), events)
        return day(person, moment * 25, events) if query is DAYS else account(f"{person}'{moment}", events)

    with TemporaryDirectory() as folder, Engine(Lake(folder), "default", {}) as engine:
        rows: dict[tuple[int, int], int] = {}
        version = None
        draft = Draft(engine, query, version, leaf_rows=4)
        for change in repairs:
            old = [row(place, rows[place]) for place in change if place in rows]
            made = [row(place, events) for place, events in change.items() if events]
            expected = {place: events for place, events in {**rows, **change}.items() if events}
            apart = sum((rows.get(place, 0) or None) != (expected.get(place)) for place in change)
            assert (repair(engine, draft, query, old, made) > 0) == (apart > 0)
            rows = expected
            assert stored_rows(engine, query) == in_order(query, [row(*pair) for pair in rows.items()])
            assert draft.rows == len(rows)
            assert all(leaf.rows <= 6 for leaf in draft.leaves)
            if committed:
                version = draft.commit()
                draft = Draft(engine, query, version, leaf_rows=4)
        version = draft.commit()
        assert rows_in(Lake(folder), query, version) == in_order(query, [row(*pair) for pair in rows.items()])
        named = {
            Path(file).name
            for number in range((version or 0) + 1)
            for file in Lake(folder).files("default", query.name, number)
        }
        assert {file.name for file in files(Lake(folder), query.name)} == named
