"""What is due follows from the runs recorded; a run is recorded however it ends; one project runs one job at a time."""

import sqlite3
import threading
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ingest.lake import Lake
from tests.patience import PATIENCE, eventually
from tests.transforms.world import at, call, lake_of
from transforms import runs as record
from transforms.build import BuildResult, build
from transforms.core import CORE
from transforms.errors import Busy
from transforms.runs import Run, runs
from transforms.schedule import Job, due, job_table, run, tick, work

HOURLY, NIGHTLY = "0 * * * *", "30 3 * * *"


def ended(minutes: float, **fields: object) -> Run:
    return Run("build", "default", at(minutes=minutes), **({"status": "done"} | fields))  # type: ignore[arg-type]


class World:
    """A lake with one event, a clock that a test sets, and a build that counts its calls."""

    def __init__(self, folder: Path) -> None:
        self.lake: Lake = lake_of(folder, [call("e1", at(), user="1")])
        self.path = folder / "work.sqlite"
        self.now = at(minutes=10)
        self.built: list[tuple[str, datetime]] = []
        self.fault: Exception | None = None
        self.jobs = job_table(self.lake, self.build, hourly=HOURLY, nightly=NIGHTLY)

    def clock(self) -> datetime:
        return self.now

    def build(self, project: str, now: datetime) -> BuildResult:
        self.built.append((project, now))
        if self.fault:
            raise self.fault
        return build(self.lake, project, CORE, until=now, definition_version="aaaa", now=now)

    def tick(self, minutes: float) -> list[str]:
        self.now = at(minutes=minutes)
        return [f"{one.job}: {one.status}" for one in tick(self.path, ["default"], self.jobs, self.clock)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_job_that_never_ran_is_due_at_once() -> None:
    assert due("build", HOURLY, [], at(minutes=1))


def test_a_job_is_due_when_its_hour_has_struck_since_its_last_run() -> None:
    assert not due("build", HOURLY, [ended(0)], at(minutes=59))
    assert due("build", HOURLY, [ended(0)], at(minutes=60))
    assert due("build", HOURLY, [ended(59)], at(minutes=60))
    assert not due("build", HOURLY, [ended(60)], at(minutes=60))
    assert not due("build", NIGHTLY, [ended(minutes=210)], at(1, 209))
    assert due("build", NIGHTLY, [ended(minutes=210)], at(1, 210))


def test_an_outage_of_days_is_caught_up_once() -> None:
    assert due("build", HOURLY, [ended(0)], at(9))
    assert not due("build", HOURLY, [ended(0), ended(9 * 24 * 60)], at(9, 30))


def test_runs_of_other_jobs_and_runs_that_never_ended_do_not_count() -> None:
    other = Run("other", "default", at(minutes=60), status="done")
    assert due("build", HOURLY, [other], at(minutes=61))
    assert due("build", HOURLY, [ended(0), ended(60, status="running")], at(minutes=61))


def test_a_failed_run_waits_for_the_next_hour() -> None:
    assert not due("build", HOURLY, [ended(60, status="failed")], at(minutes=90))
    assert due("build", HOURLY, [ended(60, status="failed")], at(minutes=120))


def test_the_job_table_runs_hourly_and_nightly(world: World) -> None:
    assert world.tick(10) == ["nightly build: done", "hourly build: unchanged"]
    assert world.tick(59) == []
    assert world.tick(60) == ["hourly build: unchanged"]
    assert world.tick(210) == ["nightly build: unchanged", "hourly build: unchanged"]
    assert world.tick(3 * 24 * 60) == ["nightly build: unchanged", "hourly build: unchanged"]
    assert world.tick(3 * 24 * 60 + 1) == []


def test_a_run_is_recorded_with_its_versions_and_rows(world: World) -> None:
    world.tick(10)
    second, first = runs(world.path, "default", 10)
    core = (
        "seen_ids",
        "actors",
        "memberships",
        "sole_memberships",
        "sessions",
        "people",
        "account_people",
        "activity",
        "accounts",
        "runaway_ids",
    )
    tables = dict.fromkeys(("events", *core), 1)
    assert (first.job, first.started, first.status, first.rows, first.error) == (
        "nightly build",
        at(minutes=10),
        "done",
        5,
        None,
    )
    assert (first.from_versions, first.to_versions) == ({}, tables)
    assert (second.from_versions, second.to_versions) == (tables, tables)
    assert 0 < first.seconds < PATIENCE


def test_a_failure_is_recorded_with_its_error_and_the_next_hour_tries_again(world: World) -> None:
    world.fault = OSError("no space left")
    assert world.tick(10) == ["nightly build: failed", "hourly build: failed"]
    assert runs(world.path, "default", 1)[0].error == "OSError: no space left"
    world.fault = None
    assert world.tick(60) == ["hourly build: done"]


def test_runs_are_the_newest_first_and_of_one_project(world: World) -> None:
    assert runs(world.path, "default", 5) == []
    for minute in (10, 60, 120, 180):
        world.tick(minute)
    assert [one.started for one in runs(world.path, "default", 2)] == [at(minutes=180), at(minutes=120)]
    assert runs(world.path, "other", 5) == []


def test_while_one_process_runs_a_job_another_leaves_the_project_alone(world: World) -> None:
    with record.lease(world.path, "default", world.clock):
        with pytest.raises(Busy, match=r"a job of project 'default' is running in .*; try again when it has finished"):
            run(world.path, Job("build", HOURLY, world.build), "default", world.clock)
        assert world.tick(10) == []
        assert run(world.path, Job("build", HOURLY, world.build), "other", world.clock).status == "done"
    assert world.tick(20) == ["nightly build: done", "hourly build: unchanged"]


def test_of_many_at_one_instant_one_gets_the_lease(world: World) -> None:
    start = threading.Barrier(8)
    got: list[int] = []
    busy: list[int] = []

    def take() -> None:
        start.wait()
        try:
            with record.lease(world.path, "default", world.clock):
                got.append(1)
                while len(got) + len(busy) < 8:
                    threading.Event().wait(0.01)
        except Busy:
            busy.append(1)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(busy)) == (1, 7)


def test_the_lease_of_a_process_that_died_lapses_and_its_run_is_due_again(world: World) -> None:
    record.begin(world.path, Run("hourly build", "default", at(minutes=10)))
    with closing(sqlite3.connect(world.path)) as database, database:
        database.execute(
            "insert into leases values ('default', 'dead:1:1', ?)", ((at(minutes=10) + record.LEASE).isoformat(),)
        )
    assert world.tick(10) == []
    assert world.tick(11) == ["nightly build: done", "hourly build: unchanged"]


def test_a_lease_is_renewed_while_its_job_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "LEASE", timedelta(seconds=0.2))
    with record.lease(world.path, "default", world.clock):
        world.now = at(minutes=30)
        eventually(lambda: lasts_until(world.path) > world.now, "it is renewed")
        with pytest.raises(Busy), record.lease(world.path, "default", world.clock):
            pass


def test_a_renewal_that_fails_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(record, "LEASE", timedelta(seconds=0.2))
    real = record._open

    def locked(path: Path) -> AbstractContextManager[sqlite3.Connection]:
        if not caplog.records:
            raise sqlite3.OperationalError("database is locked")
        return real(path)

    with record.lease(world.path, "default", world.clock):
        world.now = at(minutes=30)
        monkeypatch.setattr(record, "_open", locked)
        eventually(lambda: lasts_until(world.path) > world.now, "it is renewed")
    assert "could not be renewed" in caplog.text


def lasts_until(path: Path) -> datetime:
    with closing(sqlite3.connect(path)) as database:
        [(until,)] = database.execute("select until from leases")
    return datetime.fromisoformat(until)


def test_the_work_role_runs_what_is_due_until_told_to_stop(world: World) -> None:
    stop = threading.Event()

    def projects() -> list[str]:
        if world.built:
            stop.set()
        return ["default"]

    work(world.path, projects, world.jobs, stop=stop, clock=world.clock, every=0.01)
    assert world.built == [("default", at(minutes=10)), ("default", at(minutes=10))]


def test_the_work_role_outlives_a_store_that_is_away(world: World, caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()

    def projects() -> list[str]:
        if caplog.records:
            stop.set()
        raise OSError("the store is away")

    work(world.path, projects, world.jobs, stop=stop, clock=world.clock, every=0.01)
    assert "could not look at what is due" in caplog.text
