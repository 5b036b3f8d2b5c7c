"""Ad-hoc questions see who is who at the newest events."""

import os
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ingest.lake import Lake
from tests.transforms.test_identity import streams
from tests.transforms.test_undo import Pair, claim
from tests.transforms.world import Row, at, call, lake_of, rows_of, undo
from transforms.build import build
from transforms.core import CORE, core
from transforms.domains import LEFT_BY, OFF, Domains
from transforms.engine import DEFAULT_LIMITS, Engine
from transforms.identity import DEFAULT_VIEW, View
from transforms.layout import Rules
from transforms.ledger import LEDGER, forget, gather
from transforms.overlay import Identity, Since, again, everyone, identity
from transforms.tables import ACTORS, ID_LINKS, MEMBERSHIPS, SOLE_MEMBERSHIPS
from transforms.tidy import tidy, vacuum

UPDATES = int(os.environ.get("JCURVE_TEST_UNDO_HISTORIES", "15"))
FIRST = [call("e1", at(0), kind="page", anonymous="x"), call("e2", at(1), kind="group", user="1", account_id="a")]
MERGE = call("e3", at(2), kind="identify", user="1", anonymous="x")


def people(lake: Lake, version: int | None, built: bool = True) -> set[object]:
    result = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)) if built else None
    return persons(lake, identity(lake, "default", version, result.manifest if result else None))


def laid_over(lake: Lake, known: Identity) -> tuple[pa.Table, ...]:
    """The rows of ``actors``, ``memberships`` and ``sole_memberships`` that a question sees."""
    with Engine(lake, "default", known.built) as engine:
        known.bind(engine)
        schemas = {"actors": ACTORS, "memberships": MEMBERSHIPS, "sole_memberships": SOLE_MEMBERSHIPS}
        return tuple(engine.table(f"from {name}").select(schema.names) for name, schema in schemas.items())


def persons(lake: Lake, known: Identity) -> set[object]:
    return {person for (person,) in rows_of(laid_over(lake, known)[0], "person")}


def test_without_events_nobody_is_anybody(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert [table.num_rows for table in laid_over(lake, identity(lake, "default", None, None))] == [0, 0, 0]


def test_the_build_s_tables_are_taken_where_it_read_these_very_events(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, FIRST)
    assert people(lake, 1) == {"anonymous:x", "user:1"}
    assert people(lake, 1, built=False) == {"anonymous:x", "user:1"}


def test_a_merge_shows_before_the_next_build(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, FIRST)
    manifest = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)).manifest
    lake_of(tmp_path, [MERGE], batch=2)
    found = identity(lake, "default", 2, manifest)
    assert persons(lake, found) == {"anonymous:x"}
    assert rows_of(laid_over(lake, found)[1], "person", "account_id") == [("anonymous:x", "a")]
    assert persons(lake, identity(lake, "default", 1, manifest)) == {"anonymous:x", "user:1"}


def test_a_leaving_shows_before_the_next_build(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, FIRST)
    tables = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)).manifest.tables
    lake_of(tmp_path, [call("left", at(2), event=LEFT_BY, user="1")], batch=2)
    found = touched(lake, tables)
    assert found is not None
    _, memberships, sole = laid_over(lake, found)
    assert rows_of(memberships, "account_id", "since", "until") == [("a", at(1), at(2))]
    assert rows_of(sole, "account_id", "since", "until") == [("a", at(1), at(2))]


def test_the_overlay_has_the_rows_the_build_would_make(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [*FIRST, MERGE])
    computed = laid_over(lake, identity(lake, "default", 1, None))
    manifest = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)).manifest
    taken = laid_over(lake, identity(lake, "default", 1, manifest))
    for one, other in zip(computed, taken, strict=True):
        order = [(name, "ascending") for name in one.column_names]
        assert one.sort_by(order).to_pylist() == other.sort_by(order).to_pylist()


def fields(rows: pa.Table) -> list[str]:
    return sorted(map(str, rows.to_pylist()))


@settings(max_examples=UPDATES, deadline=None, phases=(Phase.generate,))
@given(streams(), st.integers(0, 25), st.sampled_from([2, 1000]), st.booleans(), st.randoms(use_true_random=False))
def test_working_out_the_touched_again_gives_what_working_out_everyone_gives(
    rows: list[Row], cut: int, runaway_links: int, by_email: bool, chance: random.Random
) -> None:
    chance.shuffle(rows)
    groups = [
        row
        | chance.choice(
            [
                {"kind": "group", "event": "$group", "account_id": chance.choice("ab")},
                {"event": LEFT_BY, "account_id": chance.choice(["a", "b", "x.example", None])},
            ]
        )
        for row in rows
        if row["kind"] == "track"
    ]
    mailed = [row | {"properties": f'{{"email": "a@{chance.choice("xyz")}.example"}}'} for row in rows if claim(row)]
    told = {row["event_id"]: row for row in (*groups, *(row for row in mailed if chance.random() < 0.5))}
    rows = [told.get(row["event_id"], row) for row in rows]
    view, domains = View(runaway_links), Domains(on=by_email)
    pairs = sorted({pair for row in rows if (pair := claim(row))})
    with TemporaryDirectory() as folder:
        lake = lake_of(Path(folder), rows[:cut])
        early = pairs and chance.random() < 0.5 and append_undo(lake, chance.choice(pairs), 1)
        models = core(view, domains)
        manifest = build(lake, "default", models, until=at(9), definition_version="aaaa", now=at(9)).manifest
        lake_of(Path(folder), rows[cut:], batch=2)
        if pairs and (not early or chance.random() < 0.5):
            append_undo(lake, chance.choice(pairs), 2)
        if chance.random() < 0.5:
            gathered(lake)
        events, ledger = lake.version("default", "events"), lake.version("default", LEDGER)
        if events is None or "events" not in manifest.tables:
            return
        found = again(lake, "default", Since(events, ledger, manifest.tables), DEFAULT_LIMITS, domains, view)
        assert found is not None
        expected = everyone(lake, "default", (events, ledger), DEFAULT_LIMITS, domains, view)
        assert [fields(table) for table in laid_over(lake, found)] == [fields(table) for table in laid_over(lake, expected)]


STEPS = ("append", "undo", "redo", "build", "forget the events", "tidy")


@settings(max_examples=UPDATES, deadline=None, phases=(Phase.generate,))
@given(
    streams(), st.lists(st.sampled_from(STEPS), max_size=6), st.sampled_from([2, 1000]), st.randoms(use_true_random=False)
)
def test_after_any_history_the_change_since_the_build_gives_what_working_out_everyone_gives(
    rows: list[Row], steps: list[str], runaway_links: int, chance: random.Random
) -> None:
    chance.shuffle(rows)
    view, undone = View(runaway_links), list[Row]()
    pairs = sorted({pair for row in rows if (pair := claim(row))})
    with TemporaryDirectory() as folder:
        lake = lake_of(Path(folder), [call("first", at(0), user="1")])
        for number, step in enumerate(("append", "build", *steps, "append"), 2):
            if step == "append":
                few, rows = rows[: len(rows) // 2 + 1], rows[len(rows) // 2 + 1 :]
                lake_of(Path(folder), few, batch=number)
            elif step == "undo" and pairs:
                undone.append(undo(f"u{number}", at(5), *chance.choice(pairs)))
                append_row(lake, undone[-1], number)
            elif step == "redo" and undone:
                row = chance.choice(undone)
                again_in = undo(f"u{number}", at(6), row["id"], row["owner"], of_undo=row["entry"])  # type: ignore[arg-type]
                undone.append(again_in)
                append_row(lake, again_in, number)
            elif step == "tidy":
                gathered(lake)
            elif step in ("build", "forget the events"):
                if step == "forget the events":  # the links that they told stay
                    gather(lake, "default", lake.version("default", "events"))
                    lake.delete("default", "events", "kind <> 'track'")
                manifest = build(
                    lake, "default", core(view)[:8], until=at(9), definition_version="aaaa", now=at(9, number)
                ).manifest
        since = Since(lake.version("default", "events") or 0, lake.version("default", LEDGER), manifest.tables)
        found = again(lake, "default", since, DEFAULT_LIMITS, OFF, view)
        assert found is not None
        expected = everyone(lake, "default", (since.events, since.ledger), DEFAULT_LIMITS, OFF, view)
        assert [fields(table) for table in laid_over(lake, found)] == [fields(table) for table in laid_over(lake, expected)]


def test_whom_a_returning_device_belongs_to_is_found_through_ids_of_which_no_event_is_left(tmp_path: Path) -> None:
    merges = [
        call("e1", at(0), kind="identify", user="1", anonymous="x"),
        *(call(f"e{n}", at(n), kind="alias", user=str(n), previous_id=str(n - 1)) for n in range(2, 8)),
        call("e8", at(8), kind="identify", user="7", anonymous="a"),
    ]
    lake = lake_of(tmp_path, [*merges, call("other", at(9), user="other")])
    gather(lake, "default", 1)
    lake.delete("default", "events", "user_id <> 'other'")
    tables = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)).manifest.tables
    lake_of(tmp_path, [call("back", at(10), kind="page", anonymous="x")], batch=2)
    found = touched(lake, tables)
    assert found is not None
    assert persons(lake, found) == {"anonymous:a", "user:other"}
    assert laid_over(lake, found)[0].num_rows == 10


def test_a_further_link_of_a_runaway_id_touches_none_of_its_others(tmp_path: Path) -> None:
    rows = [call(f"e{n}", at(n / 100), kind="identify", user=f"{n}", anonymous="all") for n in range(5)]
    lake, view = lake_of(tmp_path, rows), View(runaway_links=3)
    tables = build(lake, "default", core(view), until=at(9), definition_version="aaaa", now=at(9)).manifest.tables
    lake_of(tmp_path, [call("e9", at(1), kind="identify", user="9", anonymous="all")], batch=2)
    found = again(lake, "default", Since(2, lake.version("default", LEDGER), tables), DEFAULT_LIMITS, OFF, view)
    assert found is not None
    assert found.gone["actors"].num_rows == 2
    assert found.made["actors"]["id"].to_pylist() == ["user:9"]


def test_after_a_tidy_the_touched_are_told_from_the_log_but_not_where_rows_went(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, FIRST)
    tables = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)).manifest.tables
    lake_of(tmp_path, [MERGE], batch=2)
    gathered(lake)
    assert len(lake.files("default", "events")) == 1
    found = touched(lake, tables)
    assert found is not None
    assert persons(lake, found) == {"anonymous:x"}
    handle = lake.open("default", "events")
    assert handle is not None
    handle.delete("event_id = 'e1'")
    assert touched(lake, tables) is None


def test_a_sweep_of_the_ledger_leaves_the_build_s_tables_to_the_questions(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [*FIRST, MERGE])
    build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9))
    append_undo(lake, ("anonymous:x", "user:1"), 1)
    forget(lake, "default", ["user:1"])
    manifest = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)).manifest
    known = identity(lake, "default", 1, manifest)
    handle = lake.open("default", LEDGER)
    assert handle is not None
    assert vacuum(handle, 0, [], full=True) == 2
    assert lake.version("default", LEDGER) != manifest.tables[LEDGER]
    assert identity(lake, "default", 1, manifest) is known
    result = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(10))
    assert (result.manifest, result.changed) == (manifest, False)


def touched(lake: Lake, tables: Mapping[str, int]) -> Identity | None:
    since = Since(lake.version("default", "events") or 0, lake.version("default", LEDGER), tables)
    return again(lake, "default", since, DEFAULT_LIMITS, OFF, DEFAULT_VIEW)


def gathered(lake: Lake) -> None:
    tidy(lake, "default", datetime.now(UTC), rules=Rules(gather=2, aged=timedelta(0)))


def append_undo(lake: Lake, pair: Pair, number: int) -> bool:
    return append_row(lake, undo(f"u{number}", at(5), *pair), number)


def append_row(lake: Lake, row: Row, number: int) -> bool:
    rows = pa.Table.from_pylist([row], ID_LINKS)
    return lake.append("default", LEDGER, rows, writer="undos", batch=number, partition=None)
