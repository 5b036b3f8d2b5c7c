"""Which past numbers a build moves, and why; what follows from it, told by the command."""

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from api.commands.changes import lines
from ingest.lake import Lake
from tests.funnels.world import built as of_definitions
from tests.funnels.world import definitions_of
from tests.transforms.world import Row, at, call, lake_of
from transforms import days
from transforms.build import build
from transforms.changes import since, why
from transforms.core import core
from transforms.retention import expire
from transforms.tables import CHANGES
from transforms.undo import Hand, redo, undo

EVENTS: list[Row] = [
    call("e0", at(0, 5), user="2"),
    call("e1", at(0), user="1"),
    call("e2", at(1), kind="group", user="1", account_id="a"),
    call("e3", at(2), user="2"),
    call("e4", at(40), user="2"),
]


def built(lake: Lake, until: datetime, zone: str = "UTC", definitions: str = "v3") -> None:
    models = core(zone=zone) + days.models(zone)
    build(lake, "default", models, until=until, definition_version=definitions, now=until)


def moved(lake: Lake, from_moment: datetime) -> list[tuple[Any, ...]]:
    rows = since(lake, "default", from_moment)
    return [(row["number"], row["day"], row["before"], row["after"], ", ".join(why(row))) for row in rows]


def test_the_first_build_and_one_of_new_days_move_nothing(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS[:4])
    assert moved(lake, at(0)) == []
    built(lake, at(3))
    lake_of(tmp_path, EVENTS[4:], batch=2)
    built(lake, at(41))
    assert moved(lake, at(0)) == []


def test_a_late_event_is_told_with_the_numbers_of_its_day(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    built(lake, at(41))
    lake_of(tmp_path, [call("late", at(1, 5), user="2"), call("later", at(1, 6), user="2")], batch=2)
    built(lake, at(42))
    day = date(2026, 3, 3)
    assert moved(lake, at(42)) == [
        ("active people", day, 1, 2, "2 late events"),
        ("events", day, 1, 3, "2 late events"),
        ("sessions", day, 1, 2, "2 late events"),
    ]
    assert moved(lake, at(43)) == []


def test_a_merge_and_its_undo_are_told_by_the_people_whose_ids_changed_hands(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    built(lake, at(41))
    lake_of(tmp_path, [call("m", at(41, 5), kind="alias", user="1", previous_id="2")], batch=2)
    built(lake, at(42))
    merged = [row for row in moved(lake, at(0)) if row[1] == date(2026, 3, 2)]
    assert merged == [
        ("active people", date(2026, 3, 2), 2, 1, "1 merge"),
        ("new people", date(2026, 3, 2), 2, 1, "1 merge"),
        ("sessions", date(2026, 3, 2), 2, 1, "1 merge"),
    ]
    undo(lake, "default", "m", Hand("me", "a mistake", at(43)))
    built(lake, at(44))
    why_parted = "1 merge undone"
    parted = [(row[0], *row[2:]) for row in moved(lake, at(44)) if row[1] == date(2026, 3, 2)]
    assert parted == [(name, 1, 2, why_parted) for name in ("active people", "new people", "sessions")]
    redo(lake, "default", "m", Hand("me", "it was right", at(45)))
    built(lake, at(46))
    assert {row[4] for row in moved(lake, at(46))} == {"1 merge"}


def test_events_that_were_taken_out_and_a_changed_zone_are_told(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    built(lake, at(41))
    expire(lake, "default", at(0.5))
    built(lake, at(42))
    gone = [row for row in moved(lake, at(0)) if row[0] == "events"]
    assert gone == [("events", date(2026, 3, 2), 2, 0, "2 events removed")]
    built(lake, at(43), zone="America/Los_Angeles")
    shifted = [row for row in moved(lake, at(43)) if row[0] == "events"]
    assert ("events", date(2026, 3, 2), 0, 1, "the table was made anew") in shifted
    assert sum(row[3] - row[2] for row in shifted) == 0


def test_the_command_says_it_build_by_build(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    built(lake, at(41))
    lake_of(tmp_path, [call("late", at(2, 5), user="2")], batch=2)
    built(lake, at(42, 60), definitions="v4")
    assert lines(since(lake, "default", at(0)), ZoneInfo("Europe/Berlin")) == [
        "Build 2 of 2026-04-13 03:00:",
        "  2026-03-04  events: 1 -> 2  (1 late event)",  # which no definition moves
    ]


BUSY = """[stages.registered.person]
any = [{{ event = "Task Completed", times = {times} }}]
"""
FUNNEL = "[funnels.plg]\nsteps = ['registered']\nwindow = '90d'\n"


def test_a_changed_definition_is_told_with_the_numbers_that_it_moves_and_with_no_other(tmp_path: Path) -> None:
    worked = [call(f"w{n}", at(n), event="Task Completed", user="1") for n in (1, 2)]
    once, twice = (definitions_of(tmp_path, stages=BUSY.format(times=n), funnels=FUNNEL) for n in (1, 2))
    lake, _ = of_definitions(tmp_path, worked, once, until=at(9))
    # A table of an older release, which knew neither merges nor undos.
    older = pa.schema([field for field in CHANGES if field.name not in ("merges", "undos")])
    lake.append("default", "changes", older.empty_table(), writer="older", batch=1, partition=None)
    of_definitions(tmp_path, [call("late", at(3), event="Task Completed", user="2")], twice, until=at(10), batch=2)
    definition = f"definition {once.version} -> {twice.version}"
    assert [row for row in moved(lake, at(0)) if row[0] != "active people" and row[0] != "sessions"] == [
        ("entered registered (person)", date(2026, 3, 3), 1, 0, definition),
        ("entered registered (person)", date(2026, 3, 4), 0, 1, definition),
        ("events", date(2026, 3, 5), 0, 1, "1 late event"),
        ("new people", date(2026, 3, 5), 0, 1, "1 late event"),
    ]
