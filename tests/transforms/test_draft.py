"""A draft makes a stored table what its repairs say, and nothing of it is seen before it is committed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.lake import Lake
from sql.loader import Query, parse
from tests.transforms.world import Row, at
from transforms.behind import Behind
from transforms.draft import Draft
from transforms.engine import Engine, Limits
from transforms.errors import ModelFailed
from transforms.forget import erase
from transforms.leaves import Leaf, runs
from transforms.manifest import Manifest, publish
from transforms.sweep import sweep
from transforms.tables import TABLES


def kept(name: str, grain: str, kind: str) -> Query:
    keys = ", ".join(f"1 as {key}" for key in kind.split()[1:]) or "1 as one"
    return parse(f"models/{name}.sql", name, f"-- x\n-- grain: {grain}\n-- kind: {kind}\n-- reads:\nselect {keys}")


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
    return sorted(Path(lake.root.removeprefix("file://"), "default", table).rglob("[!0]*.parquet"))


@pytest.fixture(params=["", "file://"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return Lake(f"{request.param}{tmp_path}/lake")


Change = Mapping[tuple[int, int], int]


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(["by_day", "by_date", "by_subject"]),
    repairs=st.lists(
        st.dictionaries(st.tuples(st.integers(0, 30), st.integers(0, 3)), st.integers(0, 3), max_size=40), max_size=4
    ),
    committed=st.booleans(),
    beside=st.booleans(),
)
def test_any_repairs_leave_the_rows_that_they_say(kind: str, repairs: list[Change], committed: bool, beside: bool) -> None:
    """A change gives a (person, moment) its number of events; 0 takes it out. Old rows are those that the change names.

    ``beside``: leaves are written while others go on.
    """
    query = {"by_day": SESSIONS, "by_date": DAYS, "by_subject": ACCOUNTS}[kind]

    def row(place: tuple[int, int], events: int) -> Row:
        person, moment = place
        if query is SESSIONS:
            return session(f"e{person}-{moment}", person, at(moment * 25), events)
        return day(person, moment * 25, events) if query is DAYS else account(f"{person}'{moment}", events)

    with (
        TemporaryDirectory() as folder,
        Engine(Lake(folder), "default", {}) as engine,
        Behind(Lake(folder), "default", Limits()) as behind,
    ):
        rows: dict[tuple[int, int], int] = {}
        version = None
        draft = Draft(engine, query, version, leaf_rows=4, behind=behind if beside else None)
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
                draft = Draft(engine, query, version, leaf_rows=4, behind=behind if beside else None)
        version = draft.commit()
        assert rows_in(Lake(folder), query, version) == in_order(query, [row(*pair) for pair in rows.items()])
        named = {
            Path(file).name
            for number in range((version or 0) + 1)
            for file in Lake(folder).files("default", query.name, number)
        }
        assert {file.name for file in files(Lake(folder), query.name)} == named


def test_a_first_repair_makes_leaves_by_month_in_the_order_of_the_key(lake: Lake) -> None:
    rows = [session(f"e{number}", number % 7, at(number * 5)) for number in range(14)]
    version = commit(lake, SESSIONS, None, [], rows)
    assert version == 1
    assert rows_in(lake, SESSIONS, version) == in_order(SESSIONS, rows)
    assert [file.parent.name for file in files(lake, "sessions")] == ["month=2026-03", "month=2026-04", "month=2026-05"]
    for file in files(lake, "sessions"):
        people = pq.read_table(file, partitioning=None)["person_id"].to_pylist()
        assert people == sorted(people)


def test_the_log_tells_the_keys_of_each_leaf_and_other_readers_read_them(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    commit(lake, DAYS, None, [], [day(person, days) for person in range(9) for days in (0, 40)])
    handle = lake.open("default", "person_days")
    assert handle is not None
    told = pa.table(handle.get_add_actions(flatten=True)).sort_by(
        [("partition.month", "ascending"), ("min.person_id", "ascending")]
    )
    names = ["partition.month", "num_records", "min.person_id", "max.person_id"]
    assert [tuple(row.values()) for row in told.select(names).to_pylist()] == [
        *[("2026-03", 3, 0, 2), ("2026-03", 3, 3, 5), ("2026-03", 3, 6, 8)],
        *[("2026-04", 3, 0, 2), ("2026-04", 3, 3, 5), ("2026-04", 3, 6, 8)],
    ]
    found = pl.scan_delta(f"{tmp_path}/default/person_days").filter(pl.col("person_id") == 4).sort("day").collect()
    assert found["month"].to_list() == ["2026-03", "2026-04"]
    whole = handle.to_pyarrow_table(filters=[("month", "=", "2026-04")])
    assert whole.select(TABLES["person_days"].names).schema.types == TABLES["person_days"].types
    assert whole.num_rows == 9


def test_a_repair_leaves_the_other_leaves_as_they_are(lake: Lake) -> None:
    rows = [account(f"a{number:02d}") for number in range(16)]
    commit(lake, ACCOUNTS, None, [], rows)
    before = set(files(lake, "accounts"))
    version = commit(lake, ACCOUNTS, 1, [rows[5]], [account("a05", members=2)])
    standing = {Path(file).name for file in lake.files("default", "accounts", version)}
    assert len(before) == len(standing) == 4
    assert len(standing & {file.name for file in before}) == 3
    assert rows_in(lake, ACCOUNTS, 1) == rows
    assert rows_in(lake, ACCOUNTS, version)[5]["members"] == 2


def test_rows_that_are_the_same_make_no_version_and_no_file(lake: Lake) -> None:
    rows = [invite("i1", "user:2"), invite("i1", None), invite("i2", None, "new_account")]
    commit(lake, INVITES, None, [], rows)
    before = files(lake, "invites")
    assert commit(lake, INVITES, 1, rows, list(reversed(rows))) == 1
    assert lake.version("default", "invites") == 1
    assert files(lake, "invites") == before


def test_an_empty_table_has_a_first_version_and_no_other(lake: Lake) -> None:
    assert commit(lake, SESSIONS, None, [], []) == 1
    assert commit(lake, SESSIONS, 1, [], []) == 1
    assert rows_in(lake, SESSIONS, 1) == []


def test_a_row_goes_by_its_grain_though_a_part_of_that_is_empty(lake: Lake) -> None:
    rows = [invite("i1", None), invite("i1", "user:2")]
    commit(lake, INVITES, None, [], rows)
    with Engine(lake, "default", {}) as engine:
        draft = Draft(engine, INVITES, 1)
        for name, some in (("gone", [invite("i1", None, "any")]), ("come", [invite("i0", None)])):
            engine.bind(name, pa.Table.from_pylist(some, TABLES["invites"]))
        assert draft.replace("gone", "come") == 2
        assert draft.commit() == 2
    assert rows_in(lake, INVITES, 2) == [invite("i0", None), rows[1]]


def test_what_changed_is_told_and_what_did_not_is_left_out(tmp_path: Path) -> None:
    rows = [account("a"), account("b"), account("c")]
    with Engine(Lake(str(tmp_path)), "default", {}) as engine:
        draft = Draft(engine, ACCOUNTS, None)
        assert repair(engine, draft, ACCOUNTS, [], rows) == 3
        assert engine.table("from changed_accounts order by account_id").to_pylist() == rows
        assert repair(engine, draft, ACCOUNTS, rows, [account("a"), account("b", 5), account("d")]) == 4
        changed = engine.table("select account_id, members from changed_accounts order by all").to_pylist()
        assert [tuple(row.values()) for row in changed] == [("b", 1), ("b", 5), ("c", 1), ("d", 1)]
        assert repair(engine, draft, ACCOUNTS, [], []) == 0
        assert engine.table("from changed_accounts").num_rows == 0


def test_a_leaf_that_grows_is_split_and_one_that_empties_goes(lake: Lake) -> None:
    rows = [account(f"a{number:02d}") for number in range(4)]
    assert commit(lake, ACCOUNTS, None, [], rows) == 1
    more = [account(f"a{number:02d}") for number in range(4, 12)]
    commit(lake, ACCOUNTS, 1, [], more)
    assert len(lake.files("default", "accounts")) == 3
    commit(lake, ACCOUNTS, 2, [*rows, *more[:4]], [])
    assert len(lake.files("default", "accounts")) == 1
    assert rows_in(lake, ACCOUNTS, 3) == more[4:]
    commit(lake, ACCOUNTS, 3, more[4:], [])
    assert lake.files("default", "accounts") == []


def test_a_leaf_that_shrinks_takes_its_small_neighbour_along(lake: Lake) -> None:
    rows = [account(f"a{number:02d}") for number in range(12)]
    commit(lake, ACCOUNTS, None, [], rows)
    commit(lake, ACCOUNTS, 1, rows[:3], [])
    assert len(lake.files("default", "accounts")) == 3
    commit(lake, ACCOUNTS, 2, rows[4:7], [])
    assert len(lake.files("default", "accounts")) == 2
    assert rows_in(lake, ACCOUNTS, 3) == [rows[3], *rows[7:]]


def test_neighbours_are_written_one_by_one_unless_one_of_them_is_small() -> None:
    leaves = [Leaf(f"{low}", None, rows, low, low + 9, 0) for low, rows in ((0, 6), (10, 14), (20, 9), (30, 6), (40, 10))]
    found = runs(leaves, {3: 2}, {0: 1, 1: 1, 2: 1}, 10, 8)
    assert [([leaf.low for leaf in run.leaves], run.floor, run.until, run.rows) for run in found] == [
        ([0], None, 10, 7),
        ([10], 10, 20, 15),
        ([20, 30], 20, 40, 16),
    ]


def test_many_leaves_follow_one_another_by_their_keys(lake: Lake) -> None:
    rows = [session(f"e{number}", number % 90, at(minutes=number)) for number in range(270)]
    commit(lake, SESSIONS, None, [], rows[:70])
    commit(lake, SESSIONS, 1, [], rows[70:])
    assert rows_in(lake, SESSIONS, 2) == in_order(SESSIONS, rows)
    with Engine(lake, "default", {}) as engine:
        leaves = Draft(engine, SESSIONS, 2).leaves
    assert all(one.high <= other.low for one, other in pairwise(leaves))  # type: ignore[operator]


@pytest.mark.parametrize("query", [ACCOUNTS, SESSIONS])
def test_what_comes_where_nothing_stands_is_sorted_on_its_way_into_leaves(query: Query, tmp_path: Path) -> None:
    """Texts of digits, too: DuckDB tells the edges of a file as texts, and shortens long ones."""
    numbers = range(5_000)
    if query is ACCOUNTS:
        rows = [account(f"{number * 7 % 5_000}{'0' * 300 * (number % 2)}") for number in numbers]
    else:
        rows = [session(f"e{number}", number * 7 % 5_000 - 2_500, at()) for number in numbers]
    key = query.subject or "person_id"
    with Engine(Lake(f"{tmp_path}/lake"), "default", {}) as engine:
        draft = Draft(engine, query, None, leaf_rows=2_048)
        assert repair(engine, draft, query, [], rows) == 5_000
        assert [leaf.rows for leaf in draft.leaves] == [2_048, 2_048, 904]
        assert [leaf.size for leaf in draft.leaves] == [leaf.fresh.stat().st_size for leaf in draft.leaves if leaf.fresh]
        found = [pq.read_table(leaf.fresh).column(key).to_pylist() for leaf in draft.leaves]
        assert [(leaf.low, leaf.high) for leaf in draft.leaves] == [(keys[0], keys[-1]) for keys in found]
        wanted = sorted(str(row[key]) for row in rows) if query is ACCOUNTS else list(range(-2_500, 2_500))
        assert [one for keys in found for one in keys] == wanted
        draft.discard()
    assert files(Lake(f"{tmp_path}/lake"), query.name) == []


def test_no_two_leaves_of_what_is_sorted_at_once_have_a_key_in_common(tmp_path: Path) -> None:
    """However many threads write them."""
    empty = ", ".join(f"null as {name}" for name in ("name", "parent", "channel"))
    with Engine(Lake(f"{tmp_path}/lake"), "default", {}) as engine:
        draft = Draft(engine, ACCOUNTS, None)
        engine.make(
            "made",
            f"select cast(hash(range) as text) as account_id, {empty}, now() as first_seen, now() as last_seen, "
            "0 as members, '{}' as traits from range(400000)",
        )
        engine.bind("old", TABLES["accounts"].empty_table())
        assert draft.repair("old", "made") == 400_000
        leaves = draft.leaves
        draft.discard()
    assert [leaf.rows for leaf in leaves] == [61_440] * 6 + [31_360]
    assert all(one.high < other.low for one, other in pairwise(leaves))  # type: ignore[operator]


def test_one_key_may_have_more_rows_than_a_leaf(lake: Lake) -> None:
    rows = [session(f"e{number:02d}", 7, at(minutes=number)) for number in range(30)]
    commit(lake, SESSIONS, None, [], [*rows, session("x", 1, at()), session("y", 9, at())])
    late = session("late", 7, at(minutes=-5))
    commit(lake, SESSIONS, 1, rows[3:25], [late])
    assert rows_in(lake, SESSIONS, 2) == [*rows[:3], *rows[25:], late, session("x", 1, at()), session("y", 9, at())]


def test_a_needed_column_that_is_empty_is_refused(lake: Lake) -> None:
    with Engine(lake, "default", {}) as engine:
        draft = Draft(engine, ACCOUNTS, None)
        engine.bind("old", TABLES["accounts"].empty_table())
        engine.make(
            "made",
            "select 'a' as account_id, null as name, null as parent, now() as first_seen, null as last_seen, "
            "1 as members, null as channel, '{}' as traits",
        )
        with pytest.raises(ModelFailed, match=r"sql/models/accounts.sql could not be built: .*last_seen is empty in 1 rows"):
            draft.repair("old", "made")
        engine.make("made", "select 'a' as account_id")
        with pytest.raises(ModelFailed, match="name"):
            draft.repair("old", "made")
    assert files(lake, "accounts") == []


def test_what_is_discarded_while_it_is_written_leaves_nothing(lake: Lake) -> None:
    rows = [account(f"a{number:02d}") for number in range(8)]
    commit(lake, ACCOUNTS, None, [], rows)
    before = files(lake, "accounts")
    with Engine(lake, "default", {}) as engine, Behind(lake, "default", Limits()) as behind:
        draft = Draft(engine, ACCOUNTS, 1, leaf_rows=4, behind=behind)
        repair(engine, draft, ACCOUNTS, rows[:5], [account("z")])
        assert stored_rows(engine, ACCOUNTS) == [*rows[5:], account("z")]
        draft.discard()
        assert stored_rows(engine, ACCOUNTS) == rows
    assert files(lake, "accounts") == before


def test_leaves_that_cannot_be_written_beside_others_are_told_before_a_commit(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    rows = [account(f"a{number:02d}") for number in range(8)]
    commit(lake, ACCOUNTS, None, [], rows)
    with Engine(lake, "default", {}) as engine, Behind(lake, "default", Limits()) as behind:
        draft = Draft(engine, ACCOUNTS, 1, leaf_rows=4, behind=behind)
        held = Event()
        behind.begin(lambda _: held.wait())
        repair(engine, draft, ACCOUNTS, rows[:1], [account("z")])
        content = {file: file.read_bytes() for file in files(lake, "accounts")}
        for file in content:
            file.write_bytes(b"")
        held.set()
        with pytest.raises(duckdb.Error):
            draft.settle()
        for file, bytes_before in content.items():
            file.write_bytes(bytes_before)
        draft.discard()
        assert stored_rows(engine, ACCOUNTS) == rows
    assert lake.version("default", "accounts") == 1


def test_a_discarded_draft_leaves_nothing(lake: Lake) -> None:
    rows = [account(f"a{number:02d}") for number in range(8)]
    commit(lake, ACCOUNTS, None, [], rows)
    before = files(lake, "accounts")
    with Engine(lake, "default", {}) as engine:
        draft = Draft(engine, ACCOUNTS, 1, leaf_rows=4)
        repair(engine, draft, ACCOUNTS, rows[:5], [account("z")])
        assert stored_rows(engine, ACCOUNTS) == [*rows[5:], account("z")]
        draft.discard()
        assert stored_rows(engine, ACCOUNTS) == rows
        assert draft.commit() == 1
    assert files(lake, "accounts") == before


def test_a_committed_draft_cannot_be_discarded(lake: Lake) -> None:
    with Engine(lake, "default", {}) as engine:
        draft = Draft(engine, ACCOUNTS, None)
        repair(engine, draft, ACCOUNTS, [], [account("a")])
        assert draft.commit() == 1
        draft.discard()
        assert stored_rows(engine, ACCOUNTS) == [account("a")]
        assert draft.commit() == 1
    assert rows_in(lake, ACCOUNTS, 1) == [account("a")]


def test_what_dies_before_its_commit_is_swept_after_a_week(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise OSError("the power went")

    commit(lake, ACCOUNTS, None, [], [account("a")])
    publish(lake, "default", Manifest(1, {"accounts": 1}, at(), at(), "aaaa"))
    with monkeypatch.context() as patched, pytest.raises(OSError, match="the power went"):
        patched.setattr("transforms.draft.DeltaTable.create_write_transaction", die)
        commit(lake, ACCOUNTS, 1, [account("a")], [account("b")])
    assert len(files(lake, "accounts")) == 2
    assert rows_in(lake, ACCOUNTS, lake.version("default", "accounts")) == [account("a")]
    assert sweep(lake, "default", now=at(8)) == 0
    week_ago = (datetime.now(UTC) - timedelta(days=8)).timestamp()
    for file in files(lake, "accounts"):
        os.utime(file, (week_ago, week_ago))
    assert sweep(lake, "default", now=at(8)) == 1
    assert rows_in(lake, ACCOUNTS, 1) == [account("a")]


def test_what_dies_before_its_commit_is_erased_at_once_when_a_person_is_forgotten(lake: Lake) -> None:
    commit(lake, ACCOUNTS, None, [], [account("a")])
    publish(lake, "default", Manifest(1, {"accounts": 1}, at(), at(), "aaaa"))
    with Engine(lake, "default", {}) as engine:
        repair(engine, Draft(engine, ACCOUNTS, 1), ACCOUNTS, [account("a")], [account("b")])
        erase(lake, "default", ["accounts"], now=at(1))
    assert [file.name for file in files(lake, "accounts")] == [Path(file).name for file in lake.files("default", "accounts")]
    assert rows_in(lake, ACCOUNTS, 1) == [account("a")]


def test_a_build_begins_from_its_version_whatever_was_committed_after_it(lake: Lake) -> None:
    commit(lake, ACCOUNTS, None, [], [account("a"), account("b")])
    commit(lake, ACCOUNTS, 1, [account("a")], [account("x")])  # by a build that died before its manifest
    assert commit(lake, ACCOUNTS, 1, [], []) == 1
    version = commit(lake, ACCOUNTS, 1, [account("b")], [account("c")])
    assert rows_in(lake, ACCOUNTS, version) == [account("a"), account("c")]
    assert rows_in(lake, ACCOUNTS, commit(lake, ACCOUNTS, None, [], [account("z")])) == [account("z")]


def test_another_commit_meanwhile_is_no_hindrance(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, ACCOUNTS, None, [], [account("a")])
    commits = DeltaTable.create_write_transaction
    turns = iter((True, False))

    def overtaken(handle: DeltaTable, *arguments: object, **options: object) -> None:
        if next(turns):
            other = lake.open("default", "accounts")
            assert other is not None
            other.alter.set_table_properties({"delta.checkpointInterval": "20"})
        commits(handle, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("transforms.draft.DeltaTable.create_write_transaction", overtaken)
    assert commit(lake, ACCOUNTS, 1, [account("a")], [account("b")]) == 3
    assert rows_in(lake, ACCOUNTS, 3) == [account("b")]


def test_who_dies_while_a_layout_changes_leaves_the_version_in_force_readable(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise OSError("the power went")

    row = session("e1", 1, at())
    old = lake.replace("default", "sessions", pa.Table.from_pylist([row], TABLES["sessions"]))
    with monkeypatch.context() as patched, pytest.raises(OSError, match="the power went"):
        patched.setattr("transforms.draft.DeltaTable.create_write_transaction", die)
        commit(lake, SESSIONS, old, [], [row])
    assert rows_in(lake, SESSIONS, old) == [row]
    assert rows_in(lake, SESSIONS, commit(lake, SESSIONS, old, [], [row])) == [row]


@pytest.mark.parametrize("query", [SESSIONS, ACCOUNTS])
def test_a_table_of_an_older_layout_is_made_anew(lake: Lake, query: Query) -> None:
    row = session("e1", 1, at()) if query is SESSIONS else account("a")
    schema = TABLES[query.name] if query is SESSIONS else TABLES[query.name].remove(1)
    old = lake.replace("default", query.name, pa.Table.from_pylist([row, {**row, query.grain[0]: "e2"}], schema))
    with Engine(lake, "default", {}) as engine:
        draft = Draft(engine, query, old)
        assert not draft.fits
        assert stored_rows(engine, query) == []
    version = commit(lake, query, old, [], [row])
    assert version is not None
    assert rows_in(lake, query, version) == [row]
    assert len(lake.files("default", query.name)) == 1
    assert commit(lake, query, version, [], []) == version


def test_a_table_that_was_replaced_as_a_whole_is_a_leaf_where_it_needs_no_months(lake: Lake) -> None:
    rows = [account("a"), account("b")]
    old = lake.replace("default", "accounts", pa.Table.from_pylist(rows, TABLES["accounts"]))
    version = commit(lake, ACCOUNTS, old, [account("b")], [account("c")])
    assert rows_in(lake, ACCOUNTS, version) == [account("a"), account("c")]
