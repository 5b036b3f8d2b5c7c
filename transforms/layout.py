"""Which files of a table are to be made one run: the rules of tidy, without a lake.

A file is *hot* as the flush left it, or part of a *run*: rows in the table's order, in files of a size one can handle. The
files of a run carry its name: ``month=2026-01/run-<id>-<part>.parquet``, or ``settled-...`` once it is a whole closed month.

    gather  Hot files of a month become a run when there are many, or when they stand long.
    merge   Runs are in tiers by their rows; as many as FAN_IN in one tier become a run of a higher one. So an event is
            rewritten once per tier: 1,000 rows a run, 8 a tier, makes four times up to 4 million events a month.
    settle  A closed and quiet month becomes one run; and again when a quarter of it came later.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final

_RUN: Final = re.compile(r"(?:.*/)?((?:run|settled)-[0-9a-f]+)-\d+\.parquet")
_FIRST_TIER: Final = 1_000  # rows


@dataclass(frozen=True)
class Rules:
    """When files are rewritten, and how large they get."""

    gather: int = 100  # hot files of a month
    aged: timedelta = timedelta(hours=6)  # hot files are gathered then, however few
    fan_in: int = 8  # runs of one tier
    quiet: timedelta = timedelta(hours=6)  # a closed month is settled when nothing has come for so long
    late_share: float = 0.25  # of a settled month, that makes it be settled again
    most_files: int = 2_000  # that are read at one time
    file_bytes: int = 256 << 20


@dataclass(frozen=True)
class File:
    """A file of the table; ``modified`` is when its newest row came."""

    path: str
    month: str
    rows: int
    modified: datetime

    @property
    def run(self) -> str | None:
        """The name of the run it is a part of; None of a hot file."""
        found = _RUN.fullmatch(self.path)
        return found[1] if found else None


@dataclass(frozen=True)
class Merge:
    """Files of one month that become one run; ``settles`` if they are all of a closed month."""

    month: str
    files: tuple[File, ...]
    settles: bool = False


def plan(files: Iterable[File], rules: Rules, now: datetime) -> list[Merge]:
    """What there is to do now, at most one merge of a kind per month; when that is done there may be more."""
    months: dict[str, list[File]] = defaultdict(list)
    for file in files:
        months[file.month].append(file)
    return [merge for month, found in sorted(months.items()) for merge in _of_month(month, found, rules, now)]


def _of_month(month: str, files: Sequence[File], rules: Rules, now: datetime) -> list[Merge]:
    runs: dict[str, list[File]] = defaultdict(list)
    hot: list[File] = []
    for file in files:
        (runs[file.run] if file.run else hot).append(file)
    if len(files) <= rules.most_files and _unsettled(month, hot, list(runs.values()), rules, now):
        return [Merge(month, tuple(files), settles=True)]
    merges = []
    if len(hot) >= rules.gather or (len(hot) > 1 and now - min(file.modified for file in hot) >= rules.aged):
        oldest = sorted(hot, key=lambda file: (file.modified, file.path))[: rules.most_files]
        merges.append(Merge(month, tuple(oldest)))
    tiers: dict[int, list[list[File]]] = defaultdict(list)
    for run in runs.values():
        tiers[_tier(run, rules.fan_in)].append(run)
    for _, tier in sorted(tiers.items()):
        if len(tier) >= rules.fan_in:
            merges.append(Merge(month, tuple(chain.from_iterable(tier))))
    return merges


def _unsettled(month: str, hot: Sequence[File], runs: Sequence[Sequence[File]], rules: Rules, now: datetime) -> bool:
    if now < _end(month) or len(runs) + len(hot) < 2:
        return False
    if now - max(file.modified for file in chain(hot, *runs)) < rules.quiet:
        return False
    whole = max((_rows(run) for run in runs if str(run[0].run).startswith("settled-")), default=0)
    return _rows([*hot, *chain(*runs)]) - whole >= rules.late_share * whole


def _end(month: str) -> datetime:
    year, number = int(month[:4]), int(month[5:7])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _tier(run: Sequence[File], fan_in: int) -> int:
    rows, tier = _rows(run) // _FIRST_TIER, 0
    while rows >= fan_in:
        rows, tier = rows // fan_in, tier + 1
    return tier


def _rows(files: Iterable[File]) -> int:
    return sum(file.rows for file in files)
