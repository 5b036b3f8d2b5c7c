"""What a row carries beside its time and unit, in the 32 bits of its mask: steps, exclusions and the values broken down by.

    bits    0 ...                        steps that it may serve
            steps ...                    exclusions that it is an event of
            steps + exclusions ...       its tag: 0 where all values are null, else 1 + their code

Values get their codes while files are read, by whichever thread meets them first; so they cost four bytes a row, and the
question goes the short way. Where bits do not suffice, ``TooMany`` says so.

Rows of a unit at one instant are not in order of their event ids. Where two of them may serve one step (order any: a step)
and have different values, it is open whose counts: such a unit is *doubted*, and ``ties`` puts it right.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funnels.codes import Value, occurring
from funnels.kernel import Codes, Ints
from funnels.kernel.words import compiled

WORD: Final = 32
LEAST: Final = 12  # bits for tags, below which it is not worth a try


class TooMany(Exception):
    """More different values than have room in a row."""


@dataclass(frozen=True, slots=True)
class Form:
    """How many bits are whose. ``free``: order any."""

    steps: int
    exclusions: int
    free: bool

    @property
    def tag(self) -> int:
        return self.steps + self.exclusions

    @property
    def room(self) -> int:
        """How many tags there are, 0 besides."""
        return (1 << (WORD - self.tag)) - 1


class Tags:
    """Values and their numbers; for several threads. A tag is the place in ``values`` + 1."""

    def __init__(self, room: int) -> None:
        self.values: list[tuple[Value, ...]] = []
        self._room = room
        self._tags: dict[tuple[Value, ...], int] = {}
        self._lock = threading.Lock()

    def of(self, values: tuple[Value, ...]) -> int:
        """Raises ``TooMany``."""
        found = self._tags.get(values)
        if found is not None:
            return found
        if all(value is None for value in values):
            return 0
        with self._lock:
            if values not in self._tags:
                if len(self.values) == self._room:
                    raise TooMany
                self.values.append(values)
                self._tags[values] = len(self.values)
            return self._tags[values]

    def of_rows(self, columns: Sequence[pa.DictionaryArray]) -> Codes:
        """The tag of each row; its values are one of each column."""
        words: list[tuple[Value, ...]] = [(word,) for word in [*columns[0].dictionary.to_pylist(), None]]
        places = _places(columns[0])
        for column in columns[1:]:
            places, words = _crossed(places, words, column)
        return np.array([self.of(one) for one in words], np.int32)[places]


def _places(column: pa.DictionaryArray) -> Ints:
    """By row, the place in the dictionary; behind it for null."""
    filled = pc.fill_null(column.indices, len(column.dictionary)) if column.null_count else column.indices
    return np.asarray(filled.to_numpy(zero_copy_only=False))


def _crossed(
    places: Ints, words: Sequence[tuple[Value, ...]], column: pa.DictionaryArray
) -> tuple[Ints, list[tuple[Value, ...]]]:
    """The combinations that occur with one column more."""
    more = [*column.dictionary.to_pylist(), None]
    both = places.astype(np.int64) * len(more) + _places(column)
    there, found = occurring(both, len(words) * len(more))
    return found, [(*words[one // len(more)], more[one % len(more)]) for one in there.tolist()]


def bars_of(masks: Ints, form: Form) -> Ints:
    """The exclusions of rows; what is left in ``masks`` are their steps. Takes tags away, too."""
    bars = np.empty(masks.size, np.int64)
    _take_bars(masks, form.steps, form.exclusions, bars)
    return bars


def values_of(units: Codes, times: Ints, masks: Ints, form: Form, doubted: Ints) -> Codes:
    """The codes of values (-1: null), taken out of ``masks``; sets ``doubted`` (by unit) to 1 where it is."""
    values = np.empty(masks.size, np.int32)
    _take_values(units, times, masks, form.tag, (1 << form.steps) - 1, form.free, values, doubted)
    return values


@compiled
def _take_bars(masks: Ints, steps: int, exclusions: int, bars: Ints) -> None:
    served, barring = (1 << steps) - 1, (1 << exclusions) - 1
    for i in range(masks.size):
        bars[i] = masks[i] >> steps & barring
        masks[i] &= served


@compiled
def _take_values(
    units: Codes, times: Ints, masks: Ints, tag: int, steps: int, free: bool, values: Codes, doubted: Ints
) -> None:
    """``steps``: the bits of steps."""
    kept = (1 << tag) - 1
    for i in range(masks.size):
        values[i] = (masks[i] >> tag) - 1
        masks[i] &= kept
        served, j = masks[i] & steps, i - 1
        while j >= 0 and times[j] == times[i] and units[j] == units[i]:
            both = masks[j] & steps
            if values[j] != values[i] and (served & both or (free and served and both)):
                doubted[units[i]] = 1
                break
            j -= 1
