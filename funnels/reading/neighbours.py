"""What a row is among all of its unit's: part of a session, the first of its names, at which of the unit's instants.

Rows come in order of unit and time, each with its word (``tags``), those that serve nothing among them. Which of them these
are is settled here, so that only rows that serve something go on to the matcher.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnels.kernel import Codes, Ints
from funnels.kernel.words import compiled
from funnels.reading.gather import BOTS, INTERNALS, Asked, Ordered
from funnels.reading.tags import SOURCES, Form

SILENCE: Final = 30 * 60 * 1_000_000  # microseconds, after which an event begins another session
SESSION_BITS: Final = 24  # of a session's code, which of its person's it is; above them the person's


@dataclass(frozen=True)
class Among:
    """What has to be known of neighbours. ``valued``: rows that serve the same may differ in their values; ``ids``: the
    event ids of rows by their numbers."""

    form: Form
    sessions: bool
    strict: bool
    valued: bool
    ids: Callable[[Codes], pa.Array]

    def settled(self, part: Ordered, counts: Ints, asked: Asked) -> Ordered:
        """The rows that serve something; adds to ``counts`` those of bots and of internal traffic that were kept."""
        if self.sessions:
            part = _in_sessions(part, self.form)
        if self.form.firsts:
            part = replace(part, spent=self._spent(part))
            _count(part.masks, self.form.serving, self.form.bot, self.form.internal, counts)
            part = _chosen(part, np.flatnonzero((part.times >= asked.first) & (part.times <= asked.last)))
        out, instants = self.form.bot | self.form.internal, np.zeros(0, np.int32)
        if self.strict:
            instants, last = np.empty(part.units.size, np.int32), np.zeros(part.codes.size, np.int32)
            _number(part.units, part.times, part.masks, out, instants, last)
            part = replace(part, last_instant=last)
        kept = np.flatnonzero((part.masks & self.form.serving != 0) & (part.masks & out == 0))
        return replace(_chosen(part, kept), instants=instants[kept] if self.strict else instants)

    def _spent(self, part: Ordered) -> Ints:
        """By unit, the first-ever steps whose first event came; takes the bits of these steps from all other events."""
        spent = np.zeros(part.codes.size, np.int64)
        for place, step in enumerate(self.form.firsts):
            named = 1 << self.form.steps + self.form.exclusions + place
            firsts = _firsts(part, named, self.form.bot | self.form.internal)
            spent[part.units[firsts]] |= 1 << step
            there = np.zeros(part.masks.size, np.bool_)
            there[self._smallest(part, firsts)] = True
            known = spent[part.units] >> step & 1 == 1
            part.masks[known & ~there] &= ~(1 << step)
        return spent

    def _smallest(self, part: Ordered, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Of the first rows of units at one instant, the one with the smallest event id."""
        units = part.units[rows]
        alone = np.append(units[1:] != units[:-1], True) & np.insert(units[1:] != units[:-1], 0, True)
        several = self._unlike(part, rows[~alone])
        alone |= ~np.isin(rows, several)  # of those that are alike any one will do
        if not several.size:
            return _first_of_each(part, rows)
        numbers = ((part.masks[several] >> self.form.tag) - 1).astype(np.int32)
        ranks = pc.rank(self.ids(numbers), tiebreaker="dense").to_numpy()
        order = several[np.lexsort((ranks, part.units[several]))]
        return np.concatenate([_first_of_each(part, rows[alone]), _first_of_each(part, order)])

    def _unlike(self, part: Ordered, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The rows of units some of whose rows here serve another thing than others."""
        if self.valued or not rows.size:
            return rows
        units, serving = part.units[rows], part.masks[rows] & self.form.serving
        changes = np.flatnonzero((units[1:] == units[:-1]) & (serving[1:] != serving[:-1])) + 1
        found: NDArray[np.intp] = rows[np.isin(units, units[changes])]
        return found


def _chosen(part: Ordered, rows: NDArray[np.intp]) -> Ordered:
    return replace(part, units=part.units[rows], times=part.times[rows], masks=part.masks[rows])


def _first_of_each(part: Ordered, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of rows in order of their units, the first of each."""
    found: NDArray[np.intp] = rows[np.insert(np.diff(part.units[rows]) != 0, 0, True)[: rows.size]]
    return found


def _firsts(part: Ordered, named: int, out: int) -> NDArray[np.intp]:
    """The rows with this bit, and none of ``out``, at the first instant of their unit that has one."""
    rows = np.flatnonzero((part.masks & named != 0) & (part.masks & out == 0))
    units, times = part.units[rows], part.times[rows]
    begin = np.insert(np.diff(units) != 0, 0, True)[: rows.size]
    first = times[begin][np.cumsum(begin) - 1]
    found: NDArray[np.intp] = rows[times == first]
    return found


def _in_sessions(part: Ordered, form: Form) -> Ordered:
    """Sessions as units, with the rows of each in order of time."""
    ordinals, sessions = np.empty(part.units.size, np.int32), np.empty(part.codes.size, np.int64)
    sources = (1 << SOURCES) - 1
    _split(part.units, part.times, part.masks, form.source, sources, SILENCE, ordinals, sessions)
    order = np.lexsort((ordinals, part.units)) if int(sessions.max(initial=1)) > 1 else np.arange(part.units.size)
    units, ordinals = part.units[order], ordinals[order]
    changes = np.ones(units.size, np.bool_)
    changes[1:] = (units[1:] != units[:-1]) | (ordinals[1:] != ordinals[:-1])
    codes = part.codes[units[changes]].astype(np.int64) << SESSION_BITS | ordinals[changes]
    numbers = (np.cumsum(changes) - 1).astype(np.int32)
    return replace(part, units=numbers, times=part.times[order], masks=part.masks[order], codes=codes)


@compiled
def _split(
    units: Codes, times: Ints, masks: Ints, shift: int, sources: int, silence: int, ordinals: Codes, sessions: Ints
) -> None:
    """Of each row which of its person's sessions it lies in, of each person how many there are."""
    last = np.zeros(sources + 1, np.int64)
    open_one = np.full(sources + 1, -1, np.int64)
    owner = np.full(sources + 1, -1, np.int64)
    person, count = np.int64(-1), 0
    for i in range(units.size):
        if units[i] != person:
            if person >= 0:
                sessions[person] = count
            person, count = np.int64(units[i]), 0
        source = masks[i] >> shift & sources
        if owner[source] != person or times[i] - last[source] > silence:
            owner[source], open_one[source] = person, count
            count += 1
        last[source] = times[i]
        ordinals[i] = open_one[source]
    if person >= 0:
        sessions[person] = count


@compiled
def _number(units: Codes, times: Ints, masks: Ints, out: int, instants: Codes, last: Codes) -> None:
    """The number of each row's instant among its unit's, without those of rows that are left out."""
    person, time, instant = -1, np.int64(0), -1
    for i in range(units.size):
        if units[i] != person:
            person, instant = units[i], -1
        if masks[i] & out == 0 and (instant < 0 or times[i] != time):
            time = times[i]
            instant += 1
        instants[i] = instant
        last[person] = max(instant, 0)


@compiled
def _count(masks: Ints, serving: int, bot: int, internal: int, counts: Ints) -> None:
    for i in range(masks.size):
        if masks[i] & serving:
            if masks[i] & bot:
                counts[BOTS] += 1
            elif masks[i] & internal:
                counts[INTERNALS] += 1
