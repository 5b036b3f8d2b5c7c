"""ClickHouse in a process of its own (chdb), the yardstick of funnels: ``windowFunnel(W, 'strict_once')`` on two threads.

Two MergeTree tables, both ordered by (event, unit, time), of the very events that our funnel counts (no bots, people
resolved): one with the 64-bit ids of people, one with their public ids as text. And the Parquet files of the lake as they
lie, where ClickHouse knows no people and counts actors. Times are microseconds as UInt64, so windows are, too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from ingest.lake import Lake
from transforms.engine import Engine, Limits
from transforms.manifest import current

TABLES: Final = {"ids": "Int64", "texts": "String", "parquet": ""}
_EXPORT: Final = """select events.event, actors.person_id as ids, actors.person as texts, epoch_us(events.time) as at
from events join actors on actors.actor_id = events.actor_id where not events.bot"""
_FUNNEL: Final = """select level, count() from (
    select {unit} as unit, windowFunnel({window}, 'strict_once')({at}, {steps}) as level
    from {table} where event in ({names}) and {when}{more} group by unit
) group by level order by level settings max_threads = 2"""


@dataclass(frozen=True)
class Funnel:
    """Names of the steps' events in order; microseconds since 1970 and their lengths."""

    steps: tuple[str, ...]
    start: int
    end: int
    window: int


def load(lake: Lake, project: str, folder: Path) -> None:
    """Fills ``folder`` with the two tables, once."""
    if (folder / "ready").exists():
        return
    found = current(lake, project)
    assert found is not None
    folder.mkdir(parents=True, exist_ok=True)
    rows = folder / "rows.parquet"
    with Engine(lake, project, {name: found.tables[name] for name in ("events", "actors")}, Limits("3GB")) as engine:
        engine.make("exported", _EXPORT)
        engine.copy("from exported", rows, 1 << 20)
    session = _session(folder)
    for name in ("ids", "texts"):
        session.query(
            f"create table {name} (event LowCardinality(String), unit {TABLES[name]}, at UInt64)"
            " engine = MergeTree order by (event, unit, at)"
        )
        session.query(f"insert into {name} select event, {name}, at from file('{rows}') settings max_insert_threads = 2")
        session.query(f"optimize table {name} final")
    rows.unlink()
    (folder / "files").mkdir()
    for number, file in enumerate(lake.files(project, "events", found.tables["events"])):
        (folder / "files" / f"{number}.parquet").hardlink_to(unquote(file))
    (folder / "ready").touch()


def funnel_sql(asked: Funnel, table: str, files: str = "") -> str:
    """The levels of a funnel and how many units have each; the first step takes entries of the range only."""
    parquet = table == "parquet"
    at = "toUInt64(toUnixTimestamp64Micro(time))" if parquet else "at"
    last = asked.end + asked.window
    row_groups = f"time between fromUnixTimestamp64Micro({asked.start}) and fromUnixTimestamp64Micro({last})"
    quoted = [name.replace("'", "\\'") for name in asked.steps]
    steps = [f"event = '{name}'" for name in quoted]
    steps[0] += f" and {at} < {asked.end}"
    return _FUNNEL.format(
        unit="actor_id" if parquet else "unit",
        table=f"file('{files}', Parquet)" if parquet else table,
        at=at,
        steps=", ".join(steps),
        names=", ".join(f"'{name}'" for name in dict.fromkeys(quoted)),
        more=" and not bot" if parquet else "",
        when=row_groups if parquet else f"at between {asked.start} and {last}",
        window=asked.window,
    )


def reached(levels: Mapping[int, int], steps: int) -> list[int]:
    """Units that reached each step, of how many have each level."""
    return [sum(units for level, units in levels.items() if level > step) for step in range(steps)]


def _session(folder: Path) -> Any:
    from chdb.session import Session

    return Session(str(folder / "clickhouse"))  # type: ignore[no-untyped-call]


def main() -> None:
    """Answers lines of JSON ``[table, steps, start, end, window]`` with ``[seconds, of the processor, reached]``."""
    lake, project, folder = Lake(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    load(lake, project, folder)
    files = str(folder / "files" / "*.parquet")
    session = _session(folder)
    print("ready", flush=True)
    for line in sys.stdin:
        table, steps, *span = json.loads(line)
        asked = Funnel(tuple(steps), *span)
        query = funnel_sql(asked, table, files)
        began, processor = time.perf_counter(), time.process_time()
        rows = session.query(query, "JSONCompact")
        seconds = [time.perf_counter() - began, time.process_time() - processor]
        levels = {int(level): int(units) for level, units in json.loads(str(rows))["data"]}
        print(json.dumps([*seconds, reached(levels, len(asked.steps))]), flush=True)


if __name__ == "__main__":
    main()
