"""Chains of events in any order: the most steps that distinct events of one window can serve.

Which sets of events can be matched to steps is a matroid, and this gives nearly all of it:
- *Sweep*: going through the events in time, keep of all largest sets that can be matched the one with the latest events
  (``take_in``: a new event comes in for the earliest one that it can stand in for, if there is no room). For any time t,
  as many events as can be matched among those from t until now lie in that set.
- An entry costs nothing: the level of a window that begins with an event is reached by a set with this very event in it
  (Mendelsohn and Dulmage: the steps of one matching and the events of another can be had at once).
- *Witness*: the earliest entry whose window has the level, then event by event whatever still can be matched beside those
  taken before (a greedy choice is the smallest one). At last, in the order of the chain, each event gets the smallest
  step that leaves the later ones theirs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funnels.kernel.cases import Answer, Events, Rules, Spans, Units
from funnels.kernel.chains import position
from funnels.kernel.words import ALWAYS, CONVERTED, EXCLUDED, LOST, NEVER, PENDING, Ints, compiled, copy_row, inner, maker

BEFORE, NOW = 0, 1  # rows of the table of entries, see complete_at


class Set(NamedTuple):
    """Events that are matched to steps, one each."""

    event: Ints  # (steps,) by step the event; -1: free
    via: Ints  # (steps,) while a way is looked for: the step whose event would move here
    queue: Ints  # (steps,)


@maker
def make_set(steps: int) -> Set:
    return Set(np.full(steps, -1, np.int64), np.empty(steps, np.int64), np.empty(steps, np.int64))


@inner
def find_place(masks: Ints, mask: int, allowed: int, chosen: Set) -> tuple[int, int]:
    """A free step that an event with this mask can bring about, else -1; the step of the earliest it could replace.

    Nothing moves to a step that is not ``allowed``.
    """
    chosen.via[:] = -2
    head, tail, oldest = 0, 0, -1
    for a in range(chosen.via.size):
        if mask & allowed & (1 << a):
            chosen.via[a] = -1
            chosen.queue[tail] = a
            tail += 1
    while head < tail:
        a = chosen.queue[head]
        head += 1
        if chosen.event[a] < 0:
            return a, oldest
        if oldest < 0 or chosen.event[a] < chosen.event[oldest]:
            oldest = a
        for b in range(chosen.via.size):
            if masks[chosen.event[a]] & allowed & (1 << b) and chosen.via[b] == -2:
                chosen.via[b] = a
                chosen.queue[tail] = b
                tail += 1
    return -1, oldest


@inner
def move_in(event: int, place: int, chosen: Set) -> None:
    """Put an event in, its way to ``place`` having been found."""
    while chosen.via[place] >= 0:
        chosen.event[place] = chosen.event[chosen.via[place]]
        place = chosen.via[place]
    chosen.event[place] = event


@inner
def take_in(masks: Ints, event: int, chosen: Set) -> None:
    """Sweep on by one event."""
    place, oldest = find_place(masks, masks[event], -1, chosen)
    if place < 0:
        place = oldest
    if place >= 0:
        move_in(event, place, chosen)


@inner
def count_since(times: Ints, since: int, chosen: Set) -> int:
    count = 0
    for a in range(chosen.event.size):
        if chosen.event[a] >= 0 and times[chosen.event[a]] >= since:
            count += 1
    return count


@inner
def next_bar(events: Events, i: int, hi: int, t: int) -> tuple[int, int]:
    """The first excluded event from i on that is after t: its place and time (hi, ALWAYS: none)."""
    if not events.bars.size:
        return hi, ALWAYS
    while i < hi and (events.bars[i] == 0 or events.times[i] <= t):
        i += 1
    return i, events.times[i] if i < hi else ALWAYS


@inner
def sweep(events: Events, lo: int, hi: int, start: int, end: int, wanted: int, rules: Rules, chosen: Set) -> tuple[int, int]:
    """The level of a lane's entries in [start, end), and the first of them, or the first that has the level ``wanted``."""
    level, first = 0, NEVER
    chosen.event[:] = -1
    i = position(events.times, lo, hi, start)
    right, bar, wall = i, i, NEVER
    while i < hi and events.times[i] < end:
        t = events.times[i]
        if events.masks[i]:
            if wall <= t:
                bar, wall = next_bar(events, bar, hi, t)
            until = min(t + rules.window, wall)
            while right < hi and events.times[right] <= until:
                if events.masks[right]:
                    take_in(events.masks, right, chosen)
                right += 1
            level = max(level, count_since(events.times, t, chosen))
            if first == NEVER or level == wanted:
                first = t
            if level == wanted:
                break
        i += 1
    return level, first


@inner
def complete_at(
    events: Events, lo: int, hi: int, start: int, end: int, level: int, rules: Rules, chosen: Set, entries: Ints
) -> None:
    """Per instant of a lane, at its first event: the latest entry in [start, end) of a chain of this level by then.

    ``BEFORE``: of entries before the instant, ``NOW``: at it. NEVER: no window that begins in range, holds no exclusion and
    ends with this instant is enough.
    """
    entry, older, barred = NEVER, NEVER, NEVER
    chosen.event[:] = -1
    entries[:, : hi - lo] = NEVER
    i = position(events.times, lo, hi, start)
    ahead = i
    while i < hi:
        t = events.times[i]
        after = i
        while after < hi and events.times[after] == t:
            if events.masks[after]:
                take_in(events.masks, after, chosen)
            after += 1
        since = since_when(events.times, level, chosen)
        while ahead < after and events.times[ahead] < end and events.times[ahead] <= since:
            if events.masks[ahead]:
                entry = events.times[ahead]
                older = entry if entry < t else older
            ahead += 1
        if since != NEVER and entry == t:
            entries[NOW, i - lo] = t
        if since != NEVER and older != NEVER and older >= barred and t - older <= rules.window:
            entries[BEFORE, i - lo] = older
        for j in range(i, after):
            if events.bars.size and events.bars[j]:
                barred = t
        i = after


@inner
def shortest_of(times: Ints, lo: int, hi: int, entries: Ints) -> tuple[int, int]:
    """The length of the shortest chain that ``complete_at`` found, and the first entry of such a one (ALWAYS: none)."""
    length, found = ALWAYS, NEVER
    for i in range(lo, hi):
        entry = max(entries[BEFORE, i - lo], entries[NOW, i - lo])
        if entry != NEVER and times[i] - entry < length:
            length, found = times[i] - entry, entry
    return length, found


@inner
def since_when(times: Ints, level: int, chosen: Set) -> int:
    """The time of the ``level``-th latest event in the set; NEVER if it has fewer."""
    best = NEVER
    for a in range(chosen.event.size):
        if chosen.event[a] >= 0:
            t = times[chosen.event[a]]
            if t > best and count_since(times, t, chosen) >= level:
                best = t
    return best


@inner
def may_go_on(events: Events, lo: int, hi: int, start: int, end: int, spent: int, rules: Rules, chosen: Set) -> bool:
    """Pending: an entry whose window is open, no exclusion after it, and the spent steps served from it on."""
    since = max(start, rules.as_of - rules.window + 1)
    if events.bars.size:
        for i in range(hi - 1, lo - 1, -1):
            if events.bars[i]:
                since = max(since, events.times[i])
                break
    i = position(events.times, lo, hi, since)
    while i < hi and events.masks[i] == 0:
        i += 1
    if i == hi or events.times[i] >= end:
        return False
    served = 0
    chosen.event[:] = -1
    for j in range(i, hi if spent else i):
        place, _ = find_place(events.masks, events.masks[j], spent, chosen)
        if place >= 0:
            move_in(j, place, chosen)
            served += 1
    wanted = 0
    for a in range(chosen.event.size):
        wanted += spent >> a & 1
    return served == wanted


# The witness


@inner
def find_chain(events: Events, lo: int, hi: int, s: int, bound: int, level: int, chosen: Set, chain: Ints) -> None:
    """Write the events of the smallest chain of a level that enters at s and ends by ``bound``, in their order."""
    chosen.event[:] = -1
    i, count = position(events.times, lo, hi, s), 0
    while count < level and i < hi and events.times[i] <= bound:
        place, _ = find_place(events.masks, events.masks[i], -1, chosen)
        if place >= 0:
            move_in(i, place, chosen)
            chain[count] = i
            count += 1
        i += 1


@inner
def assign(masks: Ints, chain: Ints, level: int, chosen: Set) -> None:
    """Give each event of a chain, one after the other, the smallest step that leaves the later ones theirs."""
    settled = 0
    for event in chain[:level]:
        old = 0
        while chosen.event[old] != event:
            old += 1
        for a in range(old):
            if not masks[event] & ~settled & (1 << a):
                continue
            other = chosen.event[a]
            chosen.event[old], chosen.event[a] = -1, event
            if other < 0:
                old = a
                break
            place, _ = find_place(masks, masks[other], ~settled & ~(1 << a), chosen)
            if place >= 0:
                move_in(other, place, chosen)
                old = a
                break
            chosen.event[old], chosen.event[a] = event, other
        settled |= 1 << old


@inner
def row_of(events: Events, i: int) -> int:
    return events.rows[i] if events.rows.size else i


@inner
def is_smaller(events: Events, one: Ints, other: Ints, level: int) -> bool:
    for n in range(level):
        if events.times[one[n]] != events.times[other[n]]:
            return bool(events.times[one[n]] < events.times[other[n]])
    for n in range(level):
        if one[n] != other[n]:
            return row_of(events, one[n]) < row_of(events, other[n])
    return False


# Cases


@inner
def only_lane(events: Events, units: Units, u: int, start: int, end: int) -> int:
    """Re-entry first: the lane of the unit's first entry."""
    lane, row = -1, ALWAYS
    for k in range(units.lanes[u], units.lanes[u + 1]):
        hi = events.offsets[k + 1]
        i = position(events.times, events.offsets[k], hi, start)
        while i < hi and events.masks[i] == 0:
            i += 1
        if i < hi and events.times[i] < end and row_of(events, i) < row:
            lane, row = k, row_of(events, i)
    return lane


@compiled
def judge(events: Events, units: Units, spans: Spans, first: int, last: int, rules: Rules, answer: Answer) -> None:
    """Answer the spans first..last - 1."""
    lanes, longest = 1, 1
    for n in range(first, last):
        u = spans.units[n]
        lanes = max(lanes, units.lanes[u + 1] - units.lanes[u])
        for k in range(units.lanes[u], units.lanes[u + 1]):
            longest = max(longest, events.offsets[k + 1] - events.offsets[k])
    chosen, chains = make_set(rules.within.size), np.empty((2, rules.within.size), np.int64)
    found, entries = np.empty(lanes, np.int64), np.empty((2, longest), np.int64)
    for n in range(first, last):
        judge_one(events, units, spans, n, rules, chosen, chains, found, entries, answer)


@inner
def judge_one(
    events: Events,
    units: Units,
    spans: Spans,
    n: int,
    rules: Rules,
    chosen: Set,
    chains: Ints,
    found: Ints,
    entries: Ints,
    answer: Answer,
) -> None:
    u, start, end = spans.units[n], spans.starts[n], spans.ends[n]
    until = min(spans.limits[n], end - 1 + rules.window)
    only = only_lane(events, units, u, start, end) if rules.first else -1
    level, entered, pending, length = 0, ALWAYS, False, ALWAYS
    base, beyond = units.lanes[u], units.lanes[u + 1]
    for k in range(base, beyond):
        lo, hi = events.offsets[k], position(events.times, events.offsets[k], events.offsets[k + 1], until + 1)
        found[k - base] = 0
        if rules.first and k != only:
            continue
        here, came = sweep(events, lo, hi, start, end, rules.within.size + 1, rules, chosen)
        if here == 0:
            continue
        found[k - base] = here
        level, entered = max(level, here), min(entered, came)
        if level < rules.within.size and not pending:
            spent = units.spent[u] if units.spent.size else 0
            pending = may_go_on(events, lo, hi, start, end, spent, rules, chosen)
    if level == 0:
        return
    answer.levels[n], answer.entered[n] = level, entered
    answer.states[n] = LOST
    if level == rules.within.size:
        answer.states[n] = CONVERTED
    elif pending:
        answer.states[n] = PENDING
    if not answer.witness.shape[0] and (answer.states[n] != LOST or not events.bars.size):
        return
    barred, any_yet = NEVER, False
    for k in range(base, beyond):
        if found[k - base] != level:
            continue
        lo, hi = events.offsets[k], position(events.times, events.offsets[k], events.offsets[k + 1], until + 1)
        if rules.shortest:
            complete_at(events, lo, hi, start, end, level, rules, chosen, entries)
            here, s = shortest_of(events.times, lo, hi, entries)
            if here > length:
                continue
            any_yet &= here == length
            length = here
        else:
            _, s = sweep(events, lo, hi, start, end, level, rules, chosen)
            here = rules.window
        find_chain(events, lo, hi, s, s + here, level, chosen, chains[0])
        if not any_yet or is_smaller(events, chains[0], chains[1], level):
            any_yet = True
            copy_row(chains, 0, chains, 1)
            _, barred = next_bar(events, position(events.times, lo, hi, s), hi, s)
            if barred > s + rules.window:
                barred = NEVER
            if answer.witness.shape[0]:
                assign(events.masks, chains[0], level, chosen)
                for a in range(rules.within.size):
                    answer.witness[n, a] = row_of(events, chosen.event[a]) if chosen.event[a] >= 0 else -1
    if answer.states[n] == LOST and barred != NEVER:
        answer.states[n], answer.barred[n] = EXCLUDED, barred
