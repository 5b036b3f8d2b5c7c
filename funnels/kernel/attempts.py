"""Attempts where it is known at which instants a chain converts, and with which latest entry: any order, a tolerance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funnels.kernel import any_order, tolerance
from funnels.kernel.cases import Events, Rules, Spans, Units
from funnels.kernel.chains import instant_end, position
from funnels.kernel.words import NEVER, Codes, Ints, compiled, inner, maker


class Lanes(NamedTuple):
    """Per lane of a unit: the last attempt that it has an entry in, and whether no exclusion has ended that one's chains."""

    attempt: Ints
    alive: Ints


@maker
def merge_conversions(
    events: Events, together: Events, units: Units, u: int, start: int, end: int, until: int, rules: Rules, latest: Ints
) -> None:
    """``latest``: per instant of the unit, at its first event, the latest entry of a chain that converts then.

    Row 0: of entries before the instant, row 1: at it.
    """
    base = together.offsets[u]
    latest[:, : together.offsets[u + 1] - base] = NEVER
    only = any_order.only_lane(events, units, u, start, end) if rules.first and rules.tolerance < 0 else -1
    for k in range(units.lanes[u], units.lanes[u + 1]):
        if only >= 0 and k != only:
            continue
        lo = events.offsets[k]
        hi = position(events.times, lo, events.offsets[k + 1], until + 1)
        entries = np.empty((2, hi - lo), np.int64)
        if rules.tolerance >= 0:
            tolerance.conversions(events, lo, hi, start, end, rules, entries)
        else:
            chosen = any_order.make_set(rules.within.size)
            any_order.complete_at(events, lo, hi, start, end, rules.within.size, rules, chosen, entries)
        for i in range(lo, hi):
            if entries[0, i - lo] != NEVER or entries[1, i - lo] != NEVER:
                at = position(together.times, base, together.offsets[u + 1], events.times[i]) - base
                for row in range(2):
                    latest[row, at] = max(latest[row, at], entries[row, i - lo])


@inner
def end_chains(bars: Ints, lanes: Codes, i: int, after: int, base: int, attempt: int, state: Lanes, alive: int) -> int:
    """Excluded events of an instant end the chains of their lane that began before; returns how many lanes have any left."""
    for j in range(i, after):
        k = lanes[j] - base if lanes.size else 0
        if bars[j] and state.attempt[k] == attempt and state.alive[k]:
            state.alive[k] = 0
            alive -= 1
    return alive


@inner
def begin_chains(masks: Ints, lanes: Codes, i: int, after: int, base: int, attempt: int, entering: int, state: Lanes) -> int:
    """Entries of an instant; returns how many more lanes have a chain now."""
    more = 0
    for j in range(i, after):
        k = lanes[j] - base if lanes.size else 0
        if masks[j] & entering and not (state.attempt[k] == attempt and state.alive[k]):
            state.attempt[k], state.alive[k] = attempt, 1
            more += 1
    return more


@compiled
def find_attempts(
    events: Events,
    together: Events,
    lanes: Codes,
    units: Units,
    spans: Spans,
    first: int,
    last: int,
    rules: Rules,
    found: Spans,
) -> int:
    """Split the spans first..last - 1 into attempts; returns how many. ``together``: see ``chain_cases.find_attempts``."""
    longest, most = 1, 1
    for n in range(first, last):
        u = spans.units[n]
        longest = max(longest, together.offsets[u + 1] - together.offsets[u])
        most = max(most, units.lanes[u + 1] - units.lanes[u])
    latest, state, count = np.empty((2, longest), np.int64), Lanes(np.zeros(most, np.int64), np.zeros(most, np.int64)), 0
    for n in range(first, last):
        u, start, end, limit = spans.units[n], spans.starts[n], spans.ends[n], spans.limits[n]
        until = min(limit, end - 1 + rules.window)
        merge_conversions(events, together, units, u, start, end, until, rules, latest)
        state.attempt[:] = 0
        count = split_one(together, lanes, units.lanes[u], u, start, end, limit, rules, latest, state, found, count)
    return count


@inner
def split_one(
    together: Events,
    lanes: Codes,
    base_lane: int,
    u: int,
    start: int,
    end: int,
    limit: int,
    rules: Rules,
    latest: Ints,
    state: Lanes,
    found: Spans,
    count: int,
) -> int:
    lo = together.offsets[u]
    hi = position(together.times, lo, together.offsets[u + 1], min(limit, end - 1 + rules.window) + 1)
    entering = 1 if rules.tolerance >= 0 else -1
    is_open, opened, newest, attempt, alive = False, NEVER, NEVER, 0, 0
    i = position(together.times, lo, hi, start)
    while i < hi:
        t = together.times[i]
        after = instant_end(together.times, i, hi)
        enters = False
        for j in range(i, after):
            enters |= t < end and together.masks[j] & entering != 0
        converts = is_open and t <= newest + rules.window and latest[0, i - lo] >= opened
        if is_open and not converts and together.bars.size:
            alive = end_chains(together.bars, lanes, i, after, base_lane, attempt, state, alive)
        if is_open and not converts and (t > newest + rules.window or (enters and alive == 0)):
            count = record(u, opened, newest, limit, found, count)
            is_open = False
        if enters:
            if not is_open:
                is_open, opened, attempt, alive = True, t, attempt + 1, 0
            newest = t
            alive += begin_chains(together.masks, lanes, i, after, base_lane, attempt, entering, state)
            converts = converts or latest[1, i - lo] == t
        if converts:
            count = record(u, opened, newest, t, found, count)
            is_open = False
        i = after
    return record(u, opened, newest, limit, found, count) if is_open else count


@inner
def record(u: int, start: int, newest: int, limit: int, found: Spans, count: int) -> int:
    found.units[count], found.starts[count], found.ends[count], found.limits[count] = u, start, newest + 1, limit
    return count + 1
