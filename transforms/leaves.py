"""The leaves of a built table: what its log tells of them, and which of them a repair writes anew. Pure, but for the log.

A leaf is a file of rows in the order of a key; its *floor* is where the keys begin that come to it: its least key, of the
first leaf of a month whatever is less.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

Key = int | str


@dataclass(frozen=True)
class Leaf:
    """A file with keys from ``low`` to ``high``; ``path`` as the log has it, ``fresh`` where a draft wrote it."""

    path: str
    month: str | None
    rows: int
    low: Key
    high: Key
    size: int  # bytes
    fresh: Path | None = field(default=None, compare=False)

    @property
    def place(self) -> tuple[str, Key, Key]:
        """To sort by."""
        return self.month or "", self.low, self.high


@dataclass(frozen=True)
class Run:
    """Neighbouring leaves that are written anew, with the keys that come to them: from ``floor`` on, before ``until``.

    None is no bound. ``rows``: how many they are together with what comes.
    """

    leaves: tuple[Leaf, ...]
    floor: Key | None
    until: Key | None
    rows: int = 0


def stored(handle: DeltaTable, key: str) -> list[Leaf] | None:
    """The leaves of a version in order; None where its log does not tell their keys."""
    told = pa.table(handle.get_add_actions(flatten=True))
    if not told.num_rows:
        return []
    names = ["path", "num_records", f"min.{key}", f"max.{key}", "size_bytes"]
    if not set(names) <= set(told.column_names):
        return None
    months = told["partition.month"].to_pylist() if "partition.month" in told.column_names else [None] * told.num_rows
    rows = list(zip(*(told[name].to_pylist() for name in names), strict=True))
    if any(value is None for row in rows for value in row):
        return None
    found = [
        Leaf(path, month, rows, low, high, size) for (path, rows, low, high, size), month in zip(rows, months, strict=True)
    ]
    return sorted(found, key=lambda leaf: leaf.place)


def floors(leaves: Sequence[Leaf]) -> list[tuple[Key, int]]:
    """Where the keys begin that come to each leaf of a month, with its number; of leaves with one floor the last counts."""
    lowest: Key = "" if isinstance(leaves[0].low, str) else -(2**63)
    found: dict[Key, int] = {}
    for number, leaf in enumerate(leaves):
        found[leaf.low if number else lowest] = number
    return sorted(found.items(), key=lambda pair: pair[1])


def runs(leaves: Sequence[Leaf], gone: Mapping[int, int], come: Mapping[int, int], leaf_rows: int, most: int) -> list[Run]:
    """What is to be written anew of a month's leaves, of which those numbered in ``gone`` lose and in ``come`` gain rows.

    A leaf alone where it stays of a good size: its few rows are sorted and written in one go. One that shrinks below the
    half is written along with a neighbour that is written, too, or takes a small one along; at most so many together.
    """
    touched = sorted(gone.keys() | come.keys())
    after = [leaf.rows + come.get(number, 0) - gone.get(number, 0) for number, leaf in enumerate(leaves)]
    small = leaf_rows // 2
    wanted = set(touched)
    for number in touched:
        near = [one for one in (number + 1, number - 1) if 0 <= one < len(leaves)]
        if after[number] < small and not wanted & set(near):
            wanted.update([one for one in near if after[one] < small][:1])
    return [
        Run(
            tuple(leaves[first : last + 1]),
            leaves[first].low if first else None,
            leaves[last + 1].low if last + 1 < len(leaves) else None,
            sum(leaves[number].rows + come.get(number, 0) for number in range(first, last + 1)),
        )
        for first, last in _stretches(sorted(wanted), most, {number for number in wanted if after[number] < small})
    ]


def _stretches(numbers: Sequence[int], most: int, small: Collection[int]) -> Iterator[tuple[int, int]]:
    """The first and the last of numbers that follow one another, at most so many; two stay together if one is ``small``."""
    first = last = None
    for number in numbers:
        if first is None or last is None:
            first = number
        elif number != last + 1 or number - first >= most or not (last in small or number in small):
            yield first, last
            first = number
        last = number
    if first is not None and last is not None:
        yield first, last
