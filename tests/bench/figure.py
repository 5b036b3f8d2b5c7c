"""A row of the table, and the table."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """``met`` None: there is no aim."""

    what: str
    found: str
    aim: str = ""
    met: bool | None = None


def markdown(figures: Sequence[Figure], day: date) -> str:
    rows = [f"| {f.what} | {f.found} | {f.aim}{_mark(f)} |" for f in figures]
    return "\n".join([f"Measured {day.isoformat()} on {machine()}.", "", "| what | found | aim |", "|---|---|---|", *rows])


def put_into(readme: Path, table: str, block: str = "bench") -> None:
    """Between the markers of ``block``; raises ValueError where the file has none."""
    start, end = f"<!-- {block}:start -->", f"<!-- {block}:end -->"
    text = readme.read_text()
    if start not in text or end not in text:
        raise ValueError(f"{readme} has no place for the table; add the lines {start} and {end}")
    before, rest = text.split(start, 1)
    readme.write_text(f"{before}{start}\n{table}\n{end}{rest.split(end, 1)[1]}")


def _mark(figure: Figure) -> str:
    return "" if figure.met is None else " ✓" if figure.met else " ✗"


def machine() -> str:
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return f"{model}, {os.cpu_count()} cores, {memory} GB, Python {platform.python_version()}"
