"""The matcher's inner loops, compiled by numba: serial, without the GIL, linear in a unit's events.

Words
- An *instant* is a moment with all events of the unit that carry it. A chain takes, at each instant, a *run*: neighbouring
  steps a..b served by distinct events there (``find_runs``, a bipartite matching).
- ``at[a]`` and ``entry[a]``: the last instant at which a chain of steps 0..a ended, and the latest entry of such a chain.

Why one pair per step is enough, without queues (proved by crossing, and held to the oracle over a million streams)
- Say P and Q are chains to step a, Q ends later but began earlier. Somewhere Q is behind P for the last time; follow P to
  there and go on with Q: the gap only shrinks, so ``within`` still holds, and at a shared instant Q's run is part of
  P's. That chain ends with Q and began with P. So of the chains to a step, the one that ends last also has the latest
  entry, and the last pair serves both ``within`` and the window best.
- By the same crossing, the witness (smallest times) ends at the first instant ``top`` at which the level was reached, so
  the way back needs only bits: from which steps at which instants can ``top`` be reached.

What a widening must mind: both hold for chains that differ in nothing but times. A rule that ties a chain to its own past
(held values, exclusions, optional steps) needs the argument again.

One file, however long: numba's cache of a function notices changes of that function's own file only.

All times are microseconds since 1970 in UTC. Steps count from 0 here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from funnels.kernel.apart import match_apart
from funnels.kernel.words import ALWAYS, CONVERTED, ENTRANTS, LOST, NEVER, PENDING, Ints, compiled


class Rules(NamedTuple):
    """One question in numbers; as_of, start and end are times, the rest durations."""

    within: Ints  # per step: the longest gap to the step before; ALWAYS where there is none, and for step 0
    window: int
    start: int  # entries count if start <= t < end
    end: int
    as_of: int  # events after it are not there
    edges: Ints  # the trend's buckets [edges[k], edges[k + 1]), covering [start, end); empty for no trend


class Answer(NamedTuple):
    """What ``match_units`` fills in; zeros, -1 and NEVER before."""

    levels: Ints  # (units,) steps reached, 0: no entry
    states: NDArray[np.int8]  # (units,) 0: no entry
    witness: Ints  # (units, steps) the event that served the step; -1 where the step was not reached
    entered: Ints  # (units,) the first entry
    mature: Ints  # (5,) a tally of entries whose window has closed
    trend: Ints  # (buckets, 5) tallies


RUN, AT, ENTRY, SOONEST, HELD, SEEN = 0, 1, 2, 3, 4, 5  # rows of Board.steps
KEPT, OWNER, VIA, ROW = 0, 1, 2, 3  # rows of Board.instant
BEGINS, ENDS = 0, 1  # rows of Board.unit


class Board(NamedTuple):
    """Working room, made once and used for one unit after another.

    Three arrays with named rows, since every array handed to a compiled function costs about as much as matching an event
    (eleven of them made the matcher three times slower).
    """

    steps: Ints  # (6, steps); SOONEST: looking back, the nearest later instant from which a run leads to the end
    instant: Ints  # (4, steps * steps): the events kept of one instant, while steps are matched to them
    unit: Ints  # (2, events of the longest unit), see look_back


@compiled
def keep_events(masks: Ints, first: int, last: int, steps: int, board: Board) -> int:
    """Copy to ``kept`` the masks of an instant that can matter, at most steps * steps; returns how many.

    An event all of whose steps already have ``steps`` events is left out: whichever step it served, one of those is free.
    """
    board.steps[SEEN, :] = 0
    count = 0
    for i in range(first, last):
        wanted = False
        for a in range(steps):
            if masks[i] >> a & 1 and board.steps[SEEN, a] < steps:
                wanted = True
        if wanted:
            board.instant[KEPT, count] = masks[i]
            board.instant[ROW, count] = i
            count += 1
            for a in range(steps):
                board.steps[SEEN, a] += masks[i] >> a & 1
    return count


@compiled
def serve(step: int, count: int, queue: Ints, board: Board) -> bool:
    """Give ``step`` an event, moving other steps to other events where that helps (one augmenting path, breadth first)."""
    board.instant[VIA, :count] = -1
    queue[0] = step
    head, tail = 0, 1
    while head < tail:
        asking = queue[head]
        head += 1
        for event in range(count):
            if board.instant[VIA, event] >= 0 or not board.instant[KEPT, event] >> asking & 1:
                continue
            board.instant[VIA, event] = asking
            if board.instant[OWNER, event] >= 0:
                queue[tail] = board.instant[OWNER, event]
                tail += 1
                continue
            free = event
            while True:
                mover = board.instant[VIA, free]
                left = board.steps[HELD, mover]
                board.instant[OWNER, free], board.steps[HELD, mover] = mover, free
                if mover == step:
                    return True
                free = left
    return False


@compiled
def find_runs(masks: Ints, first: int, last: int, steps: int, board: Board) -> None:
    """Set ``run[a]`` to the end (exclusive) of the longest run from step a at the instant of events first..last - 1.

    ``run[a] == a`` where no event there matches step a. A run's end never falls as its start rises, so two pointers do.
    """
    run = board.steps[RUN]
    if last == first + 1:
        for a in range(steps):
            run[a] = a + (masks[first] >> a & 1)
        return
    count = keep_events(masks, first, last, steps, board)
    board.instant[OWNER, :count] = -1
    board.steps[HELD, :] = -1
    end = 0
    for a in range(steps):
        end = max(end, a)
        while end < steps and serve(end, count, board.steps[SEEN], board):
            end += 1
        run[a] = end
        if board.steps[HELD, a] >= 0:
            board.instant[OWNER, board.steps[HELD, a]] = -1
            board.steps[HELD, a] = -1


@compiled
def advance(t: int, fresh: bool, level: int, rules: Rules, board: Board) -> int:
    """Lengthen the chains by the runs of one instant; returns the highest step reached at it (as a count).

    Starts are taken from the highest down, so that nothing served here is lengthened here a second time, and so that
    what is written last, from the shortest chains, has the latest entries.
    """
    run, at, entry = board.steps[RUN], board.steps[AT], board.steps[ENTRY]
    best = 0
    for a in range(min(level, rules.within.size - 1), 0, -1):
        if run[a] > a and t - at[a - 1] <= rules.within[a] and t - entry[a - 1] <= rules.window:
            best = max(best, run[a])
            for b in range(a, run[a]):
                at[b] = t
                entry[b] = entry[a - 1]
    if fresh:
        best = max(best, run[0])
        for b in range(run[0]):
            at[b] = t
            entry[b] = t
    return best


@compiled
def reach(times: Ints, masks: Ints, lo: int, hi: int, start: int, end: int, rules: Rules, board: Board) -> tuple[int, int]:
    """The level of one unit for entries in [start, end), and the first event of the instant that first reached it.

    Stops as soon as every step is reached; ``at`` and ``entry`` speak of all events only where that did not happen.
    """
    steps = rules.within.size
    for a in range(steps):
        board.steps[AT, a], board.steps[ENTRY, a] = NEVER, NEVER
    level, top = 0, lo
    i = lo
    while i < hi and level < steps:
        t = times[i]
        if t >= end and t - board.steps[ENTRY, 0] > rules.window:
            break
        after = i + 1
        while after < hi and times[after] == t:
            after += 1
        fresh = start <= t < end
        if level > 0 or fresh:
            find_runs(masks, i, after, steps, board)
            best = advance(t, fresh, level, rules, board)
            if best > level:
                level, top = best, i
        i = after
    return level, top


@compiled
def is_pending(level: int, rules: Rules, board: Board) -> bool:
    """Could events after ``as_of`` still complete a chain that ``reach`` left unfinished?"""
    for a in range(min(level, rules.within.size - 1)):
        if board.steps[ENTRY, a] + rules.window > rules.as_of and board.steps[AT, a] + rules.within[a + 1] > rules.as_of:
            return True
    return False


@compiled
def look_back(
    times: Ints, masks: Ints, lo: int, hi: int, top: int, level: int, earliest: int, rules: Rules, board: Board
) -> None:
    """For each instant from ``earliest`` to that of ``top``: which steps there still lead to step ``level - 1`` at ``top``.

    At an instant's first event i, bit a of ``begins[i - lo]``: a run that starts with step a does; bit b of
    ``ends[i - lo]``: a run that ends with step b does. Other events of the instant have ``begins`` 0.
    """
    begins, soonest, run = board.unit[BEGINS], board.steps[SOONEST], board.steps[RUN]
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
        find_runs(masks, i, last, rules.within.size, board)
        leads = 1 << (level - 1) if i == top else 0
        for b in range(level - 1):
            if soonest[b + 1] != ALWAYS and soonest[b + 1] - t <= rules.within[b + 1]:
                leads |= 1 << b
        board.unit[ENDS, i - lo] = leads
        for a in range(level):
            if leads & ((1 << run[a]) - (1 << a)):
                begins[i - lo] |= 1 << a
        for a in range(level):
            if begins[i - lo] >> a & 1:
                soonest[a] = t
        last = i


@compiled
def choose_events(masks: Ints, first: int, last: int, a: int, b: int, steps: int, board: Board, witness: Ints) -> None:
    """Write which events of an instant serve steps a..b: of all ways the one with the lexicographically smallest rows."""
    if last == first + 1:
        witness[a] = first
        return
    count = keep_events(masks, first, last, steps, board)
    board.instant[OWNER, :count] = -1
    board.steps[HELD, :] = -1
    for step in range(a, b + 1):
        serve(step, count, board.steps[SEEN], board)
    for step in range(a, b + 1):
        for event in range(count):
            if board.instant[KEPT, event] >> step & 1 and take(step, event, count, board):
                witness[step] = board.instant[ROW, event]
                board.instant[KEPT, event] = 0  # nobody else may have it
                break


@compiled
def take(step: int, event: int, count: int, board: Board) -> bool:
    """Give ``event`` to ``step``, for good; False if its owner would find no other."""
    owner, left = board.instant[OWNER, event], board.steps[HELD, step]
    if owner == step:
        return True
    kept = board.instant[KEPT, event]
    board.instant[OWNER, left], board.instant[OWNER, event] = -1, step
    board.instant[KEPT, event] = 0
    if owner >= 0:
        board.steps[HELD, owner] = -1
        if not serve(owner, count, board.steps[SEEN], board):
            board.instant[OWNER, left], board.instant[OWNER, event] = step, owner
            board.steps[HELD, owner] = event
            board.instant[KEPT, event] = kept
            return False
    board.steps[HELD, step] = event
    return True


@compiled
def walk(
    times: Ints, masks: Ints, lo: int, hi: int, level: int, earliest: int, rules: Rules, board: Board, witness: Ints
) -> None:
    """Write the witness's times: the first entry that leads to the end, then at each instant the longest run that does."""
    i = lo
    while times[i] < earliest:
        i += 1
    a = 0
    while a < level:
        while not board.unit[BEGINS, i - lo] >> a & 1:
            i += 1
        after = i + 1
        while after < hi and times[after] == times[i]:
            after += 1
        find_runs(masks, i, after, rules.within.size, board)
        b = min(board.steps[RUN, a], level) - 1
        while not board.unit[ENDS, i - lo] >> b & 1:
            b -= 1
        choose_events(masks, i, after, a, b, rules.within.size, board, witness)
        a = b + 1
        i = after


@compiled
def tally_buckets(times: Ints, masks: Ints, lo: int, hi: int, rules: Rules, board: Board, trend: Ints) -> None:
    """Add one unit to each bucket that holds an entry of it, each bucket by its own funnel."""
    steps, edges = rules.within.size, rules.edges
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
        level, _ = reach(times, masks, instant, hi, times[i], end, rules, board)
        trend[k, ENTRANTS] += 1
        if level == steps:
            trend[k, CONVERTED] += 1
        elif is_pending(level, rules, board):
            trend[k, PENDING] += 1
        else:
            trend[k, LOST] += 1
        while i < hi and times[i] < end:
            i += 1


@compiled
def match_units(times: Ints, masks: Ints, offsets: Ints, rules: Rules, answer: Answer) -> None:
    """Match every unit u, whose events, in order of time, are ``offsets[u]`` to ``offsets[u + 1] - 1``."""
    left = match_apart(
        times,
        masks,
        offsets,
        rules.within,
        rules.window,
        rules.start,
        rules.end,
        rules.as_of,
        rules.edges,
        answer.levels,
        answer.states,
        answer.witness,
        answer.entered,
        answer.mature,
        answer.trend,
    )
    steps = rules.within.size
    longest = 1
    for u in range(offsets.size - 1):
        longest = max(longest, offsets[u + 1] - offsets[u])
    board = Board(np.empty((6, steps), np.int64), np.empty((4, steps * steps), np.int64), np.empty((2, longest), np.int64))
    ripe = min(rules.end, rules.as_of - rules.window)
    for u in range(offsets.size - 1):
        if not left[u]:
            continue
        lo, hi = offsets[u], offsets[u + 1]
        while hi > lo and times[hi - 1] > rules.as_of:
            hi -= 1
        level, top = reach(times, masks, lo, hi, rules.start, rules.end, rules, board)
        if level == 0:
            continue
        answer.levels[u] = level
        if level == steps:
            answer.states[u] = CONVERTED
        else:
            answer.states[u] = PENDING if is_pending(level, rules, board) else LOST
        first = lo
        while times[first] < rules.start or not masks[first] & 1:
            first += 1
        answer.entered[u] = times[first]
        earliest = max(rules.start, times[top] - rules.window)
        look_back(times, masks, lo, hi, top, level, earliest, rules, board)
        walk(times, masks, lo, hi, level, earliest, rules, board, answer.witness[u])
        if ripe < rules.end:
            level, top = reach(times, masks, lo, hi, rules.start, ripe, rules, board)
        answer.mature[ENTRANTS] += level > 0
        answer.mature[CONVERTED] += level == steps
        answer.mature[LOST] += 0 < level < steps
        if rules.edges.size > 1:
            tally_buckets(times, masks, lo, hi, rules, board, answer.trend)
