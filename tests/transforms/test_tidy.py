"""Tidy changes files, never rows: beside appends at each of its steps, killed at any of them, for years of commits."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.event import EVENTS, REJECTED
from ingest.lake import Lake
from tests.transforms.world import at, call, lake_of, rows_of
from transforms import commits
from transforms.build import build
from transforms.core import CORE
from transforms.engine import DEFAULT_LIMITS, Engine
from transforms.layout import Rules, plan
from transforms.manifest import current
from transforms.overlay import identity
from transforms.rewrite import files_of, rewrite, swap
from transforms.runs import runs
from transforms.schedule import tick
from transforms.sweep import sweep
from transforms.tidy import _PROPERTIES, ORDER, keep_house, tidy
from transforms.tidy_job import tidy_job

RULES = Rules(gather=3, fan_in=3, aged=timedelta(days=3650), quiet=timedelta(0))
STEPS = ("planned", "written", "swapped", "vacuumed", "cleaned")
NOW = datetime.now(UTC)  # files are as old as the machine says
SAFE = timedelta(0)


class Killed(BaseException):
    """The process died here."""


class World:
    """A lake of events in two months, and the plain list of what was appended."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.lake = Lake(str(folder / "lake"))
        self.appended: list[str] = []
        self.batch = 0

    def append(self, count: int = 2) -> None:
        self.batch += 1
        rows = []
        for number in range(count):
            day, event, user = self.random.uniform(0, 40), self.random.choice("abc"), str(self.random.randrange(5))
            rows.append(call(f"{self.batch}-{number}", at(day), user=user, event=event))
            self.appended.append(f"{self.batch}-{number}")
        lake_of(self.folder, rows, self.batch)

    def tidy(self, at: Callable[[str], None] = lambda step: None) -> None:
        tidy(self.lake, "default", NOW, rules=RULES, at=at, safe=SAFE)

    def keep_house(self, at: Callable[[str], None] = lambda step: None) -> None:
        keep_house(self.lake, "default", "events", datetime.now(UTC) + timedelta(seconds=9), safe=SAFE, at=at)

    def version(self) -> int:
        return self.lake.version("default", "events") or 0

    def rows(self, version: int | None = None) -> list[str]:
        with Engine(self.lake, "default", {"events": self.version() if version is None else version}) as engine:
            return sorted(str(name) for (name,) in rows_of(engine.table("from events"), "event_id"))

    def files(self) -> list[str]:
        return self.lake.files("default", "events")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def checkpoints_of_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints come every ten commits, so that a test needs no hundreds."""
    monkeypatch.setattr("transforms.tidy._CHECKPOINT", 10)
    monkeypatch.setitem(_PROPERTIES, "delta.checkpointInterval", "10")


def test_a_table_that_does_not_exist_or_is_small_is_left_alone(world: World) -> None:
    assert not tidy(world.lake, "default", NOW, rules=RULES).changed
    world.append()
    tidied = tidy(world.lake, "default", NOW, rules=Rules())
    assert (tidied.changed, tidied.rows) == (False, 0)


def test_a_month_becomes_one_run_in_order_with_every_column_as_it_was(world: World) -> None:
    for _ in range(10):
        world.append(20)
    with Engine(world.lake, "default", {"events": world.version()}) as engine:
        before = engine.table("select * from events order by event_id")
    world.tidy()
    assert world.rows() == sorted(world.appended)
    assert [len([file for file in world.files() if month in file]) for month in ("2026-03", "2026-04")] == [1, 1]
    for file in world.files():
        stored = pq.read_table(file, partitioning=None)
        keys = list(zip(*(stored.column(name).to_pylist() for name in ORDER["events"]), strict=True))
        assert keys == sorted(keys)
        assert stored.schema.names == EVENTS.names[:-1]
    with Engine(world.lake, "default", {"events": world.version()}) as engine:
        assert engine.table("select * from events order by event_id").equals(before)


def test_large_runs_are_split_into_files_of_about_the_size_asked_for_and_groups_of_64k(world: World) -> None:
    rows = pa.Table.from_pylist([call("e", at(1), user="1")], schema=EVENTS).take(pa.array([0] * 70_000))
    names = pa.array([f"e{number}" for number in range(70_000)])
    for batch in (1, 2, 3):
        world.lake.append(
            "default", "events", rows.set_column(0, EVENTS.field(0), names), writer="t", batch=batch, partition="month"
        )
    tidy(world.lake, "default", NOW, rules=Rules(gather=3, quiet=timedelta(0), file_bytes=1))
    found = [pq.read_metadata(file) for file in sorted(world.files())]
    assert [one.num_rows for one in found] == [65_536, 65_536, 65_536, 210_000 - 3 * 65_536]
    assert [one.num_row_groups for one in found] == [1, 1, 1, 1]


def test_the_folder_s_name_may_have_blanks_and_umlauts(tmp_path: Path) -> None:
    world = World(tmp_path / "a b ü")
    for _ in range(5):
        world.append()
    world.tidy()
    world.keep_house()
    assert world.rows() == sorted(world.appended)
    assert len(world.files()) == 2


def test_tidying_again_changes_nothing(world: World) -> None:
    for _ in range(5):
        world.append()
    world.tidy()
    version = world.version()
    world.tidy()
    assert world.version() == version


def test_no_late_event_is_dropped_that_is_appended_at_any_step(world: World) -> None:
    steps: set[str] = set()

    def append(step: str) -> None:
        if len(steps) < len(STEPS) or world.batch < 40:
            world.append()
        steps.add(step)

    for _ in range(5):
        world.append()
    world.tidy(append)
    world.keep_house(append)
    assert steps == set(STEPS)
    assert world.rows() == sorted(world.appended)


@pytest.mark.parametrize("killed", STEPS)
def test_killed_at_any_step_it_leaves_a_whole_table_and_the_next_run_ends_the_work(world: World, killed: str) -> None:
    def die(step: str) -> None:
        if step == killed:
            raise Killed

    for _ in range(5):
        world.append()
    with pytest.raises(Killed):
        world.tidy(die)
        world.keep_house(die)
    assert world.rows() == sorted(world.appended)
    world.append()
    world.tidy()
    world.keep_house()
    assert world.rows() == sorted(world.appended)
    assert len(world.files()) <= 4


def test_two_tidies_at_once_leave_every_row_once(world: World) -> None:
    for _ in range(5):
        world.append()
    handle = world.lake.open("default", "events")
    assert handle is not None
    [merge, *_] = plan(files_of(handle), RULES, NOW)
    one, other = (rewrite(world.lake, handle, merge, ORDER["events"], 1 << 20, DEFAULT_LIMITS) for _ in range(2))
    assert swap(world.lake, "default", "events", merge, one) is not None
    assert swap(world.lake, "default", "events", merge, other) is None
    assert swap(world.lake, "default", "events", merge, one) is not None  # it had gone through, though it seemed to fail
    assert world.rows() == sorted(world.appended)


def test_a_busy_flush_neither_starves_it_nor_loses_a_row(world: World) -> None:
    stop = threading.Event()

    def flush() -> None:
        while not stop.is_set():
            world.append()

    world.append()
    flushing = threading.Thread(target=flush)
    flushing.start()
    try:
        while world.batch < 30:
            world.tidy()
    finally:
        stop.set()
        flushing.join()
    world.tidy()
    assert world.rows() == sorted(world.appended)
    assert len(world.files()) < 12


@pytest.mark.parametrize("seed", range(3))
def test_random_appends_tidies_and_crashes_keep_the_plain_list_of_rows(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed)
    chance = world.random

    def unruly(step: str) -> None:
        if chance.random() < 0.3:
            world.append(1)
        if chance.random() < 0.15:
            raise Killed

    for _ in range(25):
        world.append(chance.randrange(1, 4))
        act = chance.choice([world.tidy, world.keep_house, None])
        if act is not None:
            with suppress(Killed):
                act(unruly)
        assert world.rows() == sorted(world.appended)


def test_the_flush_s_batches_are_known_after_checkpoints_and_clean_up(world: World, checkpoints_of_ten: None) -> None:
    silent = pa.Table.from_pylist([call("silent", at(1), user="1")], schema=EVENTS)
    world.lake.append("default", "events", silent, writer="log:silent", batch=7, partition="month")
    world.appended.append("silent")
    world.tidy()
    for _ in range(15):
        world.append(1)
    world.tidy()
    world.keep_house()
    found = commits.log(world.lake, "default", "events")
    assert min(found.checkpoints) >= 10 <= min(found.commits)
    assert not world.lake.append("default", "events", silent, writer="log:silent", batch=7, partition="month")
    assert not world.lake.append("default", "events", silent, writer="test", batch=world.batch, partition="month")
    assert world.rows() == sorted(world.appended)
    (world.folder / "lake/default/events/_delta_log/_last_checkpoint").unlink()  # a hint that may be missing
    assert not world.lake.append("default", "events", silent, writer="log:silent", batch=7, partition="month")
    assert world.rows() == sorted(world.appended)


def test_versions_that_a_manifest_names_stay_readable_and_the_rest_goes(world: World, checkpoints_of_ten: None) -> None:
    world.append()
    world.tidy()
    build(world.lake, "default", CORE, until=at(50), definition_version="aaaa", now=NOW)
    old, then = world.version(), sorted(world.appended)
    for _ in range(32):
        world.append(1)
    world.tidy()
    build(world.lake, "default", CORE, until=at(50), definition_version="aaaa", now=NOW)
    newer = world.version()
    for _ in range(12):
        world.append(1)
    world.tidy()
    world.keep_house()
    found = commits.log(world.lake, "default", "events")
    assert world.rows(old) == then
    assert len(world.rows(newer)) == 34
    assert world.rows() == sorted(world.appended)
    assert set(found.commits).isdisjoint(range(old + 1, 20))


def test_vacuum_takes_what_a_killed_tidy_left_and_nothing_that_is_read(world: World) -> None:
    for _ in range(5):
        world.append()
    with pytest.raises(Killed):
        world.tidy(lambda step: die_at("written", step))
    on_disk = set((world.folder / "lake").rglob("run-*.parquet"))
    assert len(on_disk) == 1
    world.tidy()
    sweep(world.lake, "default", now=NOW)
    assert on_disk <= set((world.folder / "lake").rglob("run-*.parquet"))  # it may be about to be committed
    for file in (world.folder / "lake").rglob("*.parquet"):
        os.utime(file, (0, 0))
    sweep(world.lake, "default", now=NOW)
    assert not on_disk & set((world.folder / "lake").rglob("run-*.parquet"))
    assert world.rows() == sorted(world.appended)


def test_files_that_no_reader_can_ask_for_are_gone_with_their_commits(world: World, checkpoints_of_ten: None) -> None:
    world.append()
    world.tidy()
    for _ in range(30):
        world.append()
    world.tidy()
    assert len(list((world.folder / "lake").rglob("month=*/*.parquet"))) > 30
    for _ in range(12):
        world.append()
    world.keep_house()
    on_disk = {str(file) for file in (world.folder / "lake").rglob("month=*/*.parquet")}
    assert set(world.files()) <= on_disk and len(on_disk) < len(world.files()) + 5
    assert world.rows() == sorted(world.appended)


def die_at(where: str, step: str) -> None:
    if step == where:
        raise Killed


def test_rows_are_the_same_after_tidying_and_not_after_an_append(world: World) -> None:
    for _ in range(5):
        world.append()
    before = world.version()
    world.tidy()
    world.keep_house()
    assert world.version() > before
    assert commits.same_rows(world.lake, "default", "events", before, world.version())
    world.append()
    assert not commits.same_rows(world.lake, "default", "events", before, world.version())
    assert not commits.same_rows(world.lake, "default", "events", None, world.version())
    assert not commits.same_rows(world.lake, "default", "events", world.version(), before)


def test_a_build_after_a_tidy_alone_changes_nothing_and_questions_read_the_built_tables(world: World) -> None:
    for _ in range(5):
        world.append()
    first = build(world.lake, "default", CORE, until=at(50), definition_version="aaaa", now=NOW)
    known = identity(world.lake, "default", world.version(), first.manifest)
    world.tidy()
    assert world.version() > first.manifest.tables["events"]
    assert identity(world.lake, "default", world.version(), first.manifest) is known
    second = build(world.lake, "default", CORE, until=at(50), definition_version="aaaa", now=NOW)
    assert second.manifest == first.manifest == current(world.lake, "default")
    assert not second.changed


def test_rejected_events_are_gathered_too(world: World) -> None:
    for batch in range(1, 5):
        row = dict.fromkeys(REJECTED.names, "x") | {
            "received_at": at(batch),
            "raw": b"\xff",
            "log_offset": batch,
            "month": "2026-03",
        }
        rows = pa.Table.from_pylist([row], schema=REJECTED)
        world.lake.append("default", "rejected", rows, writer="log:a", batch=batch, partition="month")
    world.tidy()
    assert len(world.lake.files("default", "rejected")) == 1
    with Engine(world.lake, "default", {"rejected": world.lake.version("default", "rejected")}) as engine:
        found = engine.table("select received_at, raw from rejected")
    assert rows_of(found, "raw") == [(b"\xff",)] * 4
    assert [row["received_at"] for row in found.to_pylist()] == [at(batch) for batch in range(1, 5)]


def test_a_lake_behind_a_url_is_tidied_the_same(tmp_path: Path) -> None:
    world = World(tmp_path)
    for _ in range(5):
        world.append()
    remote = Lake(f"file://{world.lake.root}")
    assert tidy(remote, "default", NOW, rules=RULES, safe=SAFE).changed
    keep_house(remote, "default", "events", datetime.now(UTC) + timedelta(seconds=9), safe=SAFE)
    assert world.rows() == sorted(world.appended)
    assert len(world.files()) == 2


def test_polars_reads_a_tidied_table(world: World) -> None:
    for _ in range(5):
        world.append()
    world.tidy()
    frame = pl.scan_delta(world.lake.uri("default", "events")).filter(pl.col("event") == "a").select("event_id").collect()
    with Engine(world.lake, "default", {"events": world.version()}) as engine:
        expected = rows_of(engine.table("select event_id from events where event = 'a'"), "event_id")
    assert sorted(frame["event_id"].to_list()) == sorted(str(name) for (name,) in expected)


def test_the_job_is_recorded_when_it_did_something_and_looks_once_each_time(world: World, tmp_path: Path) -> None:
    job = tidy_job(world.lake, "*/2 * * * *", RULES, DEFAULT_LIMITS)
    path, clock = tmp_path / "work.sqlite", [NOW.replace(minute=0, second=1)]
    world.append()

    def ran(minutes: float) -> list[str]:
        clock[0] += timedelta(minutes=minutes)
        return [run.status for run in tick(path, ["default"], [job], lambda: clock[0])]

    assert ran(0) == []
    for _ in range(4):
        world.append()
    assert ran(0.1) == []
    assert ran(2) == ["done"]
    assert ran(2) == []
    [run] = runs(path, "default", 10)
    assert (run.job, run.rows, run.from_versions["events"] < run.to_versions["events"]) == ("tidy", 10, True)
