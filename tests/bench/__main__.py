"""``python -m tests.bench [--quick] [--write]``: everything, as a Markdown table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench import answers, door, flush, history, memory, restart, world
from tests.bench.figure import Figure, markdown, put_into

README: Final = Path(__file__).parents[2] / "README.md"


def measure(quick: bool) -> Iterator[Figure]:
    yield from door.figures(rounds=2 if quick else 5, seconds=1.0 if quick else 3.0)
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
        data = Path(folder)
        calls, events = world.write_log(data / "log", world.company(100_000 if quick else 1_000_000))
        yield from flush.figures(data, calls)
        yield from answers.figures(data, events)
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
        yield from history.figures(Path(folder), 200_000 if quick else 2_000_000)
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
        yield from memory.figures(Path(folder), settle=8.0 if quick else 30.0, burst=1.0 if quick else 5.0)
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
        yield from restart.figures(Path(folder), 0.1 if quick else 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and shorter, within a minute")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    figures = []
    for figure in measure(options.quick):
        figures.append(figure)
        print(f"{figure.what}: {figure.found}", file=sys.stderr)
    table = markdown(figures, datetime.now(UTC).date())
    print(table)
    if options.write:
        put_into(README, table)


if __name__ == "__main__":
    main()
