"""The record of runs, and the leases that keep two processes from one project: ``work.sqlite``.

A run is written when it begins and completed when it ends. A lease is a row that lapses: it is renewed while a job runs,
so a process that dies gives it up within LEASE. Its run stays 'running' in the record, which counts as not having run.
Times are stored as ISO 8601 in UTC.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from transforms.errors import Busy

_LOG: Final = logging.getLogger(__name__)
LEASE: Final = timedelta(seconds=60)
_KEPT: Final = timedelta(days=90)

Clock = Callable[[], datetime]
Status = Literal["running", "done", "unchanged", "failed"]

_SCHEMA: Final = """
create table if not exists runs (
    id integer primary key, job text not null, project text not null, started text not null, seconds real not null,
    status text not null, from_versions text not null, to_versions text not null, rows integer not null, error text
);
create index if not exists runs_by_project on runs (project, id);
create table if not exists leases (project text primary key, holder text not null, until text not null);
"""


@dataclass(frozen=True)
class Run:
    """One run of a job: 'unchanged' if it ended well and wrote no table. Versions are those of the manifests."""

    job: str
    project: str
    started: datetime
    seconds: float = 0.0
    status: Status = "running"
    from_versions: Mapping[str, int] = field(default_factory=dict)
    to_versions: Mapping[str, int] = field(default_factory=dict)
    rows: int = 0
    error: str | None = None


def runs(path: Path, project: str, limit: int) -> list[Run]:
    """The newest runs of a project, newest first; none where nothing has run yet."""
    if not path.exists():
        return []
    with _open(path) as database:
        found = database.execute("select * from runs where project = ? order by id desc limit ?", (project, limit))
        return [_run(row) for row in found]


def latest(path: Path, project: str, job: str) -> Run | None:
    """The newest run of a job that ended, well or not."""
    with _open(path) as database:
        statement = "select * from runs where project = ? and job = ? and status <> 'running' order by id desc limit 1"
        row = database.execute(statement, (project, job)).fetchone()
        return None if row is None else _run(row)


def withdraw(path: Path, names: Callable[[str], bool]) -> int:
    """Blanks the errors that ``names`` picks, so that no page of the file holds their text; returns how many."""
    if not path.exists():
        return 0
    with _open(path) as database:
        database.execute("pragma secure_delete = on")
        rows = database.execute("select id, error from runs where error is not null").fetchall()
        chosen = [(number,) for number, error in rows if names(error)]
        database.executemany("update runs set error = 'withdrawn: it named a person who was forgotten' where id = ?", chosen)
    with closing(sqlite3.connect(path, timeout=30)) as database:
        database.execute("vacuum")
    return len(chosen)


def begin(path: Path, run: Run) -> int:
    """Records that a run has begun; returns its number. Runs of the job that are older than three months are forgotten."""
    with _open(path) as database:
        long_ago = (run.started - _KEPT).isoformat()
        database.execute("delete from runs where project = ? and job = ? and started < ?", (run.project, run.job, long_ago))
        return int(database.execute(f"insert into runs values ({', '.join('?' * 10)})", (None, *_row(run))).lastrowid or 0)


def finish(path: Path, number: int, run: Run) -> None:
    """Records how run ``number`` ended."""
    with _open(path) as database:
        database.execute(f"replace into runs values ({', '.join('?' * 10)})", (number, *_row(run)))


@contextmanager
def lease(path: Path, project: str, clock: Clock) -> Iterator[None]:
    """Holds the project's lease, renewing it from a thread. Raises ``Busy`` while another holds it."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
    _take(path, project, holder, clock())
    stop = threading.Event()
    renewal = threading.Thread(target=_renew, args=(path, project, holder, clock, stop), daemon=True)
    renewal.start()
    try:
        yield
    finally:
        stop.set()
        renewal.join()
        with _open(path) as database:
            database.execute("delete from leases where project = ? and holder = ?", (project, holder))


def _take(path: Path, project: str, holder: str, now: datetime) -> None:
    with _open(path) as database:
        database.execute("begin immediate")
        row = database.execute("select holder, until from leases where project = ?", (project,)).fetchone()
        if row is not None and datetime.fromisoformat(row[1]) > now:
            raise Busy(project, row[0])
        database.execute("replace into leases values (?, ?, ?)", (project, holder, (now + LEASE).isoformat()))


def _renew(path: Path, project: str, holder: str, clock: Clock, stop: threading.Event) -> None:
    while not stop.wait(LEASE.total_seconds() / 4):
        try:
            with _open(path) as database:
                until = (clock() + LEASE).isoformat()
                database.execute("update leases set until = ? where project = ? and holder = ?", (until, project, holder))
        except sqlite3.OperationalError as error:  # locked for long, or the disk full: before it lapses there are others
            _LOG.warning(
                "a lease could not be renewed, which is tried again", extra={"project": project, "error": str(error)}
            )


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=30)) as database:
        database.executescript(_SCHEMA)
        with database:
            yield database


def _row(run: Run) -> tuple[object, ...]:
    versions = json.dumps(dict(run.from_versions)), json.dumps(dict(run.to_versions))
    return run.job, run.project, run.started.isoformat(), run.seconds, run.status, *versions, run.rows, run.error


def _run(row: tuple[int, str, str, str, float, Status, str, str, int, str | None]) -> Run:
    _, job, project, started, seconds, status, before, after, rows, error = row
    moment = datetime.fromisoformat(started)
    return Run(job, project, moment, seconds, status, json.loads(before), json.loads(after), rows, error)
