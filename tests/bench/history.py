"""Import of a Parquet file of plain events: ``jcurve import`` as it is typed, against DuckDB's sort of the same file.

``python -m tests.bench.history sort FILE TO`` is the yardstick: the rows sorted by time and written as Parquet again, with
the import's threads, in a process of its own. An import does that, checks every row, names it, looks for copies of it in
index and lake, and commits it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import duckdb

from api.folder import DataFolder
from api.settings import Settings
from tests.api.processes import ENVIRONMENT
from tests.bench import year
from tests.bench.figure import Figure

RATE: Final = 150_000
_COLUMNS: Final = "event_id, event, time, user_id, anonymous_id, previous_id, account_id, page_path, utm_source, properties"


def figures(folder: Path, events: int) -> list[Figure]:
    """Makes about so many events, shuffled, and imports them, all in ``folder``."""
    made, count = write(folder, events)
    sorting = _timed(sys.executable, "-m", "tests.bench.history", "sort", str(made), str(folder / "sorted.parquet"))
    data = folder / "imported"
    _prepare(data)
    command = (sys.executable, "-m", "api.cli", "import", str(made), "--data", str(data))
    began = time.perf_counter()
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout
    seconds = time.perf_counter() - began
    taken = re.search(r"^taken +([\d,]+)$", told, re.MULTILINE)
    assert taken is not None and int(taken[1].replace(",", "")) == count, told
    rate = count / seconds
    return [
        Figure(f"import of {count:,} events from Parquet: events/s, 2 cores", f"{rate:,.0f}", f"{RATE:,}", rate >= RATE),
        Figure("… DuckDB sorts the same file and writes it: events/s", f"{count / sorting:,.0f}"),
        Figure("… import, against that", f"{sorting / seconds:.2f} ×"),
    ]


def write(folder: Path, events: int) -> tuple[Path, int]:
    """A file of plain events in no order, and how many they are."""
    year.write(folder / "made", events)
    files, path = f"{DataFolder(folder / 'made').lake}/{year.PROJECT}/events/*/*.parquet", folder / "plain.parquet"
    rows = f"select {_COLUMNS} from read_parquet('{files}') order by hash(event_id)"
    with duckdb.connect() as db:
        db.execute("set TimeZone = 'UTC'")
        db.execute(f"copy ({rows}) to '{path}' (format parquet)")
        found = db.sql(f"select count(*) from '{path}'").fetchall()
    return path, int(found[0][0])


def sort(made: Path, to: Path) -> None:
    with duckdb.connect(config={"threads": 2}) as db:
        db.execute(f"copy (select * from '{made}' order by time) to '{to}' (format parquet, compression zstd)")


def _prepare(data: Path) -> None:
    from api.demo.show import make_keys

    DataFolder(data).create()
    make_keys(Settings(data=data))


def _timed(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    sort(*map(Path, sys.argv[2:]))
