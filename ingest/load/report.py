"""What became of every row of an import: the reconciliation of what was read with what the lake has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest import ids
from ingest.load.chunks import who_is_who
from ingest.load.plan import Plan
from ingest.load.staged import Counts, Staged


@dataclass(frozen=True)
class Month:
    taken: int
    duplicates: int


@dataclass(frozen=True)
class Report:
    """``rows + made + described == taken + duplicates + forgotten + refused``.

    ``links`` rows say that two ids are one person; ``made`` are calls that do and stand in no file (``identities``).
    ``described`` are calls of what events set on their person, beside them.

    ``refused`` is by reason; ``refused_before`` of them an earlier import has kept.
    """

    files: Sequence[Counts]
    links: int
    made: int
    months: Mapping[str, Month]
    refused: Mapping[str, int]
    refused_before: int
    forgotten: int = 0  # came under the id of somebody who was forgotten, and were not stored

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def described(self) -> int:
        return sum(file.described for file in self.files)

    @property
    def taken(self) -> int:
        return sum(month.taken for month in self.months.values())

    @property
    def duplicates(self) -> int:
        return sum(month.duplicates for month in self.months.values())

    @property
    def reconciled(self) -> bool:
        read = self.rows + self.made + self.described
        return read == self.taken + self.duplicates + self.forgotten + sum(self.refused.values())


def report(plan: Plan, index: Path) -> Report:
    """Of an import whose chunks are all in the lake; what was read as staged, what was taken as the index says."""
    staged = [Staged(plan.staged, number).counts() for number in range(len(plan.request.files))]
    taken: Counter[str] = Counter()
    copies: Counter[str] = Counter()
    before = forgotten = 0
    refused: Counter[str] = Counter()
    for line in ids.results(index, plan.identity):
        result = json.loads(line)
        forgotten += result.get("forgotten", 0)
        for name, (new, seen) in result["counts"].items():
            if result["table"] == "events":
                taken[name] += new
                copies[name] += seen
            else:
                refused[name] += new + seen
                before += seen
    months = {name: Month(taken[name], copies[name]) for name in sorted(taken | copies)}
    files = [each for each in staged if each is not None]
    return Report(files, *who_is_who(plan), months, dict(sorted(refused.items())), before, forgotten)
