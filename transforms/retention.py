"""Retention: events, and rejected ones, older than their project keeps them leave the lake; rejected ones earlier if wanted.

Only the rows go here, by a delete that rewrites the month of the limit and drops the months before it; ``sweep`` removes the
files once no manifest and no reader can need them (KEPT). What is appended meanwhile stays, and leaves in the next night if
it is as old. An event's age is that of its ``time``, a rejected one's that of its ``received_at``.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from ingest.lake import Lake

AGE: Final = {"events": "time", "rejected": "received_at"}  # the column by which a table's rows grow old


def expire(lake: Lake, project: str, before: datetime, tables: Collection[str] = tuple(AGE)) -> int:
    """Removes what is older than ``before``; returns how many rows went. Doing it again changes nothing."""
    return sum(_expire(lake, project, table, AGE[table], before) for table in tables)


def _expire(lake: Lake, project: str, table: str, column: str, before: datetime) -> int:
    limit = before.astimezone(UTC)
    months = sorted({entry["month"] for entry in lake.partitions(project, table) if entry["month"] <= f"{limit:%Y-%m}"})
    if not months:
        return 0
    # A month's name is clamped (``event.month_of``), so the time decides in every month; the name only spares reading.
    # The moment is a plain text: a cast makes nanoseconds of it, which Delta refuses to compare.
    moment = f"{column} < '{limit:%Y-%m-%d %H:%M:%S.%f}+00:00'"
    return lake.delete(project, table, f"month in ({', '.join(repr(month) for month in months)}) and {moment}")
