"""Builds and repairs over a year: ``python -m tests.bench.lake --events 1000000,10000000`` (``make bench-lake``).

Per size: a lake of ``year``, then one after the other a whole build, a build of nothing new, of one more day, of one late
event (half a year old), of a merge of two people and of its undo, tidy of that day, and the look-up of copies. Each runs in
a process of its own, whose seconds and greatest resident memory are told, through the functions that ``jcurve`` runs.

The yardstick is the plain scan: DuckDB reads the columns that a build reads, with a build's threads and memory, and groups
them by person's id, once. A build does that and everything else besides.

A step that fails says so in its place, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.figure import machine, put_into

if TYPE_CHECKING:
    import pyarrow as pa

    from api.settings import Settings
    from ingest.lake import Lake

README: Final = Path(__file__).parents[2] / "README.md"
_COMMAND: Final = (sys.executable, "-m", "tests.bench.lake")
PROJECT: Final = "default"
NOW: Final = datetime(2026, 3, 16, 6, tzinfo=UTC)
COMMITS: Final = 144  # of one more day: the flush's of every ten minutes
BY: Final = "bench"
MERGE: Final = "bench-merge"
PREPARED: Final = ("day", "late", "merge")  # steps that need something new in the lake
_READ: Final = (  # columns of text that a build reads
    "event_id", "kind", "event", "anonymous_id", "user_id", "previous_id", "account_id", "source",
    "page_url", "page_path", "page_referrer", "utm_source", "utm_medium", "properties",
)  # fmt: skip
_ADHOC: Final = {
    "steps": [
        {"event": "Signed Up"},
        {"event": "Project Created", "within": "7d"},
        {"event": "Task Completed", "where": [{"property": "properties.minutes", "op": "gt", "value": 60}]},
    ],
    "from": "2025-12-01",
    "to": "2026-03-01",
    "window": "30d",
}


@dataclass(frozen=True)
class Step:
    """A measurement: what readers call it, and its aim: seconds at most, of which the whole build's share is a part."""

    name: str
    title: str
    most: float | None = None
    share: float = 0.0


STEPS: Final = (
    Step("scan", "plain scan of what a build reads, grouped by id"),
    Step("whole", "whole build"),
    Step("nothing", "build of nothing new"),
    Step("day", "build of one more day", 5, 0.01),
    Step("late", "build of one late event", 5),
    Step("merge", "build of one merge", 5),
    Step("undo", "its undo, until the next ad-hoc answer"),
    Step("undone", "build of its undo", 5),
    Step("tidy", "tidy of that day"),
    Step("tidied", "build after tidy"),
    Step("copy", "look-up of 1 late event's copies"),
    Step("copies", "look-up of 1,000 late events' copies, of 3 months"),
)


@dataclass(frozen=True)
class Found:
    """``processor``: seconds of it, which a busy machine does not stretch. ``fault``: why there are no seconds."""

    seconds: float = 0.0
    processor: float = 0.0
    megabytes: float = 0.0
    fault: str = ""


def curve(data: Path, patience: float, told: Callable[[Step, Found], None]) -> dict[str, Found]:
    """Every step over the lake in the data folder ``data``, which they change."""
    found = {}
    for step in STEPS:
        if step.name in PREPARED:
            subprocess.run([*_COMMAND, "--prepare", step.name, str(data)], check=True)
        found[step.name] = _apart(step.name, data, patience)
        told(step, found[step.name])
    return found


def _apart(step: str, data: Path, patience: float) -> Found:
    command = [*_COMMAND, "--step", step, str(data)]
    try:
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        return Found(fault=f"not in {patience:.0f} s")
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [""])[-1]
        return Found(fault=last.split(":", 1)[0] if error.returncode > 0 else f"killed by signal {-error.returncode}")
    return Found(**json.loads(told.stdout.splitlines()[-1]))


def run(step: str, data: Path) -> Found:
    """One step in this process."""
    from api.building import builder, tidier
    from api.settings import Settings
    from ingest.lake import Lake

    settings = Settings(data=data)
    lake = Lake(settings.lake_root)
    build = builder(settings, lake)
    tidy = tidier(settings, lake)
    versions, now = _versions(lake), NOW if step in ("whole", "nothing") else NOW + timedelta(days=1)
    works: dict[str, Callable[[], object]] = {
        "scan": lambda: scan(settings, lake),
        "undo": lambda: undone(lake),
        "tidy": lambda: tidy.run(PROJECT, now),
        "copy": lambda: copies(lake, 1, 1),
        "copies": lambda: copies(lake, 1_000, 3),
    }
    if step == "undo":
        ask(lake)  # compiles what it needs
    began, processor = time.perf_counter(), time.process_time()
    works.get(step, lambda: build(PROJECT, now))()
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    if step in PREPARED and versions == _versions(lake):
        raise RuntimeError(f"the build of {step} changed no table")
    return Found(seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def scan(settings: Settings, lake: Lake) -> None:
    from transforms.engine import Engine, Limits

    limits = Limits(f"{settings.build_memory >> 20}MiB")
    asked = ["min(time)", "max(received_at)", "count_if(bot)", *(f"sum(strlen({name}))" for name in _READ)]
    each = ", ".join(f"{one} as found_{at}" for at, one in enumerate(asked))
    used = ", ".join(f"max(found_{at})" for at in range(len(asked)))  # DuckDB makes nothing that is not used
    with Engine(lake, PROJECT, {"events": lake.version(PROJECT, "events")}, limits) as engine:
        engine.table(f"select {used} from (select actor_id, {each} from events group by actor_id)")


def undone(lake: Lake) -> None:
    from transforms.undo import Hand, undo

    undo(lake, PROJECT, MERGE, Hand(BY, BY, NOW))
    ask(lake)


def ask(lake: Lake) -> None:
    from funnels import adhoc
    from funnels.request import parse
    from transforms.manifest import current

    adhoc.funnel(lake, PROJECT, parse(_ADHOC), complete_until=NOW, manifest=current(lake, PROJECT))


def copies(lake: Lake, count: int, months: int) -> None:
    """Of late events of as many months, the year's first ones, none of which the lake has."""
    from ingest.copies import in_lake

    late = {at: (str(uuid.uuid5(uuid.NAMESPACE_OID, str(at))), f"2025-{4 + at % months:02d}") for at in range(count)}
    assert not in_lake(lake, PROJECT, late, "bench", list(range(count)))


def prepare(step: str, data: Path) -> None:
    """Adds what a step needs to the lake."""
    from api.settings import Settings
    from ingest.lake import Lake

    lake = Lake(Settings(data=data).lake_root)
    if step == "day":
        for number, rows in enumerate(_slices(next_day(lake), COMMITS), 1):
            lake.append(PROJECT, "events", rows, writer=BY, batch=number, partition="month")
    elif step == "late":
        _append(lake, COMMITS + 1, _like_one_of(lake, datetime(2025, 9, 16, tzinfo=UTC), event_id="bench-late"))
    elif step == "merge":
        one, other = (_user(lake, datetime(2025, 12, day, tzinfo=UTC)) for day in (1, 2))
        given = {"kind": "alias", "event": "$alias", "event_id": MERGE, "previous_id": other, "user_id": one}
        _append(lake, COMMITS + 2, _like_one_of(lake, datetime(2026, 3, 15, tzinfo=UTC), **given))


def _versions(lake: Lake) -> dict[str, int]:
    """Of the tables in force, the events aside."""
    from transforms.manifest import current

    manifest = current(lake, PROJECT)
    return {name: one for name, one in manifest.tables.items() if name != "events"} if manifest else {}


def next_day(lake: Lake) -> pa.Table:
    """The events of the year's last day, a day later, by others where they began with it; in the order they came."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from ingest.event import EVENTS, actor_ids

    rows = _between(lake, datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 3, 16, tzinfo=UTC))
    new = rows.filter(pc.equal(rows["event"], "Signed Up"))["user_id"]
    devices = pc.drop_null(rows.filter(pc.is_in(rows["user_id"], value_set=new.combine_chunks()))["anonymous_id"])
    fresh = pc.or_(
        pc.is_in(rows["user_id"], value_set=new.combine_chunks(), skip_nulls=True),
        pc.is_in(rows["anonymous_id"], value_set=devices.combine_chunks(), skip_nulls=True),
    )
    changed = {
        name: pc.if_else(fresh, pc.binary_join_element_wise(rows[name], "new", "-"), rows[name])
        for name in ("user_id", "anonymous_id")
    }
    known = np.asarray(pc.is_valid(changed["user_id"]))
    actors = np.where(
        known,
        actor_ids("user", pc.fill_null(changed["user_id"], "").to_pylist()),
        actor_ids("anonymous", pc.fill_null(changed["anonymous_id"], "").to_pylist()),
    )
    changed |= {
        "actor_id": pa.array(actors),
        "event_id": pc.binary_join_element_wise(rows["event_id"], "next", "-"),
        "log": pa.repeat(BY, len(rows)),
        **{
            name: pc.add(rows[name], pa.scalar(timedelta(days=1), pa.duration("us")))
            for name in ("time", "original_time", "sent_at", "received_at")
        },
    }
    found = pa.table({name: changed.get(name, rows[name]) for name in EVENTS.names}, schema=EVENTS)
    return found.sort_by("received_at")


def _like_one_of(lake: Lake, since: datetime, **given: object) -> pa.Table:
    """An event like the first "Task Completed" after a moment, that came now."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from ingest.actor import actor_id
    from ingest.event import EVENTS

    rows = _between(lake, since, since + timedelta(days=1))
    one = rows.filter(pc.equal(rows["event"], "Task Completed")).slice(0, 1).to_pylist()[0]
    one |= {"received_at": NOW, "log": BY, "log_offset": 0} | given
    return pa.Table.from_pylist([one | {"actor_id": actor_id("user", one["user_id"])}], EVENTS)


def _user(lake: Lake, since: datetime) -> str:
    return str(_like_one_of(lake, since)["user_id"][0])


def _between(lake: Lake, since: datetime, until: datetime) -> pa.Table:
    import pyarrow.compute as pc

    handle = lake.open(PROJECT, "events")
    assert handle is not None
    at = pc.field("time")
    month = pc.field("month") == f"{since:%Y-%m}"
    return handle.to_pyarrow_dataset().to_table(filter=month & (at >= since) & (at < until)).sort_by("time")


def _append(lake: Lake, number: int, rows: pa.Table) -> None:
    lake.append(PROJECT, "events", rows, writer=BY, batch=number, partition="month")


def _slices(rows: pa.Table, count: int) -> list[pa.Table]:
    each = max(-(-len(rows) // count), 1)
    return [rows.slice(first, each) for first in range(0, len(rows), each)]


def markdown(found: Mapping[int, Mapping[str, Found]], day: str) -> str:
    """A row per step, a column per number of events."""
    sizes = sorted(found)
    head = ["what", *(f"{events / 1e6:,.1f} M events" for events in sizes), "aim"]
    rows = [[step.title, *(_cell(step, found[events], events) for events in sizes), _aim(step)] for step in STEPS]
    table = [head, ["---"] * len(head), *rows]
    return "\n".join([f"Measured {day} on {machine()}.", "", *(f"| {' | '.join(row)} |" for row in table)])


def _cell(step: Step, found: Mapping[str, Found], events: int) -> str:
    one, whole, plain = found[step.name], found["whole"], found["scan"]
    if one.fault:
        return f"{one.fault} ✗"
    text = f"{one.seconds:,.2f} s, {one.megabytes:,.0f} MB"
    if step.name == "whole":
        times = f", {one.seconds / plain.seconds:.1f} × the scan" if plain.seconds else ""
        fast = events / one.seconds >= 500_000 and one.megabytes < 4_096
        return f"{text}, {events / one.seconds:,.0f} events/s{times} {'✓' if fast else '✗'}"
    if step.most is None:
        return text
    return f"{text} {'✓' if one.seconds < step.most + step.share * whole.seconds else '✗'}"


def _aim(step: Step) -> str:
    if step.name == "whole":
        return "500,000 events/s, < 4,096 MB"
    share = f"{step.share:.0%} of the whole + " if step.share else ""
    return f"< {share}{step.most:.0f} s" if step.most is not None else ""


def measure(made: Path, patience: float) -> tuple[int, dict[str, Found]]:
    """Over a copy of the data folder ``made`` (links of its files, which never change); how many events it has, too."""
    from ingest.lake import Lake
    from transforms.rewrite import files_of

    with tempfile.TemporaryDirectory(prefix="jcurve-bench-", dir=made.parent) as folder:
        data = Path(folder) / "data"
        shutil.copytree(made, data, copy_function=_link)
        handle = Lake(str(data / "lake")).open(PROJECT, "events")
        assert handle is not None
        events = sum(file.rows for file in files_of(handle))
        return events, curve(data, patience, lambda step, found: _tell(events, step, found))


def _link(source: str, target: str) -> None:
    (os.link if source.endswith((".parquet", ".json")) else shutil.copy2)(source, target)


def _tell(events: int, step: Step, found: Found) -> None:
    text = found.fault or f"{found.seconds:.2f} s ({found.processor:.2f} s of processor time), {found.megabytes:,.0f} MB"
    print(f"{events:,} events, {step.title}: {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-lake", description=__doc__)
    parser.add_argument("--events", default="1000000,10000000", help="sizes to make and measure")
    parser.add_argument("--made", type=Path, action="append", default=[], help="or data folders of tests.bench.year")
    parser.add_argument("--patience", type=float, default=3_600, help="seconds that a step may take")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--prepare", help=argparse.SUPPRESS)
    parser.add_argument("data", type=Path, nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare, options.data)
    elif options.step:
        print(json.dumps(vars(run(options.step, options.data))))
    else:
        _report(options)


def _report(options: argparse.Namespace) -> None:
    found = dict(measure(made, options.patience) for made in options.made)
    for size in () if options.made else options.events.split(","):
        from tests.bench import year

        with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
            year.write(Path(folder) / "made", int(size))
            found |= [measure(Path(folder) / "made", options.patience)]
    table = markdown(found, f"{datetime.now(UTC):%Y-%m-%d}")
    print(table)
    if options.write:
        put_into(README, table, "bench-lake")


if __name__ == "__main__":
    main()
