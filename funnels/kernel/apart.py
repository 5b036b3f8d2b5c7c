"""Plain chains (``plain``) of units no two of whose events share an instant, which nearly all are: the loop that is fast.

Then an instant is one event, a run is one step, and nothing has to be matched within an instant. What remains of ``plain``
is written here without a call: a function that takes arrays costs more than matching an event does, so all of this is
spliced into the loop over the units (``inline``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

from funnels.kernel.words import ALWAYS, CONVERTED, ENTRANTS, LOST, NEVER, PENDING, Ints

AT, ENTRY, SOONEST = 0, 1, 2  # rows of the board

_Function = TypeVar("_Function", bound=Callable[..., object])


def spliced(function: _Function) -> _Function:
    """Compile into whoever calls it."""
    return cast(_Function, numba.njit(inline="always")(function))


@spliced
def reach(
    times: Ints, masks: Ints, lo: int, hi: int, start: int, end: int, window: int, within: Ints, board: Ints
) -> tuple[int, int]:
    """The level for entries in [start, end), and the event that first reached it, as in ``plain.reach``."""
    steps = within.size
    for a in range(steps):
        board[AT, a] = NEVER
        board[ENTRY, a] = NEVER
    level, top, latest = 0, lo, NEVER
    for i in range(lo, hi):
        t, mask = times[i], masks[i]
        if t >= end and t - latest > window:
            break
        for a in range(min(level, steps - 1), 0, -1):
            if mask >> a & 1 and t - board[AT, a - 1] <= within[a] and t - board[ENTRY, a - 1] <= window:
                board[AT, a] = t
                board[ENTRY, a] = board[ENTRY, a - 1]
                if a >= level:
                    level, top = a + 1, i
        if mask & 1 and start <= t < end:
            board[AT, 0] = t
            board[ENTRY, 0] = t
            latest = t
            if level == 0:
                level, top = 1, i
        if level == steps:
            break
    return level, top


@spliced
def state_of(level: int, window: int, as_of: int, within: Ints, board: Ints) -> int:
    """Of a unit that ``reach`` has just walked."""
    if level == within.size:
        return CONVERTED
    for a in range(level):
        if board[ENTRY, a] + window > as_of and board[AT, a] + within[a + 1] > as_of:
            return PENDING
    return LOST


@spliced
def lie_apart(times: Ints, lo: int, hi: int) -> bool:
    i = lo + 1
    while i < hi and times[i] != times[i - 1]:
        i += 1
    return i >= hi


@spliced
def match_unit(
    times: Ints,
    masks: Ints,
    lo: int,
    hi: int,
    within: Ints,
    window: int,
    start: int,
    end: int,
    as_of: int,
    edges: Ints,
    board: Ints,
    leads: Ints,
    row: int,
    witness: Ints,
    mature: Ints,
    trend: Ints,
) -> tuple[int, int, int]:
    """Level, state and first entry of the unit of events lo..hi - 1, and its witness, mature figures and buckets.

    ``leads``: bit a of an event's: it serves step a, and from there the end can be reached.
    """
    steps, ripe = within.size, min(end, as_of - window)
    level, top = reach(times, masks, lo, hi, start, end, window, within, board)
    state, first = LOST, lo
    if level > 0:
        state = state_of(level, window, as_of, within, board)
        while times[first] < start or not masks[first] & 1:
            first += 1

        # Back from ``top``: an event leads there by step b if the nearest later one that does by step b + 1 is near enough.
        earliest = max(start, times[top] - window)
        for b in range(level):
            board[SOONEST, b] = ALWAYS
        board[SOONEST, level - 1] = times[top]
        leads[top - lo] = 1 << (level - 1)
        i = top - 1
        while i >= lo and times[i] >= earliest:
            t, mask, bits = times[i], masks[i], 0
            for b in range(level - 1):
                if mask >> b & 1 and board[SOONEST, b + 1] != ALWAYS and board[SOONEST, b + 1] - t <= within[b + 1]:
                    bits |= 1 << b
                    board[SOONEST, b] = t
            leads[i - lo] = bits
            i -= 1
        for a in range(steps):
            witness[row, a] = -1
        for a in range(level):
            i += 1
            while not leads[i - lo] >> a & 1:
                i += 1
            witness[row, a] = i

        # The mature figures say the same, unless an entry whose window is open made the difference.
        ripe_level = level
        if ripe < end:
            late = level == steps and times[witness[row, 0]] >= ripe
            i = hi - 1
            while level < steps and not late and i >= lo and times[i] >= ripe:
                late = masks[i] & 1 == 1 and times[i] < end
                i -= 1
            if late:
                ripe_level, _ = reach(times, masks, lo, hi, start, ripe, window, within, board)
        if ripe_level > 0:
            mature[ENTRANTS] += 1
            mature[CONVERTED if ripe_level == steps else LOST] += 1

        if edges.size > 1:
            i, k = first, 0
            while i < hi and times[i] < end:
                if not masks[i] & 1:
                    i += 1
                    continue
                while edges[k + 1] <= times[i]:
                    k += 1
                until = min(end, edges[k + 1])
                reached, _ = reach(times, masks, i, hi, times[i], until, window, within, board)
                trend[k, ENTRANTS] += 1
                trend[k, state_of(reached, window, as_of, within, board)] += 1
                while i < hi and times[i] < until:
                    i += 1
    return level, state, times[first] if level > 0 else NEVER
