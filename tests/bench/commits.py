"""Commits for years: append, open and scan times over many commits with tidy on, which must stay flat.

``python -m tests.bench.commits --commits 50000`` (``make bench-commits``) appends small batches to two months as the flush
does, runs tidy as the schedule does (after every 120 commits, two minutes of a busy flush), and prints a line for every
twentieth of the way. Hours of real time pass in minutes, so what is kept for readers is kept for ``--safe`` seconds here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from ingest.event import EVENTS
from ingest.lake import Lake
from transforms.engine import Engine
from transforms.layout import Rules
from transforms.tidy import keep_house, tidy

PROJECT: Final = "default"
_EVERY: Final = 120  # commits between two runs of tidy
_HOUSE: Final = 1_000  # commits between two clean-ups
_ROWS: Final = 20  # events of a commit
_NAMES: Final = [f"Event {number}" for number in range(20)]


class Cost(NamedTuple):
    """Milliseconds: by the clock, and of processor time, which a busy machine does not stretch."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.1f} ({self.processor:.1f})"


@dataclass(frozen=True)
class Point:
    """Medians since the last point (append), and of five looks now (open, scan)."""

    commits: int
    append: Cost
    open: Cost
    scan: Cost
    tidy_share: float  # of the time, that tidy took
    files: int  # of the table
    on_disk: int
    log: int  # files of the table's log


def curve(folder: Path, count: int, points: int = 20, safe: timedelta = timedelta(0)) -> Iterator[Point]:
    """Appends ``count`` commits; checks at every point that the table has each row once."""
    lake, random = Lake(str(folder)), np.random.default_rng(1)
    appends: list[Cost] = []
    tidying, since = 0.0, time.perf_counter()
    for number in range(1, count + 1):
        rows = _batch(random, number)
        spent = _spending()
        lake.append(PROJECT, "events", rows, writer="log:bench", batch=number, partition="month")
        appends.append(spent())
        if number % _EVERY == 0:
            began = time.perf_counter()
            tidy(lake, PROJECT, datetime.now(UTC), rules=Rules())
            tidying += time.perf_counter() - began
        if number % _HOUSE == 0:
            began = time.perf_counter()
            keep_house(lake, PROJECT, "events", datetime.now(UTC), safe=safe)
            tidying += time.perf_counter() - began
        if number % max(count // points, 1) == 0:
            share = tidying / (time.perf_counter() - since)
            yield _point(lake, folder, number, _median(appends), share)
            appends, tidying, since = [], 0.0, time.perf_counter()


def _point(lake: Lake, folder: Path, number: int, append: Cost, share: float) -> Point:
    opens, scans, files = [], [], 0
    for _ in range(5):
        spent = _spending()
        version = lake.version(PROJECT, "events")
        opens.append(spent())
        files = len(lake.files(PROJECT, "events", version))
        spent = _spending()
        with Engine(lake, PROJECT, {"events": version}) as engine:
            [found] = engine.table("select count(*) as rows, count(distinct actor_id) from events").to_pylist()
        scans.append(spent())
        assert found["rows"] == number * _ROWS, f"{found['rows']} rows after {number} commits of {_ROWS}"
    table = folder / PROJECT / "events"
    on_disk, log = sum(1 for _ in table.rglob("month=*/*.parquet")), sum(1 for _ in (table / "_delta_log").iterdir())
    return Point(number, append, _median(opens), _median(scans), share, files, on_disk, log)


def _spending() -> Callable[[], Cost]:
    """What was spent since, by this process, whenever it is asked."""
    clock, processor = time.perf_counter(), time.process_time()
    return lambda: Cost(1000 * (time.perf_counter() - clock), 1000 * (time.process_time() - processor))


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(median(cost.clock for cost in costs), median(cost.processor for cost in costs))


def _batch(random: np.random.Generator, number: int) -> pa.Table:
    """Events of now, a few of them of the month before."""
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=number)
    times = [at - timedelta(days=15 if spread < 1 else 0, seconds=int(spread)) for spread in random.integers(0, 20, _ROWS)]
    actors = random.integers(0, 5_000, _ROWS)
    given = {
        "event_id": [f"{number}-{row}" for row in range(_ROWS)],
        "kind": ["track"] * _ROWS,
        "event": [_NAMES[name] for name in random.integers(0, len(_NAMES), _ROWS)],
        "time": times,
        "received_at": [at] * _ROWS,
        "user_id": [str(actor) for actor in actors],
        "actor_id": actors.tolist(),
        "source": ["bench"] * _ROWS,
        "bot": [False] * _ROWS,
        "properties": ['{"plan": "free", "minutes": 12}'] * _ROWS,
        "context": ["{}"] * _ROWS,
        "log": ["bench"] * _ROWS,
        "log_offset": list(range(number << 24, (number << 24) + _ROWS)),
        "month": [f"{moment:%Y-%m}" for moment in times],
    }
    return pa.table({field.name: given.get(field.name, [None] * _ROWS) for field in EVENTS}, schema=EVENTS)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-commits", description=__doc__)
    parser.add_argument("--commits", type=int, default=50_000)
    parser.add_argument("--points", type=int, default=20, help="lines of the table")
    parser.add_argument("--safe", type=int, default=60, help="seconds that old versions stay readable")
    options = parser.parse_args()
    print("In milliseconds by the clock (and of processor time):\n")
    print("| commits | append ms | open ms | scan ms | tidy's share | files | on disk | in the log |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
        for point in curve(Path(folder), options.commits, options.points, timedelta(seconds=options.safe)):
            times = f"{point.append} | {point.open} | {point.scan} | {point.tidy_share:.0%}"
            print(f"| {point.commits:,} | {times} | {point.files} | {point.on_disk:,} | {point.log:,} |", flush=True)
    sys.exit(0)


if __name__ == "__main__":
    main()
