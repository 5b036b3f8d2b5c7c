"""What all presets share: one compiled loop per product walks the units; here its arrays are made and its answer is told.

A preset's loop decides level and witness; peers know no pending, so a case is converted, excluded or lost. Mature figures
and the trend are the same loop over the entries of that range, as in ``funnels.match``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from funnels.kernel import NEVER, Ints
from funnels.match import CONVERTED, EXCLUDED, LOST, PENDING, Codes, Outcome, Rules, Streams, Tally, microseconds

SECOND: Final = 1_000_000


class Events(NamedTuple):
    """The events that a product looks at, arrays parallel; unit u has ``offsets[0, u]`` to ``offsets[1, u] - 1``."""

    times: Ints
    masks: Ints  # bit k: may serve step k
    bars: Ints  # bit x: is an excluded event of exclusion x; zeros where there is none
    held: Codes  # zeros where nothing is held
    instants: Codes  # zeros but under order strict
    offsets: Ints


class Limits(NamedTuple):
    """One question in numbers: entries count if ``start <= t < end``; times and window in microseconds."""

    steps: int
    window: int
    start: int
    end: int
    optional: int  # bit k: step k is optional
    spans: Ints  # per step j: bit x where exclusion x lies between the step before j and j


class Found(NamedTuple):
    """What a loop fills in, per unit."""

    levels: Ints  # required steps reached; 0: did not enter
    witness: Ints  # (units, steps) index of the event that served the step; -1: none
    barred: Ints  # the time of the exclusion that ended it; NEVER where none did
    froms: Ints  # the first event that may begin the next attempt; the unit's end: there is none


Loop = Callable[[Events, Limits, Found], None]


@dataclass(frozen=True, slots=True)
class Cases:
    """One row per case, in order of unit and entry; ``witness`` holds rows of the streams."""

    units: Codes
    levels: Ints
    states: NDArray[np.int8]
    witness: Ints
    barred: Ints

    def tally(self) -> Tally:
        counts = np.bincount(self.states, minlength=5)
        return Tally(len(self.units), int(counts[CONVERTED]), 0, int(counts[EXCLUDED]), int(counts[LOST]))


def outcome(streams: Streams, rules: Rules, loop: Loop, *, within_range: bool) -> Outcome:
    """Run a product's loop. ``within_range``: it looks at no event outside of [from, to), be it an entry or a later step."""
    start, end, ripe = (microseconds(time) for time in (rules.start, rules.end, rules.ripe))
    rows = np.flatnonzero(_looked_at(streams, rules, within_range))
    events = _events(streams, rows)
    found = _cases(streams, rules, loop, events, rows, start, end)
    buckets = [(max(start, microseconds(a)), min(end, microseconds(b))) for a, b in pairwise(rules.edges)]
    return Outcome(
        units=found.units,
        levels=found.levels,
        states=found.states,
        witness=found.witness,
        entered=entered(streams, found.witness, anyhow=rules.order == "any"),
        barred=found.barred,
        mature=_cases(streams, rules, loop, events, rows, start, ripe).tally(),
        trend=tuple(_cases(streams, rules, loop, events, rows, first, last).tally() for first, last in buckets),
        event_times=streams.times,
    )


def _looked_at(streams: Streams, rules: Rules, within_range: bool) -> NDArray[np.bool_]:
    seen = streams.times <= microseconds(rules.as_of)
    if within_range:
        seen &= (streams.times >= microseconds(rules.start)) & (streams.times < microseconds(rules.end))
    return np.asarray(seen)


def _events(streams: Streams, rows: Ints) -> Events:
    zeros = np.zeros(rows.size, np.int64)
    codes = np.zeros(rows.size, np.int32)
    return Events(
        times=streams.times[rows],
        masks=streams.masks[rows],
        bars=streams.bars[rows] if streams.bars.size else zeros,
        held=streams.held[rows] if streams.held.size else codes,
        instants=streams.instants[rows] if streams.instants.size else codes,
        offsets=_offsets(streams.units[rows], streams.count),
    )


def _offsets(units: Codes, count: int) -> Ints:
    ends = np.searchsorted(units, np.arange(count + 1)).astype(np.int64)
    return np.stack([ends[:-1], ends[1:]])


def _limits(rules: Rules, start: int, end: int) -> Limits:
    steps = len(rules.withins)
    spans = [
        sum(1 << x for x, one in enumerate(rules.exclusions) if one.after < step <= one.before) for step in range(steps)
    ]
    optional = sum(1 << step for step in rules.optional)
    window = rules.window // timedelta(microseconds=1)
    return Limits(steps, window, start, max(start, end), optional, np.array(spans, np.int64))


def _cases(streams: Streams, rules: Rules, loop: Loop, events: Events, rows: Ints, start: int, end: int) -> Cases:
    """Walk all units, and under ``attempts`` those again that may enter once more, until nobody does."""
    limits, froms = _limits(rules, start, end), events.offsets[0].copy()
    units, parts = np.arange(streams.count), []
    while True:
        found = _nothing(units.size, limits.steps, froms[units])
        chosen = events._replace(offsets=events.offsets[:, units])
        loop(chosen, limits, found)
        entered = np.flatnonzero(found.levels)
        parts.append((units[entered], found.levels[entered], found.witness[entered], found.barred[entered]))
        froms[units] = found.froms
        units = units[entered]
        if rules.count == "units" or not units.size:
            return _in_order(parts, rows, limits)


def _nothing(units: int, steps: int, froms: Ints) -> Found:
    return Found(np.zeros(units, np.int64), np.full((units, steps), -1, np.int64), np.full(units, NEVER, np.int64), froms)


def _in_order(parts: list[tuple[Ints, Ints, Ints, Ints]], rows: Ints, limits: Limits) -> Cases:
    units, levels, witness, barred = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(units, kind="stable")
    units, levels, witness, barred = units[order], levels[order], witness[order], barred[order]
    required = limits.steps - limits.optional.bit_count()
    states = np.where(levels == required, CONVERTED, np.where(barred != NEVER, EXCLUDED, LOST)).astype(np.int8)
    found = np.where(witness >= 0, rows[witness] if rows.size else witness, -1)
    return Cases(units.astype(np.int32), levels, states, found, barred)


def entered(streams: Streams, witness: Ints, *, anyhow: bool = False) -> Ints:
    """The time of each case's entry: of its step 1, under any order of the earliest event of its witness."""
    if not witness.size:
        return np.zeros(0, np.int64)
    if not anyhow:
        return np.asarray(streams.times[witness[:, 0]])
    times = np.where(witness >= 0, streams.times[witness], np.iinfo(np.int64).max)
    return np.asarray(times.min(axis=1))


def settled(found: Outcome) -> Outcome:
    """An outcome of our own matcher as a peer tells it, that knows no pending: who has not converted is lost."""
    pending = found.states == PENDING
    return replace(
        found,
        states=np.where(pending, LOST, found.states).astype(np.int8),
        mature=_settled(found.mature),
        trend=tuple(map(_settled, found.trend)),
    )


def _settled(tally: Tally) -> Tally:
    return replace(tally, pending=0, lost=tally.lost + tally.pending)
