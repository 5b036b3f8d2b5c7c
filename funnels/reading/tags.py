"""What a row carries beside its time and unit, in the bits that its unit leaves: steps, exclusions and its number.

    bits    0 ...          steps that it may serve
            bars           exclusions that it is an event of
            firsts         of first-ever steps, those whose names it has
            bot, internal  such an event, kept to be counted later, or because it is a neighbour of others
            source         its source, where units are sessions
            tag            0, or 1 + the row's number, by which ``valued`` reads more of it

Rows of a unit at one instant are not in order of their event ids. Where two of them may serve one step (order any: a step)
and have different numbers, it is open whose values count: such a unit is *doubted*, and ``ties`` puts it right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from funnels.kernel import Codes, Ints
from funnels.kernel.words import compiled

_WORD: Final = 63  # bits, without the sign
_MOST: Final = (1 << 31) - 2  # numbers
SOURCES: Final = 8  # bits


class TooMany(Exception):
    """More rows, sources or values than have room."""


@dataclass(frozen=True, slots=True)
class Form:
    """How many bits are whose: ``bits`` are there, ``firsts`` are the first-ever steps. ``free``: order any."""

    bits: int
    steps: int
    exclusions: int
    firsts: tuple[int, ...] = ()
    flags: bool = False  # bot and internal
    sources: bool = False
    free: bool = False

    @property
    def serving(self) -> int:
        """The bits of steps and exclusions."""
        return (1 << self.steps + self.exclusions) - 1

    @property
    def named(self) -> int:
        """The bits of the names of first-ever steps."""
        return (1 << self._flag) - 1 & ~self.serving

    @property
    def _flag(self) -> int:
        return self.steps + self.exclusions + len(self.firsts)

    @property
    def bot(self) -> int:
        return 1 << self._flag if self.flags else 0

    @property
    def internal(self) -> int:
        return 2 << self._flag if self.flags else 0

    @property
    def source(self) -> int:
        return self._flag + 2 * self.flags

    @property
    def tag(self) -> int:
        return self.source + SOURCES * self.sources

    @property
    def room(self) -> int:
        """How many numbers there are; negative where there is none for the rest."""
        return min((1 << max(self.bits - self.tag, 0)) - 1, _MOST) if self.bits >= self.tag else -1


def bits_beside(units: int) -> int:
    """How many bits are left beside the number of a unit."""
    return _WORD - max(units - 1, 0).bit_length()


def bars_of(masks: Ints, form: Form) -> Ints:
    """The exclusions of rows; what is left in ``masks`` are their steps. Takes all else away, too."""
    bars = np.empty(masks.size, np.int64)
    _take_bars(masks, form.steps, form.exclusions, bars)
    return bars


def numbers_of(masks: Ints, form: Form) -> Codes:
    """The numbers of rows, taken out of ``masks``."""
    numbers = np.empty(masks.size, np.int32)
    _take_numbers(masks, form.tag, numbers)
    return numbers


def doubtful(units: Codes, times: Ints, masks: Ints, steps: int, free: bool, doubted: Ints) -> None:
    """Sets ``doubted`` (by unit) to 1 where it is open which of two rows serves a step."""
    _doubt(units, times, masks, (1 << steps) - 1, free, doubted)


@compiled
def _take_bars(masks: Ints, steps: int, exclusions: int, bars: Ints) -> None:
    served, barring = (1 << steps) - 1, (1 << exclusions) - 1
    for i in range(masks.size):
        bars[i] = masks[i] >> steps & barring
        masks[i] &= served


@compiled
def _take_numbers(masks: Ints, tag: int, numbers: Codes) -> None:
    kept = (1 << tag) - 1
    for i in range(masks.size):
        numbers[i] = (masks[i] >> tag) - 1
        masks[i] &= kept


@compiled
def _doubt(units: Codes, times: Ints, masks: Ints, steps: int, free: bool, doubted: Ints) -> None:
    for i in range(masks.size):
        served, j = masks[i] & steps, i - 1
        while j >= 0 and times[j] == times[i] and units[j] == units[i]:
            both = masks[j] & steps
            if served & both or (free and served and both):
                doubted[units[i]] = 1
                break
            j -= 1
