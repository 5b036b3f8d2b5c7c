"""Amplitude's funnels for unique users (after its documentation; the matcher is not public).

What it changes against our definition
- Time is in whole seconds: within a second either order counts, and of two events alike (of the same steps) one counts.
- Uniques take the longest path, then the earliest: as ours does, over those seconds. Any clean path may convert past an
  exclusion. The entry lies in the range, later steps count until the window's end, also after ``to``. No pending.
- ``any``: the first step still comes first; the others follow in any order within the window. No exclusions with it.
- ``strict`` (its exact order): an event of another name in the same second as a neighbour is ignored there; here only at
  the very microsecond (as with its option of millisecond resolution), since the streams do not tell the time of others.
- Refused: ties, optional steps, ``within``, hold (it counts pairs of unit and value), re-entry and witness rules, attempts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from funnels.kernel import Ints
from funnels.kernel.words import compiled
from funnels.match import Outcome, Rules, Streams, match_streams
from funnels.presets.by_unit import SECOND, Events, Found, Limits, entered, outcome, settled


def match(streams: Streams, rules: Rules) -> Outcome:
    """The times told are those of the events, in microseconds."""
    whole = replace(streams, times=streams.times // SECOND * SECOND)
    alone = replace(whole, masks=np.where(_is_repeated(whole), 0, streams.masks))
    found = outcome(alone, rules, _any_order, within_range=False) if rules.order == "any" else _in_order(alone, rules)
    return replace(found, event_times=streams.times, entered=entered(streams, found.witness))


def _in_order(streams: Streams, rules: Rules) -> Outcome:
    return settled(match_streams(streams, rules))


def _is_repeated(streams: Streams) -> NDArray[np.bool_]:
    """Events of the same unit, second and steps as one before them. Only events that share a second need sorting."""
    follows = (streams.units[1:] == streams.units[:-1]) & (streams.times[1:] == streams.times[:-1])
    rows = np.flatnonzero(np.append(follows, False) | np.append(False, follows))
    order = rows[np.lexsort((rows, streams.masks[rows], streams.times[rows], streams.units[rows]))]
    same = [column[order][1:] == column[order][:-1] for column in (streams.units, streams.times, streams.masks)]
    repeated = np.zeros(streams.units.size, np.bool_)
    repeated[order[1:]] = same[0] & same[1] & same[2]
    return repeated


def _any_order(events: Events, limits: Limits, found: Found) -> None:
    longest = int((events.offsets[1] - events.offsets[0]).max(initial=1))
    room = np.empty((2, longest), np.int64)
    _walk(events, limits, found, room, np.empty((2, limits.steps), np.int64))


@compiled
def _walk(events: Events, limits: Limits, found: Found, room: Ints, steps: Ints) -> None:
    """For each entry, match the other steps to distinct events of its window (augmenting paths); the longest first wins.

    ``room``: per event who holds it, and who asked for it last; ``steps``: per step its event, and a queue.
    """
    for u in range(events.offsets.shape[1]):
        lo, hi = events.offsets[0, u], events.offsets[1, u]
        for entry in range(lo, hi):
            if found.levels[u] == limits.steps:
                break
            if not events.masks[entry] & 1 or not limits.start <= events.times[entry] < limits.end:
                continue
            first, last = entry, entry
            while first > lo and events.times[first - 1] == events.times[entry]:
                first -= 1
            while last < hi and events.times[last] <= events.times[entry] + limits.window:
                last += 1
            steps[0, :], steps[0, 0] = -1, entry
            room[0, : last - first] = -1
            room[0, entry - first] = 0
            level = 1
            for a in range(1, limits.steps):
                level += _serve(a, first, last, events, room, steps)
            if level > found.levels[u]:
                found.levels[u] = level
                found.witness[u] = steps[0]


@compiled
def _serve(step: int, first: int, last: int, events: Events, room: Ints, steps: Ints) -> bool:
    """Give the step an event, moving other steps (never the first) to other events where that helps; earliest first."""
    holders, askers = room[0], room[1]
    askers[: last - first] = -1
    queue = steps[1]
    queue[0] = step
    head, tail = 0, 1
    while head < tail:
        asking = queue[head]
        head += 1
        for row in range(first, last):
            k = row - first
            if askers[k] >= 0 or holders[k] == 0 or not events.masks[row] >> asking & 1:
                continue
            askers[k] = asking
            if holders[k] > 0:
                queue[tail] = holders[k]
                tail += 1
                continue
            while True:
                mover = askers[k]
                left = steps[0, mover]
                holders[k], steps[0, mover] = mover, first + k
                if mover == step:
                    return True
                k = left - first
    return False
