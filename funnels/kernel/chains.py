"""Chains in time under every rule (order sequential or strict), linear in events but for a binary search here and there.

Words
- A *lane* holds the events of a unit that a chain may use together: all of them, or (hold constant) those of one code.
- Of the chains to a step only the instant of its last event and its entry matter for what may follow; later is better for
  both. So a lane keeps per step a queue of the pairs that no other one beats: times rise and entries fall from head to
  tail, and of those young enough for a ``within`` the oldest has the latest entry.
- An excluded event ends every chain that has reached ``after``, but not ``before``, whatever else it went through: it
  empties the queues of the steps between. Only chains whose ``after`` event lies at this very instant go on, and those are
  the runs that begin no later than with that step (``limits``).

The way to a witness
1. ``reach``, forward: the level of each lane; what could still go on; and for ``shortest`` the shortest length, with its
   first entry.
2. ``first_entry``, backward (earliest only): the first entry from which the level is reached within its window. Here a
   queue holds where a run may begin and how early the level is reached from there.
3. ``look_back``: from which steps at which instants the last step can be reached in time, now that the entry is known.
4. ``walk``: the smallest times of the required steps. Chains that share these differ in optional steps only, so the way
   needs to remember, per step, the latest time at which it may have been the last one.
5. ``take_optional``: the smallest times of the optional steps beside those, looking back once more.
6. ``choose_events``, at each instant: the smallest rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funnels.kernel.cases import Events, Rules
from funnels.kernel.instant import RUNS, Room, choose_events, find_runs, keep_events, serve
from funnels.kernel.words import ALWAYS, NEVER, Ints, inner, maker

HEAD, TAIL, UNENDED = 0, 1, 2  # rows of a lane in Board.lanes; UNENDED: whether a chain to the step met no exclusion
ARRIVE, VALUE, ALIVE, LIMIT, NEAREST, WALL, CURRENT, TAU, KEPT_TAU = 0, 1, 2, 3, 4, 5, 6, 7, 8  # rows of Board.steps
TIME, ENTRY = 0, 1  # rows of Board.queue
BEGINS, ENDS = 0, 1  # rows of Board.marks


class Board(NamedTuple):
    """Working room of one thread."""

    lanes: Ints  # (lanes, 3, steps), or one lane where lanes are looked at one after the other
    steps: Ints  # (9, steps)
    queue: Ints  # (2, places): room for one pair per event and step
    marks: Ints  # (2, events of the longest lane): bits per instant, at its first event
    chosen: Ints  # (2, steps): rows of the events of a lane's witness, and of the best one so far
    found: Ints  # (3, lanes): what was found in each lane of a unit


@maker
def make_board(queues: int, lanes: int, steps: int, places: int, longest: int) -> Board:
    return Board(
        np.empty((queues, 3, steps), np.int64),
        np.empty((9, steps), np.int64),
        np.empty((2, places), np.int64),
        np.empty((2, longest), np.int64),
        np.empty((2, steps), np.int64),
        np.empty((3, lanes), np.int64),
    )


@inner
def position(times: Ints, lo: int, hi: int, time: int) -> int:
    """The first event from lo on that is not before ``time``."""
    while lo < hi:
        middle = (lo + hi) // 2
        if times[middle] < time:
            lo = middle + 1
        else:
            hi = middle
    return lo


@inner
def instant_end(times: Ints, first: int, hi: int) -> int:
    after = first + 1
    while after < hi and times[after] == times[first]:
        after += 1
    return after


@inner
def barred_here(events: Events, first: int, last: int) -> int:
    bars = 0
    if events.bars.size:
        for i in range(first, last):
            bars |= events.bars[i]
    return bars


@inner
def set_limits(bars: int, rules: Rules, board: Board) -> None:
    """``LIMIT``: per last step of a run, the last step that the run may begin with if the chain is to go on."""
    limits = board.steps[LIMIT]
    limits[:] = limits.size
    for x in range(rules.since.size):
        if bars >> x & 1:
            for a in range(rules.since[x], rules.until[x]):
                limits[a] = min(limits[a], rules.since[x])


# Forward


@inner
def lay_queues(events: Events, lo: int, hi: int, base: int, lane: int, board: Board) -> int:
    """Empty queues for a lane, with room for what its events can bring; returns where the room ends."""
    heads, tails = board.lanes[lane, HEAD], board.lanes[lane, TAIL]
    tails[:] = 0
    for i in range(lo, hi):
        mask = events.masks[i]
        for a in range(tails.size):
            tails[a] += mask >> a & 1
    for a in range(tails.size):
        heads[a] = base
        base += tails[a]
        tails[a] = heads[a]
    board.lanes[lane, UNENDED, :] = 0
    return base


@inner
def latest_entry(lane: int, a: int, t: int, f: int, rules: Rules, board: Board) -> int:
    """The latest entry of a chain to step a that step f may follow at t; NEVER if none."""
    head, tail = board.lanes[lane, HEAD, a], board.lanes[lane, TAIL, a]
    at = position(board.queue[TIME], head, tail, t - rules.within[f])
    if at == tail or board.queue[ENTRY, at] < t - rules.window:
        return NEVER
    return int(board.queue[ENTRY, at])


@inner
def forget_old(lane: int, a: int, t: int, rules: Rules, board: Board) -> None:
    """Drop pairs that are too old for every step that may follow."""
    longest = 0
    for f in range(a + 1, rules.behind[a] + 1):
        longest = max(longest, rules.within[f])
    head, tail = board.lanes[lane, HEAD, a], board.lanes[lane, TAIL, a]
    while head < tail and (board.queue[TIME, head] < t - longest or board.queue[ENTRY, head] < t - rules.window):
        head += 1
    board.lanes[lane, HEAD, a] = head


@inner
def lengthen(lane: int, t: int, available: int, fresh: bool, rules: Rules, room: Room, board: Board) -> None:
    """``VALUE``: per step the latest entry of a chain that ends with it now; ``ALIVE``: of one that may go on from here.

    ``fresh``: chains begin here, else only those are lengthened that began before.
    """
    arrive, value, alive, limits = board.steps[ARRIVE], board.steps[VALUE], board.steps[ALIVE], board.steps[LIMIT]
    value[:] = NEVER
    alive[:] = NEVER
    for f in range(value.size):
        if not available >> f & 1:
            continue
        arrive[f] = t if f == 0 and fresh else NEVER
        for a in range(rules.before[f], f):
            if board.lanes[lane, HEAD, a] < board.lanes[lane, TAIL, a]:
                forget_old(lane, a, t, rules, board)
                arrive[f] = max(arrive[f], latest_entry(lane, a, t, f, rules, board))
        if arrive[f] == NEVER:
            continue
        for b in range(f, value.size):
            if room.steps[RUNS, f] >> b & 1:
                value[b] = max(value[b], arrive[f])
                if f <= limits[b]:
                    alive[b] = max(alive[b], arrive[f])


@inner
def empty_queues(lane: int, bars: int, rules: Rules, board: Board) -> None:
    for x in range(rules.since.size):
        if bars >> x & 1:
            for a in range(rules.since[x], rules.until[x]):
                board.lanes[lane, HEAD, a] = board.lanes[lane, TAIL, a]
                board.lanes[lane, UNENDED, a] = 0


@inner
def queue_up(lane: int, t: int, board: Board) -> None:
    """Add the chains that may go on from here, in place of those that they beat."""
    for a in range(board.steps.shape[1]):
        entry = board.steps[ALIVE, a]
        if entry == NEVER:
            continue
        board.lanes[lane, UNENDED, a] = 1
        head, tail = board.lanes[lane, HEAD, a], board.lanes[lane, TAIL, a]
        while tail > head and board.queue[ENTRY, tail - 1] <= entry:
            tail -= 1
        board.queue[TIME, tail], board.queue[ENTRY, tail] = t, entry
        board.lanes[lane, TAIL, a] = tail + 1


@inner
def drop_all(lane: int, board: Board) -> None:
    for a in range(board.steps.shape[1]):
        board.lanes[lane, HEAD, a] = board.lanes[lane, TAIL, a]


@inner
def reach(
    events: Events, lo: int, hi: int, start: int, end: int, rules: Rules, room: Room, board: Board
) -> tuple[int, int, int, int, int]:
    """The level of a lane's chains with entries in [start, end); then for the shortest of that level its length, its entry.

    Last: the first entry (NEVER: none), and the number of the last instant looked at. Stops early once all is known; the
    queues speak of all events only if the level is not complete.
    """
    steps = rules.within.size
    level, length, entry, first, newest, number = 0, ALWAYS, NEVER, NEVER, NEVER, -2
    i = position(events.times, lo, hi, start)
    lay_queues(events, i, hi, 0, 0, board)
    while i < hi:
        t = events.times[i]
        if t >= end and (newest == NEVER or t - newest > rules.window):
            break
        after = instant_end(events.times, i, hi)
        bars = barred_here(events, i, after)
        set_limits(bars, rules, board)
        fresh = t < end
        available = find_runs(events.masks, i, after, -1 if fresh else ~1, rules.optional, rules.apart, room)
        if rules.strict:
            if events.instants[i] != number + 1:
                drop_all(0, board)
            number = events.instants[i]
        if available & 1:
            newest = t
            if first == NEVER:
                first = t
        lengthen(0, t, available, fresh, rules, room, board)
        for b in range(steps):
            if board.steps[VALUE, b] != NEVER and rules.rank[b] >= level:
                if rules.rank[b] > level:
                    level, length = rules.rank[b], ALWAYS
                if t - board.steps[VALUE, b] < length:
                    length, entry = t - board.steps[VALUE, b], board.steps[VALUE, b]
        if level == rules.rank[steps - 1] and (not rules.shortest or length == 0):
            break
        if rules.strict:
            drop_all(0, board)
        empty_queues(0, bars, rules, board)
        queue_up(0, t, board)
        i = after
    return level, length, entry, first, number


@inner
def is_pending(spent: int, rules: Rules, board: Board) -> bool:
    """Could events after ``as_of`` still complete a chain that ``reach`` left in the queues?"""
    required = spent & ~rules.optional
    for a in range(rules.within.size - 1):
        if required >> (a + 1):
            continue
        for f in range(a + 1, rules.behind[a] + 1):
            if not spent >> f & 1:
                head, tail = board.lanes[0, HEAD, a], board.lanes[0, TAIL, a]
                at = position(board.queue[TIME], head, tail, rules.as_of - rules.within[f] + 1)
                if at < tail and board.queue[ENTRY, at] + rules.window > rules.as_of:
                    return True
    return False


# Backward


@inner
def first_entry(
    events: Events, lo: int, hi: int, start: int, end: int, final: int, rules: Rules, room: Room, board: Board
) -> int:
    """The first entry in [start, end) of a chain to step ``final``; NEVER if there is none.

    Queues hold, per step f, the instants at which a run may begin with f, and how early ``final`` is reached from there:
    from head to tail instants come nearer and reach it later.
    """
    walls, leave, arrive, limits = board.steps[WALL], board.steps[VALUE], board.steps[ARRIVE], board.steps[LIMIT]
    heads, tails = board.lanes[0, HEAD], board.lanes[0, TAIL]
    lo = position(events.times, lo, hi, start)
    lay_queues(events, lo, hi, 0, 0, board)
    walls[:] = ALWAYS
    found, number, last = NEVER, -2, hi
    while last > lo:
        t = events.times[last - 1]
        i = last - 1
        while i > lo and events.times[i - 1] == t:
            i -= 1
        bars = barred_here(events, i, last)
        set_limits(bars, rules, board)
        available = find_runs(events.masks, i, last, -1 if t < end else ~1, rules.optional, rules.apart, room)
        if rules.strict:
            if events.instants[i] != number - 1:
                drop_all(0, board)
            number = events.instants[i]
        for b in range(final + 1):
            leave[b] = t if b == final else ALWAYS
            if available >> b & 1 and b < final:
                for f in range(b + 1, min(rules.behind[b], final) + 1):
                    while heads[f] < tails[f] and board.queue[TIME, heads[f]] - t > min(rules.within[f], rules.window):
                        heads[f] += 1
                    at = nearest_allowed(board.queue[TIME], heads[f], tails[f], walls[b])
                    if at < tails[f]:
                        leave[b] = min(leave[b], board.queue[ENTRY, at])
        if rules.strict:
            drop_all(0, board)
        for f in range(final + 1):
            arrive[f] = ALWAYS
            if available >> f & 1:
                for b in range(f, final + 1):
                    if room.steps[RUNS, f] >> b & 1 and (b == final or f <= limits[b]):
                        arrive[f] = min(arrive[f], leave[b])
        if arrive[0] <= t + rules.window:
            found = t
        push_runs(t, final, board)
        raise_walls(t, bars, rules, board)
        last = i
    return found


@inner
def nearest_allowed(times: Ints, head: int, tail: int, wall: int) -> int:
    """The first place whose time (they fall) is not beyond the wall."""
    while head < tail:
        middle = (head + tail) // 2
        if times[middle] > wall:
            head = middle + 1
        else:
            tail = middle
    return head


@inner
def push_runs(t: int, final: int, board: Board) -> None:
    for f in range(1, final + 1):
        reached = board.steps[ARRIVE, f]
        if reached == ALWAYS:
            continue
        head, tail = board.lanes[0, HEAD, f], board.lanes[0, TAIL, f]
        while tail > head and board.queue[ENTRY, tail - 1] >= reached:
            tail -= 1
        board.queue[TIME, tail], board.queue[ENTRY, tail] = t, reached
        board.lanes[0, TAIL, f] = tail + 1


@inner
def raise_walls(t: int, bars: int, rules: Rules, board: Board) -> None:
    """``WALL``: per step, the nearest excluded instant ahead that a chain which leaves from it cannot pass."""
    for x in range(rules.since.size):
        if bars >> x & 1:
            for a in range(rules.since[x], rules.until[x]):
                board.steps[WALL, a] = t


@inner
def look_back(
    events: Events, lo: int, hi: int, s: int, bound: int, final: int, pinned: bool, rules: Rules, room: Room, board: Board
) -> None:
    """For each instant in [s, bound]: from which steps there a chain may go on so that ``final`` is reached by ``bound``.

    ``BEGINS``, bit f: a run that begins with f does; ``ENDS``, bit b: leaving after b does (or b is the final step).
    ``pinned``: required steps only at their times in ``TAU``.
    """
    nearest, walls, limits = board.steps[NEAREST], board.steps[WALL], board.steps[LIMIT]
    nearest[:] = ALWAYS
    walls[:] = ALWAYS
    first, last, number = position(events.times, lo, hi, s), position(events.times, lo, hi, bound + 1), -2
    while last > first:
        t = events.times[last - 1]
        i = last - 1
        while i > first and events.times[i - 1] == t:
            i -= 1
        bars = barred_here(events, i, last)
        set_limits(bars, rules, board)
        allowed = pins(t, final, rules, board) if pinned else -1 if t == s else ~1
        available = find_runs(events.masks, i, last, allowed, rules.optional, rules.apart, room)
        if rules.strict:
            if events.instants[i] != number - 1:
                nearest[:] = ALWAYS
            number = events.instants[i]
        ends = 1 << final
        for b in range(final):
            for f in range(b + 1, min(rules.behind[b], final) + 1):
                if nearest[f] <= walls[b] and nearest[f] - t <= rules.within[f] and nearest[f] != ALWAYS:
                    ends |= 1 << b
        begins = 0
        if rules.strict:
            nearest[:] = ALWAYS
        for f in range(final + 1):
            for b in range(f, final + 1):
                if available >> f & 1 and room.steps[RUNS, f] & ends & (1 << b) and (b == final or f <= limits[b]):
                    begins |= 1 << f
        for f in range(final + 1):
            if begins >> f & 1:
                nearest[f] = t
        board.marks[BEGINS, i - lo], board.marks[ENDS, i - lo] = begins, ends
        raise_walls(t, bars, rules, board)
        last = i


@inner
def pins(t: int, final: int, rules: Rules, board: Board) -> int:
    allowed = rules.optional
    for a in range(final + 1):
        if not rules.optional >> a & 1 and board.steps[TAU, a] == t:
            allowed |= 1 << a
    return allowed


# The witness


@inner
def walk(events: Events, lo: int, hi: int, s: int, final: int, rules: Rules, room: Room, board: Board) -> None:
    """Set ``TAU`` of the required steps up to ``final``: the smallest times of a chain that enters at s."""
    current, tau, limits = board.steps[CURRENT], board.steps[TAU], board.steps[LIMIT]
    current[:] = NEVER
    tau[:] = NEVER
    level, number = 0, -2
    i = position(events.times, lo, hi, s)
    while level < rules.rank[final]:
        t = events.times[i]
        after = instant_end(events.times, i, hi)
        bars = barred_here(events, i, after)
        set_limits(bars, rules, board)
        available = find_runs(events.masks, i, after, -1 if t == s else ~1, rules.optional, rules.apart, room)
        if rules.strict:
            if events.instants[i] != number + 1:
                current[:] = NEVER
            number = events.instants[i]
        best, steps = level, 0
        for f in range(final + 1):
            if not available >> f & 1:
                continue
            arrived = f == 0 and t == s
            for a in range(rules.before[f], f):
                arrived |= current[a] != NEVER and t - current[a] <= rules.within[f]
            if not arrived:
                continue
            for b in range(f, final + 1):
                if not room.steps[RUNS, f] & board.marks[ENDS, i - lo] & (1 << b) or (b < final and f > limits[b]):
                    continue
                if rules.rank[b] > best:
                    best, steps = rules.rank[b], 0
                if rules.rank[b] == best:
                    steps |= 1 << b
        if best > level or rules.strict:
            current[:] = NEVER
        for a in range(final + 1):
            if level < rules.rank[a] <= best and not rules.optional >> a & 1:
                tau[a] = t
        level = best
        for x in range(rules.since.size):
            if bars >> x & 1 and tau[rules.since[x]] != t:
                current[rules.since[x] : rules.until[x]] = NEVER
        for b in range(final + 1):
            if steps >> b & 1:
                current[b] = t
        i = after


@inner
def fits_here(
    events: Events, i: int, after: int, taken: int, k: int, final: int, rules: Rules, room: Room, board: Board, ends: int
) -> bool:
    """May optional step k be served at an instant that already serves the steps ``taken``, and the chain then go on?

    ``ends``: the bits of the steps after which it may leave.
    """
    t = events.times[i]
    count = keep_events(events.masks, i, after, pins(t, final, rules, board) | taken, rules.within.size, room)
    for a in range(rules.within.size):
        if taken >> a & 1:
            serve(a, count, True, room)
    if not serve(k, count, True, room):
        return False
    if ends >> k & 1:
        return True
    for b in range(k + 1, final + 1):
        if rules.optional >> b & 1:
            if ends >> b & 1 and serve(b, count, False, room):
                return True
        elif not serve(b, count, True, room):
            return False
        elif ends >> b & 1:
            return True
    return False


@inner
def leaving(i: int, lo: int, events: Events, after: int, final: int, rules: Rules, board: Board) -> int:
    """After which steps a chain with the times ``TAU`` may leave this instant on its way to ``final``."""
    ends, bars = board.marks[ENDS, i - lo], barred_here(events, i, after)
    for x in range(rules.since.size):
        if bars >> x & 1 and board.steps[TAU, rules.since[x]] != events.times[i]:
            for a in range(rules.since[x], rules.until[x]):
                if a != final:
                    ends &= ~(1 << a)
    return int(ends)


@inner
def stopped(events: Events, i: int, hi: int, a: int, bound: int, rules: Rules, board: Board) -> int:
    """The first time, from event i on and until ``bound``, at which an exclusion ends a chain to step a; ALWAYS if none."""
    if rules.since.size:
        while i < hi and events.times[i] <= bound:
            for x in range(rules.since.size):
                reached = rules.since[x] <= a < rules.until[x] and events.times[i] > board.steps[TAU, rules.since[x]]
                if events.bars[i] >> x & 1 and reached:
                    return int(events.times[i])
            i += 1
    return ALWAYS


@inner
def take_optional(
    events: Events, lo: int, hi: int, s: int, bound: int, final: int, rules: Rules, room: Room, board: Board
) -> None:
    """Set ``TAU`` of the optional steps: the smallest times, one step after the other, beside the required ones'."""
    look_back(events, lo, hi, s, bound, final, True, rules, room, board)
    tau = board.steps[TAU]
    i = position(events.times, lo, hi, s)
    after, taken = instant_end(events.times, i, hi), 1
    steps = rules.within.size
    for k in range(1, steps):
        if not rules.optional >> k & 1:
            if k > final:
                return
            if tau[k] == events.times[i]:
                taken |= 1 << k
            else:
                i, taken = position(events.times, i, hi, tau[k]), 1 << k
                after = instant_end(events.times, i, hi)
            continue
        ends = leaving(i, lo, events, after, final, rules, board) if k < final else 1 << k
        if not rules.apart and fits_here(events, i, after, taken, k, final, rules, room, board, ends):
            tau[k] = events.times[i]
            taken |= 1 << k
            continue
        until = min(bound, events.times[i] + rules.within[k])
        if k < final:
            until = min(until, tau[rules.behind[k]])
        else:
            until = min(until, stopped(events, position(events.times, lo, hi, s), hi, final, bound, rules, board))
        j = after
        while j < hi and events.times[j] <= until:
            if rules.strict and events.instants[j] > events.instants[i] + 1:
                break
            if (board.marks[BEGINS, j - lo] if k < final else events.masks[j]) >> k & 1:
                j = position(events.times, i, hi, events.times[j])
                tau[k] = events.times[j]
                i, after, taken = j, instant_end(events.times, j, hi), 1 << k
                break
            j = j + 1 if k > final else instant_end(events.times, j, hi)


@inner
def write_rows(events: Events, lo: int, hi: int, rules: Rules, room: Room, board: Board) -> None:
    """Choose the events at the times ``TAU``."""
    tau, chosen, left = board.steps[TAU], board.chosen[0], 0
    chosen[:] = -1
    for a in range(tau.size):
        if tau[a] != NEVER:
            left |= 1 << a
    while left:
        wanted, t = 0, NEVER
        for a in range(tau.size):
            if left >> a & 1 and (t == NEVER or tau[a] == t):
                wanted |= 1 << a
                t = tau[a]
        i = position(events.times, lo, hi, t)
        choose_events(events.masks, i, instant_end(events.times, i, hi), wanted, rules.optional, room, chosen)
        left &= ~wanted
    if events.rows.size:
        for a in range(tau.size):
            if chosen[a] >= 0:
                chosen[a] = events.rows[chosen[a]]


@inner
def comes_before(rules: Rules, board: Board) -> bool:
    """Is the witness just found smaller than the best so far: times, then rows, required steps, then optional ones?"""
    one, other = board.steps[TAU], board.steps[KEPT_TAU]
    for optional in range(2):
        for a in range(one.size):
            if rules.optional >> a & 1 == optional and one[a] != other[a]:
                return bool(other[a] == NEVER or (one[a] != NEVER and one[a] < other[a]))
    for optional in range(2):
        for a in range(one.size):
            if rules.optional >> a & 1 == optional and board.chosen[0, a] != board.chosen[1, a]:
                return bool(board.chosen[0, a] < board.chosen[1, a])
    return False


@inner
def find_witness(
    events: Events, lo: int, hi: int, s: int, bound: int, final: int, rules: Rules, room: Room, board: Board
) -> None:
    look_back(events, lo, hi, s, bound, final, False, rules, room, board)
    walk(events, lo, hi, s, final, rules, room, board)
    if rules.optional:
        take_optional(events, lo, hi, s, bound, final, rules, room, board)
    write_rows(events, lo, hi, rules, room, board)


@inner
def barred_at(events: Events, lo: int, hi: int, rules: Rules, board: Board) -> int:
    """When an exclusion ended the witness at ``TAU``, no later than its window or its next step's ``within``; else NEVER."""
    tau, last, gap = board.steps[TAU], 0, 0
    for a in range(tau.size):
        if tau[a] != NEVER:
            last = a
    for f in range(last + 1, rules.behind[last] + 1):
        gap = max(gap, rules.within[f])
    bound = min(tau[0] + rules.window, tau[last] + gap)
    time = stopped(events, position(events.times, lo, hi, tau[0]), hi, last, bound, rules, board)
    return NEVER if time == ALWAYS else time
