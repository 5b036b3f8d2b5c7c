"""DuckDB for an import: bounded memory, spilling into the import's own folder, UTC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ingest.load.plan import Plan


@contextmanager
def connect(plan: Plan, *, in_order: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    plan.spill.mkdir(exist_ok=True)
    given: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": plan.request.memory,
        "temp_directory": str(plan.spill),
        "threads": 2,
    }
    with duckdb.connect(config=given) as db:
        db.execute("set timezone = 'UTC'")
        db.execute(f"set preserve_insertion_order = {in_order}")
        yield db


def literal(value: str | Path) -> str:
    """A text or path as SQL writes it; names of files and columns cannot be parameters everywhere."""
    return "'" + str(value).replace("'", "''") + "'"


def name_of(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
