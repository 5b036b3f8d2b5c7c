"""Which steps the events of one instant can serve: a bipartite matching of steps to distinct events.

A chain takes, at each instant, a *run*: steps from a first one f to a last one l, those between that are not optional
included, each served by an event of its own. ``find_runs`` says which runs there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funnels.kernel.words import Ints, inner, maker

RUNS, SEEN, HELD = 0, 1, 2  # rows of Room.steps
KEPT, OWNER, VIA, ROW = 0, 1, 2, 3  # rows of Room.events


class Room(NamedTuple):
    """Working room, made once and used for one instant after another."""

    steps: Ints  # (3, steps); RUNS: by first step the bits of the last ones; SEEN: a queue; HELD: a step's event
    events: Ints  # (4, steps * steps): the events kept of the instant; OWNER: an event's step


@maker
def make_room(steps: int) -> Room:
    return Room(np.empty((3, steps), np.int64), np.empty((4, steps * steps), np.int64))


@inner
def keep_events(masks: Ints, first: int, last: int, allowed: int, steps: int, room: Room) -> int:
    """Copy to ``KEPT`` what of an instant's masks can matter, at most steps * steps; returns how many.

    An event all of whose steps already have ``steps`` events is left out: whichever step it served, one of those is free,
    and comes earlier.
    """
    room.steps[SEEN, :] = 0
    count = 0
    for i in range(first, last):
        mask = masks[i] & allowed
        wanted = False
        for a in range(steps):
            if mask >> a & 1 and room.steps[SEEN, a] < steps:
                wanted = True
        if wanted:
            room.events[KEPT, count] = mask
            room.events[ROW, count] = i
            count += 1
            for a in range(steps):
                room.steps[SEEN, a] += mask >> a & 1
    room.events[OWNER, :count] = -1
    room.steps[HELD, :] = -1
    return count


@inner
def serve(step: int, count: int, keep: bool, room: Room) -> bool:
    """Could ``step`` have an event, if other steps moved to other events (one augmenting path, breadth first)?

    With ``keep`` it then has it.
    """
    room.events[VIA, :count] = -1
    queue = room.steps[SEEN]
    queue[0] = step
    head, tail = 0, 1
    while head < tail:
        asking = queue[head]
        head += 1
        for event in range(count):
            if room.events[VIA, event] >= 0 or not room.events[KEPT, event] >> asking & 1:
                continue
            room.events[VIA, event] = asking
            if room.events[OWNER, event] >= 0:
                queue[tail] = room.events[OWNER, event]
                tail += 1
                continue
            if keep:
                hand_on(step, event, room)
            return True
    return False


@inner
def hand_on(step: int, free: int, room: Room) -> None:
    """Walk the path found by ``serve`` back from its free event to ``step``: each step on it moves to the next event."""
    while True:
        mover = room.events[VIA, free]
        left = room.steps[HELD, mover]
        room.events[OWNER, free], room.steps[HELD, mover] = mover, free
        if mover == step:
            return
        free = left


@inner
def release(room: Room) -> None:
    """No step has an event."""
    for a in range(room.steps.shape[1]):
        if room.steps[HELD, a] >= 0:
            room.events[OWNER, room.steps[HELD, a]] = -1
            room.steps[HELD, a] = -1


@inner
def find_runs(masks: Ints, first: int, last: int, allowed: int, optional: int, apart: bool, room: Room) -> int:
    """Set ``RUNS`` for the instant of events first..last - 1, of whose masks only the bits ``allowed`` count.

    ``apart``: no two steps at one instant. Returns the steps that any event there may serve, as bits.
    """
    available, several = 0, False
    for i in range(first, last):
        mask = masks[i] & allowed
        available |= mask
        several |= mask & (mask - 1) != 0
    runs = room.steps[RUNS]
    if available & (available - 1) == 0 or apart or last == first + 1:
        for f in range(runs.size):
            runs[f] = available & (1 << f)
    elif several:
        match_runs(masks, first, last, allowed, optional, available, room)
    else:  # each event serves one step, so no two steps want the same one
        for f in range(runs.size):
            runs[f] = 0
            left = available >> f << f if available >> f & 1 else 0
            for b in range(f, runs.size):
                if left >> b & 1:
                    runs[f] |= 1 << b
                elif not optional >> b & 1:
                    break
    return available


@inner
def match_runs(masks: Ints, first: int, last: int, allowed: int, optional: int, available: int, room: Room) -> None:
    runs, steps = room.steps[RUNS], room.steps.shape[1]
    count = keep_events(masks, first, last, allowed, steps, room)
    for f in range(steps):
        runs[f] = 0
        if not available >> f & 1:
            continue
        release(room)
        serve(f, count, True, room)
        runs[f] = 1 << f
        for b in range(f + 1, steps):
            if optional >> b & 1:
                if available >> b & 1 and serve(b, count, False, room):
                    runs[f] |= 1 << b
            elif available >> b & 1 and serve(b, count, True, room):
                runs[f] |= 1 << b
            else:
                break


@inner
def choose_events(masks: Ints, first: int, last: int, wanted: int, optional: int, room: Room, witness: Ints) -> None:
    """Write which events of an instant serve the steps ``wanted`` (bits; they can be served).

    Of all ways the one with the lexicographically smallest rows, over the required steps, then over the optional ones.
    """
    if last == first + 1 or wanted & (wanted - 1) == 0:
        for a in range(room.steps.shape[1]):
            if wanted >> a & 1:
                i = first
                while not masks[i] >> a & 1:
                    i += 1
                witness[a] = i
        return
    count = keep_events(masks, first, last, wanted, room.steps.shape[1], room)
    for a in range(room.steps.shape[1]):
        if wanted >> a & 1:
            serve(a, count, True, room)
    settle(wanted & ~optional, count, room, witness)
    settle(wanted & optional, count, room, witness)


@inner
def settle(wanted: int, count: int, room: Room, witness: Ints) -> None:
    for a in range(room.steps.shape[1]):
        if wanted >> a & 1:
            event = 0
            while not (room.events[KEPT, event] >> a & 1 and take(a, event, count, room)):
                event += 1
            witness[a] = room.events[ROW, event]
            room.events[KEPT, event] = 0  # nobody else may have it


@inner
def take(step: int, event: int, count: int, room: Room) -> bool:
    """Give ``event`` to ``step``, which has another; False if its owner would then find none."""
    owner, left = room.events[OWNER, event], room.steps[HELD, step]
    if owner == step:
        return True
    kept = room.events[KEPT, event]
    room.events[OWNER, left], room.events[OWNER, event] = -1, step
    room.events[KEPT, event] = 0
    if owner >= 0:
        room.steps[HELD, owner] = -1
        if not serve(owner, count, True, room):
            room.events[OWNER, left], room.events[OWNER, event] = step, owner
            room.steps[HELD, owner] = event
            room.events[KEPT, event] = kept
            return False
    room.steps[HELD, step] = event
    return True
