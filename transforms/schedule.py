"""When jobs run. What is due is computed from the runs recorded, so an outage is caught up once and nothing is lost.

APScheduler reads the cron expressions and nothing else: its own job stores lose missed runs (tried). A cron expression is
the usual five fields in UTC; write days of the week as names (``mon-fri``), since APScheduler counts them from Monday.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from apscheduler.triggers.cron import CronTrigger

from ingest.lake import Lake
from transforms.build import BuildResult
from transforms.errors import Busy
from transforms.runs import Clock, Run, Status, begin, finish, latest, lease, runs
from transforms.sweep import sweep

__all__ = ["Job", "Run", "due", "job_table", "run", "runs", "tick", "work"]

Build = Callable[[str, datetime], BuildResult]
Step = Callable[[str, datetime], object]

_LOG: Final = logging.getLogger(__name__)
_TICK: Final = 5.0  # seconds between two looks at what is due


class Done(Protocol):
    """What a job says of its work: versions of tables before and after, rows written, whether anything changed."""

    @property
    def before(self) -> Mapping[str, int]: ...

    @property
    def after(self) -> Mapping[str, int]: ...

    @property
    def rows(self) -> int: ...

    @property
    def changed(self) -> bool: ...


@dataclass(frozen=True)
class Job:
    """``run(project, now)`` does the work; ``cron`` says when. A run is recorded unless it is not ``wanted`` then."""

    name: str
    cron: str
    run: Callable[[str, datetime], Done]
    wanted: Callable[[str, datetime], bool] = lambda project, now: True


def job_table(
    lake: Lake, build: Build, *, hourly: str, nightly: str, before: Sequence[Step] = (), after: Sequence[Step] = ()
) -> tuple[Job, ...]:
    """The jobs there are. The nightly one comes first, so that the hourly build after it finds nothing to do.

    ``before`` and ``after`` are what is done at night around the build; a fault in them is the run's.
    """

    def build_and_sweep(project: str, now: datetime) -> BuildResult:
        for step in before:
            step(project, now)
        result = build(project, now)
        sweep(lake, project, now=now)
        for step in after:
            step(project, now)
        return result

    return (Job("nightly build", nightly, build_and_sweep), Job("hourly build", hourly, build))


def due(job: str, cron: str, recorded: Sequence[Run], now: datetime) -> bool:
    """Whether a job's hour has struck since its last run that ended; a job that never ran is due at once.

    However many times were missed, one run settles them all. A failed run waits for the next hour like any other.
    """
    began = [one.started for one in recorded if one.job == job and one.status != "running"]
    if not began:
        return True
    trigger = CronTrigger.from_crontab(cron, timezone=UTC)
    struck = trigger.get_next_fire_time(None, max(began) + timedelta(microseconds=1))
    return struck is not None and struck <= now


def run(path: Path, job: Job, project: str, clock: Clock) -> Run:
    """Runs a job now and records it; a failure is recorded and returned, not raised. ``Busy`` if another one runs."""
    with lease(path, project, clock):
        started, ticking = clock(), time.perf_counter()
        number = begin(path, Run(job.name, project, started))
        try:
            result = job.run(project, started)
        except Exception as error:
            _LOG.exception("%s of project %s failed; the last good tables stay in force", job.name, project)
            reason = f"{type(error).__name__}: {error}"
            ended = Run(job.name, project, started, time.perf_counter() - ticking, "failed", error=reason)
        else:
            status: Status = "done" if result.changed else "unchanged"
            seconds = time.perf_counter() - ticking
            ended = Run(job.name, project, started, seconds, status, result.before, result.after, result.rows)
        finish(path, number, ended)
    told = {"job": job.name, "project": project, "status": ended.status, "seconds": round(ended.seconds, 3)}
    _LOG.info("a job ended", extra=told)
    return ended


def tick(path: Path, projects: Sequence[str], jobs: Sequence[Job], clock: Clock) -> list[Run]:
    """Runs every job that is due for every project, one after the other; returns what ran."""
    ran = []
    for project in projects:
        for job in jobs:
            last = latest(path, project, job.name)
            if not due(job.name, job.cron, [last] if last else [], clock()) or not job.wanted(project, clock()):
                continue
            try:
                ran.append(run(path, job, project, clock))
            except Busy as busy:
                _LOG.info("%s waits: %s", job.name, busy)
    return ran


def work(
    path: Path,
    projects: Callable[[], Sequence[str]],
    jobs: Sequence[Job],
    *,
    stop: threading.Event,
    clock: Clock,
    every: float = _TICK,
    errand: Callable[[], object] = lambda: None,
) -> None:
    """The work role: looks every few seconds at what is due and does it, until told to stop.

    ``errand`` is done at each look, before what is due.
    Where the store or the record is away, it says so and looks again later.
    """
    while not stop.is_set():
        try:
            errand()
            tick(path, projects(), jobs, clock)
        except Exception:
            _LOG.exception("could not look at what is due; looking again in %s s", every)
        stop.wait(every)
