"""Chains that differ in nothing but times, which most questions are about: the same answers as ``chains``, much sooner.

Words
- An *instant* is a moment with all events of the unit that carry it. A chain takes, at each instant, a *run*: neighbouring
  steps a..b served by distinct events there (``instant.find_runs``). Nearly every instant has one event, so that case is
  written out where it occurs.
- ``at[a]`` and ``entry[a]``: the last instant at which a chain of steps 0..a ended, and the latest entry of such a chain.

Why one pair per step is enough, without queues (proved by crossing, and held to the oracle over a million streams)
- Say P and Q are chains to step a, Q ends later but began earlier. Somewhere Q is behind P for the last time; follow P to
  there and go on with Q: the gap only shrinks, so ``within`` still holds, and at a shared instant Q's run is part of
  P's. That chain ends with Q and began with P. So of the chains to a step, the one that ends last also has the latest
  entry, and the last pair serves both ``within`` and the window best.
- By the same crossing, the witness (smallest times) ends at the first instant ``top`` at which the level was reached, so
  the way back needs only bits: from which steps at which instants can ``top`` be reached.

What a widening must mind: both hold for chains that differ in nothing but times. A rule that ties a chain to its own past
(held values, exclusions, optional steps) needs the argument again; ``chains`` does without it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from funnels.kernel.apart import lie_apart, match_unit
from funnels.kernel.instant import RUNS, Room, choose_events, find_runs, make_room
from funnels.kernel.words import ALWAYS, CONVERTED, ENTRANTS, LOST, NEVER, PENDING, Codes, Ints, compiled, inner


class Rules(NamedTuple):
    """One question in numbers; as_of, start and end are times, the rest durations."""

    within: Ints  # per step: the longest gap to the step before; ALWAYS where there is none, and for step 0
    window: int
    start: int  # entries count if start <= t < end
    end: int
    as_of: int  # events after it are not there
    edges: Ints  # the trend's buckets [edges[k], edges[k + 1]), covering [start, end); empty for no trend


class Answer(NamedTuple):
    """What ``match_units`` fills in: one row per unit that entered (room for all units), and tallies, zero before."""

    units: Codes
    levels: Ints  # steps reached
    states: NDArray[np.int8]
    witness: Ints  # (units, steps) the event that served the step; -1 where the step was not reached
    entered: Ints  # the first entry
    mature: Ints  # (5,) a tally of entries whose window has closed
    trend: Ints  # (buckets, 5) tallies


AT, ENTRY, SOONEST = 0, 1, 2  # rows of Board.steps
BEGINS, ENDS = 0, 1  # rows of Board.unit


class Board(NamedTuple):
    """Working room, made once and used for one unit after another.

    Few arrays with named rows, since every array handed to a compiled function costs about as much as matching an event.
    """

    steps: Ints  # (3, steps); SOONEST: looking back, the nearest later instant from which a run leads to the end
    unit: Ints  # (2, events of the longest unit), see look_back


@compiled
def find_offsets(units: Codes, count: int) -> Ints:
    """Unit u's events are ``offsets[u]`` to ``offsets[u + 1] - 1``; the codes rise."""
    offsets = np.empty(count + 1, np.int64)
    u = 0
    for i in range(units.size):
        while u <= units[i]:
            offsets[u] = i
            u += 1
    offsets[u:] = units.size
    return offsets


@inner
def advance(t: int, fresh: bool, level: int, rules: Rules, room: Room, board: Board) -> int:
    """Lengthen the chains by the runs of one instant; returns the highest step reached at it (as a count).

    Starts are taken from the highest down, so that nothing served here is lengthened here a second time, and so that
    what is written last, from the shortest chains, has the latest entries.
    """
    runs, at, entry = room.steps[RUNS], board.steps[AT], board.steps[ENTRY]
    best = 0
    for a in range(min(level, rules.within.size - 1), -1, -1):
        if a > 0 and not (t - at[a - 1] <= rules.within[a] and t - entry[a - 1] <= rules.window):
            continue
        if a == 0 and not fresh:
            continue
        began = entry[a - 1] if a > 0 else t
        for b in range(a, rules.within.size):
            if not runs[a] >> b & 1:
                break
            at[b], entry[b] = t, began
            best = max(best, b + 1)
    return best


@inner
def reach(
    times: Ints, masks: Ints, lo: int, hi: int, start: int, end: int, rules: Rules, room: Room, board: Board
) -> tuple[int, int, int]:
    """The level of one unit for entries in [start, end), the first event of the instant that reached it, the first entry.

    Stops as soon as every step is reached; ``at`` and ``entry`` speak of all events only where that did not happen.
    """
    steps, window, within = rules.within.size, rules.window, rules.within
    at, entry = board.steps[AT], board.steps[ENTRY]
    for a in range(steps):
        at[a], entry[a] = NEVER, NEVER
    level, top, entered = 0, lo, NEVER
    i = lo
    while i < hi and level < steps:
        t = times[i]
        if t >= end and t - entry[0] > window:
            break
        best, after = 0, i + 1
        if after == hi or times[after] != t:
            mask = masks[i]
            for a in range(min(level, steps - 1), 0, -1):
                if mask >> a & 1 and t - at[a - 1] <= within[a] and t - entry[a - 1] <= window:
                    at[a], entry[a] = t, entry[a - 1]
                    best = max(best, a + 1)
            if mask & 1 and start <= t < end:
                at[0], entry[0] = t, t
                best = max(best, 1)
        else:
            while after < hi and times[after] == t:
                after += 1
            if level > 0 or start <= t < end:
                find_runs(masks, i, after, -1, 0, False, room)
                best = advance(t, start <= t < end, level, rules, room, board)
        if best > level:
            if level == 0:
                entered = t
            level, top = best, i
        i = after
    return level, top, entered


@inner
def is_pending(level: int, rules: Rules, board: Board) -> bool:
    """Could events after ``as_of`` still complete a chain that ``reach`` left unfinished?"""
    for a in range(min(level, rules.within.size - 1)):
        if board.steps[ENTRY, a] + rules.window > rules.as_of and board.steps[AT, a] + rules.within[a + 1] > rules.as_of:
            return True
    return False


@inner
def look_back(
    times: Ints,
    masks: Ints,
    lo: int,
    hi: int,
    top: int,
    level: int,
    earliest: int,
    rules: Rules,
    room: Room,
    board: Board,
) -> None:
    """For each instant from ``earliest`` to that of ``top``: which steps there still lead to step ``level - 1`` at ``top``.

    At an instant's first event i, bit a of ``begins[i - lo]``: a run that starts with step a does; bit b of
    ``ends[i - lo]``: a run that ends with step b does. Other events of the instant have ``begins`` 0.
    """
    begins, ends, soonest, runs = board.unit[BEGINS], board.unit[ENDS], board.steps[SOONEST], room.steps[RUNS]
    for a in range(level):
        soonest[a] = ALWAYS
    last = top + 1
    while last < hi and times[last] == times[top]:
        last += 1
    while last > lo and times[last - 1] >= earliest:
        t = times[last - 1]
        i = last - 1
        begins[i - lo] = 0
        while i > lo and times[i - 1] == t:
            i -= 1
            begins[i - lo] = 0
        leads = 1 << (level - 1) if i == top else 0
        for b in range(level - 1):
            if soonest[b + 1] != ALWAYS and soonest[b + 1] - t <= rules.within[b + 1]:
                leads |= 1 << b
        ends[i - lo] = leads
        if last == i + 1:
            begins[i - lo] = leads & masks[i]
        else:
            find_runs(masks, i, last, -1, 0, False, room)
            for a in range(level):
                if leads & runs[a]:
                    begins[i - lo] |= 1 << a
        for a in range(level):
            if begins[i - lo] >> a & 1:
                soonest[a] = t
        last = i


@inner
def walk(
    times: Ints, masks: Ints, lo: int, hi: int, level: int, earliest: int, room: Room, board: Board, witness: Ints
) -> None:
    """Write the witness: the first entry that leads to the end, then at each instant the longest run that does."""
    begins, ends = board.unit[BEGINS], board.unit[ENDS]
    i = lo
    while times[i] < earliest:
        i += 1
    a = 0
    while a < level:
        while not begins[i - lo] >> a & 1:
            i += 1
        after = i + 1
        if after == hi or times[after] != times[i]:
            witness[a] = i
            a += 1
        else:
            while after < hi and times[after] == times[i]:
                after += 1
            find_runs(masks, i, after, -1, 0, False, room)
            b, wanted = level - 1, 0
            while not room.steps[RUNS, a] & ends[i - lo] & (1 << b):
                b -= 1
            while a <= b:
                wanted |= 1 << a
                a += 1
            choose_events(masks, i, after, wanted, 0, room, witness)
        i = after


@inner
def tally_buckets(times: Ints, masks: Ints, lo: int, hi: int, rules: Rules, room: Room, board: Board, trend: Ints) -> None:
    """Add one unit to each bucket that holds an entry of it, each bucket by its own funnel."""
    edges = rules.edges
    instant, i, k = lo, lo, 0
    while i < hi and times[i] < rules.end:
        if times[i] != times[instant]:
            instant = i
        if not masks[i] & 1 or times[i] < rules.start:
            i += 1
            continue
        while edges[k + 1] <= times[i]:
            k += 1
        end = min(rules.end, edges[k + 1])
        level, _, _ = reach(times, masks, instant, hi, times[i], end, rules, room, board)
        trend[k, ENTRANTS] += 1
        trend[k, state_of(level, rules, board)] += 1
        while i < hi and times[i] < end:
            i += 1


@inner
def state_of(level: int, rules: Rules, board: Board) -> int:
    if level == rules.within.size:
        return CONVERTED
    return PENDING if is_pending(level, rules, board) else LOST


@compiled
def match_units(times: Ints, masks: Ints, offsets: Ints, first: int, last: int, rules: Rules, answer: Answer) -> int:
    """Match the units first..last - 1, whose events, in order of time, are ``offsets[u]`` to ``offsets[u + 1] - 1``.

    Returns how many entered.
    """
    steps, longest = rules.within.size, 1
    for u in range(first, last):
        longest = max(longest, offsets[u + 1] - offsets[u])
    board, room = Board(np.empty((3, steps), np.int64), np.empty((2, longest), np.int64)), make_room(steps)
    return match_each(times, masks, offsets, first, last, rules, answer, room, board, np.empty(longest, np.int64))


@inner
def match_each(
    times: Ints,
    masks: Ints,
    offsets: Ints,
    first: int,
    last: int,
    rules: Rules,
    answer: Answer,
    room: Room,
    board: Board,
    leads: Ints,
) -> int:
    """``leads``: room for the events of the longest unit."""
    steps, ripe, count = rules.within.size, min(rules.end, rules.as_of - rules.window), 0
    for u in range(first, last):
        lo, hi = offsets[u], offsets[u + 1]
        while hi > lo and times[hi - 1] > rules.as_of:
            hi -= 1
        if lie_apart(times, lo, hi):
            level, state, entered = match_unit(
                times,
                masks,
                lo,
                hi,
                rules.within,
                rules.window,
                rules.start,
                rules.end,
                rules.as_of,
                rules.edges,
                board.steps,
                leads,
                count,
                answer.witness,
                answer.mature,
                answer.trend,
            )
            if level > 0:
                answer.units[count], answer.levels[count] = u, level
                answer.states[count], answer.entered[count] = state, entered
                count += 1
            continue
        level, top, entered = reach(times, masks, lo, hi, rules.start, rules.end, rules, room, board)
        if level == 0:
            continue
        state = state_of(level, rules, board)
        answer.units[count], answer.levels[count] = u, level
        answer.states[count], answer.entered[count] = state, entered
        # One entry converted, or the newest of all: if that one's window has closed, the mature figures say the same.
        newest = board.steps[ENTRY, steps - 1 if level == steps else 0]
        earliest = max(rules.start, times[top] - rules.window)
        witness = answer.witness[count]
        witness[:] = -1
        look_back(times, masks, lo, hi, top, level, earliest, rules, room, board)
        walk(times, masks, lo, hi, level, earliest, room, board, witness)
        if newest >= ripe:
            level, _, _ = reach(times, masks, lo, hi, rules.start, ripe, rules, room, board)
        if level > 0:
            answer.mature[ENTRANTS] += 1
            answer.mature[CONVERTED if level == steps else LOST] += 1
        if rules.edges.size > 1:
            tally_buckets(times, masks, lo, hi, rules, room, board, answer.trend)
        count += 1
    return count
