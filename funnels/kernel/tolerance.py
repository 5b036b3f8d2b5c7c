"""Chains whose steps may go back in time by a tolerance. Each event serves one step at most, so steps are gone through
one after the other, not instants: an event of a step may follow any one of the step before that lies in a range of time
around it. No exclusions, no strict neighbours.

- Forward, ``ENTRY``: the latest entry of a chain that ends with the event.
- Backward, ``LATEST``: how late a chain from the event to the level is at least, its latest event counting.
- The witness: in the order in which times are compared, each step is given its smallest time that leaves a valid chain
  (``pass_on`` forward and backward among what has been settled so far).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funnels.kernel.cases import Answer, Events, Rules, Spans, Units
from funnels.kernel.chains import position
from funnels.kernel.words import ALWAYS, CONVERTED, LOST, NEVER, PENDING, Ints, compiled, copy_row, inner, maker


class Table(NamedTuple):
    """A lane's events by step and time: step a's are ``offsets[a]`` to ``offsets[a + 1] - 1``."""

    offsets: Ints
    times: Ints
    rows: Ints
    value: Ints  # working room
    other: Ints
    deque: Ints


@maker
def make_table(steps: int, longest: int) -> Table:
    return Table(
        np.zeros(steps + 1, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
    )


@maker
def fill_table(events: Events, lo: int, hi: int, table: Table) -> None:
    steps = table.offsets.size - 1
    table.offsets[:] = 0
    for i in range(lo, hi):
        for a in range(steps):
            table.offsets[a + 1] += events.masks[i] >> a & 1
    for a in range(steps):
        table.offsets[a + 1] += table.offsets[a]
    fill = table.offsets.copy()
    for i in range(lo, hi):
        for a in range(steps):
            if events.masks[i] >> a & 1:
                table.times[fill[a]], table.rows[fill[a]] = events.times[i], i
                fill[a] += 1


@inner
def window_best(
    table: Table, a: int, f: int, earlier: int, later: int, sign: int, source: Ints, target: Ints, fallback: int
) -> None:
    """For each event of step f at t: let ``target`` be at least the best ``source`` of step a's in [t - earlier, t + later].

    ``sign`` 1: the largest is best, -1: the smallest. ``fallback`` stands for none.
    """
    deque, head, tail, j = table.deque, 0, 0, table.offsets[a]
    for i in range(table.offsets[f], table.offsets[f + 1]):
        t = table.times[i]
        while j < table.offsets[a + 1] and table.times[j] - t <= later:
            if source[j] != fallback:
                while tail > head and source[deque[tail - 1]] * sign <= source[j] * sign:
                    tail -= 1
                deque[tail] = j
                tail += 1
            j += 1
        while head < tail and t - table.times[deque[head]] > earlier:
            head += 1
        if head < tail:
            best = source[deque[head]]
            if target[i] == fallback or best * sign > target[i] * sign:
                target[i] = best


@inner
def forward(table: Table, start: int, end: int, rules: Rules) -> None:
    """``value``: the latest entry in [start, end) of a chain that ends with the event; NEVER: there is none."""
    entry = table.value
    entry[: table.offsets[-1]] = NEVER
    for i in range(table.offsets[0], table.offsets[1]):
        if start <= table.times[i] < end:
            entry[i] = table.times[i]
    for f in range(1, rules.within.size):
        for a in range(rules.before[f], f):
            window_best(table, a, f, rules.within[f], rules.tolerance, 1, entry, entry, NEVER)
        for i in range(table.offsets[f], table.offsets[f + 1]):
            if entry[i] != NEVER and table.times[i] - entry[i] > rules.window:
                entry[i] = NEVER


@inner
def backward(table: Table, final: int, rules: Rules) -> None:
    """``other``: the latest event of a chain from here to step ``final``, at its earliest; ALWAYS: there is none."""
    latest = table.other
    latest[: table.offsets[-1]] = ALWAYS
    for i in range(table.offsets[final], table.offsets[final + 1]):
        latest[i] = table.times[i]
    for a in range(final - 1, -1, -1):
        for f in range(a + 1, min(rules.behind[a], final) + 1):
            window_best(table, f, a, rules.tolerance, rules.within[f], -1, latest, latest, ALWAYS)
        for i in range(table.offsets[a], table.offsets[a + 1]):
            if latest[i] != ALWAYS:
                latest[i] = max(latest[i], table.times[i])


@inner
def is_pending(table: Table, spent: int, rules: Rules) -> bool:
    """After ``forward``: could events after ``as_of`` still complete a chain?"""
    for a in range(rules.within.size - 1):
        if (spent & ~rules.optional) >> (a + 1):
            continue
        for f in range(a + 1, rules.behind[a] + 1):
            if spent >> f & 1:
                continue
            for i in range(table.offsets[a], table.offsets[a + 1]):
                open_yet = table.value[i] + rules.window > rules.as_of and table.times[i] + rules.within[f] > rules.as_of
                if table.value[i] != NEVER and open_yet:
                    return True
    return False


@inner
def level_of(table: Table, rules: Rules) -> int:
    for a in range(rules.within.size - 1, -1, -1):
        for i in range(table.offsets[a], table.offsets[a + 1]):
            if table.value[i] != NEVER:
                return int(rules.rank[a])
    return 0


@inner
def shortest_of(table: Table, level: int, rules: Rules) -> tuple[int, int]:
    """After ``forward``: the smallest time from a chain's entry to its last event, and the first entry of such a chain."""
    length, found = ALWAYS, ALWAYS
    for a in range(rules.within.size):
        for i in range(table.offsets[a], table.offsets[a + 1]):
            if rules.rank[a] == level and table.value[i] != NEVER:
                here = table.times[i] - table.value[i]
                if here < length or (here == length and table.value[i] < found):
                    length, found = here, table.value[i]
    return length, found


@inner
def first_entry(table: Table, start: int, end: int, rules: Rules) -> int:
    """After ``backward``: the first entry in [start, end) whose window holds a chain of the level."""
    for i in range(table.offsets[0], table.offsets[1]):
        t = table.times[i]
        if start <= t < end and table.other[i] != ALWAYS and table.other[i] <= t + rules.window:
            return int(t)
    return NEVER


@inner
def may_use(table: Table, a: int, i: int, s: int, tau: Ints, settled: int, rules: Rules) -> bool:
    if settled >> a & 1:
        return bool(table.times[i] == tau[a])  # NEVER where the step is left out
    return table.times[i] <= s + rules.window and (a > 0 or table.times[i] == s)


@inner
def pass_on(table: Table, s: int, length: int, level: int, tau: Ints, settled: int, rules: Rules) -> None:
    """``value`` 1: a chain that enters at s leads to the event; ``other`` 1: and may go on from it to a chain's end.

    Steps ``settled`` (bits) only at their times in ``tau``. ``length``: how long after s the chain ends; ALWAYS: any.
    """
    come, go = table.value, table.other
    steps = rules.within.size
    come[: table.offsets[-1]] = 0
    go[: table.offsets[-1]] = 0
    for a in range(steps):
        for b in range(a - 1, rules.before[a] - 1 if a else -1, -1):
            window_best(table, b, a, rules.within[a], rules.tolerance, 1, come, come, 0)
            if settled >> b & 1 and tau[b] != NEVER:
                break
        for i in range(table.offsets[a], table.offsets[a + 1]):
            come[i] = (come[i] == 1 or a == 0) and may_use(table, a, i, s, tau, settled, rules)
    for a in range(steps - 1, -1, -1):
        if rules.rank[a] > level:
            continue
        waits = settled_behind(tau, settled, a) or rules.rank[a] < level
        for i in range(table.offsets[a], table.offsets[a + 1]):
            go[i] = not waits and (length == ALWAYS or table.times[i] == s + length)
        for b in range(a + 1, rules.behind[a] + 1):
            window_best(table, b, a, rules.tolerance, rules.within[b], 1, go, go, 0)
            if settled >> b & 1 and tau[b] != NEVER:
                break
        for i in range(table.offsets[a], table.offsets[a + 1]):
            go[i] = go[i] == 1 and may_use(table, a, i, s, tau, settled, rules)


@inner
def settled_behind(tau: Ints, settled: int, a: int) -> bool:
    """Is a later step settled at a time, so that the chain cannot end here?"""
    found = False
    for b in range(a + 1, tau.size):
        found |= settled >> b & 1 == 1 and tau[b] != NEVER
    return found


@inner
def find_chain(table: Table, s: int, length: int, level: int, tau: Ints, chain: Ints, rules: Rules) -> None:
    """Write times and events of the smallest chain of a level that enters at s."""
    tau[:], chain[:], settled = NEVER, -1, 0
    for optional in range(2):
        for a in range(rules.within.size):
            if rules.optional >> a & 1 != optional:
                continue
            if not optional and rules.rank[a] > level:
                settled |= 1 << a
                continue
            pass_on(table, s, length, level, tau, settled, rules)
            for i in range(table.offsets[a], table.offsets[a + 1]):
                if table.value[i] and table.other[i]:
                    tau[a], chain[a] = table.times[i], table.rows[i]
                    break
            settled |= 1 << a


@inner
def conversions(events: Events, lo: int, hi: int, start: int, end: int, rules: Rules, entries: Ints) -> None:
    """Per instant of a lane, at its first event: the latest entry in [start, end) of a chain complete then, or NEVER.

    Row 0: of entries before the instant, row 1: at it.
    """
    table = make_table(rules.within.size, hi - lo)
    fill_table(events, lo, hi, table)
    backward(table, rules.within.size - 1, rules)
    entries[:, :] = NEVER
    for i in range(table.offsets[0], table.offsets[1]):
        t, latest = table.times[i], table.other[i]
        if start <= t < end and latest != ALWAYS and latest <= t + rules.window:
            at, row = position(events.times, lo, hi, latest) - lo, 1 if latest == t else 0
            entries[row, at] = max(entries[row, at], t)


# Cases


@compiled
def judge(events: Events, units: Units, spans: Spans, first: int, last: int, rules: Rules, answer: Answer) -> None:
    """Answer the spans first..last - 1."""
    longest, lanes, steps = 1, 1, rules.within.size
    for n in range(first, last):
        u = spans.units[n]
        lanes = max(lanes, units.lanes[u + 1] - units.lanes[u])
        for k in range(units.lanes[u], units.lanes[u + 1]):
            longest = max(longest, events.offsets[k + 1] - events.offsets[k])
    table, found = make_table(steps, longest), np.empty((3, lanes), np.int64)
    taus, chains = np.empty((2, steps), np.int64), np.empty((2, steps), np.int64)
    for n in range(first, last):
        judge_one(events, units, spans, n, rules, table, found, taus, chains, answer)


@inner
def judge_one(
    events: Events,
    units: Units,
    spans: Spans,
    n: int,
    rules: Rules,
    table: Table,
    found: Ints,
    taus: Ints,
    chains: Ints,
    answer: Answer,
) -> None:
    u, start, end = spans.units[n], spans.starts[n], spans.ends[n]
    until = min(spans.limits[n], end - 1 + rules.window)
    level, length, entry, entered, pending = 0, ALWAYS, ALWAYS, ALWAYS, False
    base, beyond = units.lanes[u], units.lanes[u + 1]
    for k in range(base, beyond):
        lo, hi = events.offsets[k], position(events.times, events.offsets[k], events.offsets[k + 1], until + 1)
        fill_table(events, lo, hi, table)
        forward(table, start, end, rules)
        here = level_of(table, rules)
        found[0, k - base] = here
        for i in range(table.offsets[0], table.offsets[1]):
            if table.value[i] != NEVER:
                entered = min(entered, table.times[i])
        if here == 0:
            continue
        found[1, k - base], found[2, k - base] = shortest_of(table, here, rules)
        if here > level:
            level, length, entry = here, ALWAYS, ALWAYS
        if here == level and (found[1, k - base] < length or (found[1, k - base] == length and found[2, k - base] < entry)):
            length, entry = found[1, k - base], found[2, k - base]
        if level < rules.rank[-1] and not pending:
            pending = is_pending(table, units.spent[u] if units.spent.size else 0, rules)
    if level == 0:
        return
    answer.levels[n], answer.entered[n] = level, entered
    answer.states[n] = CONVERTED if level == rules.rank[-1] else PENDING if pending else LOST
    if not answer.witness.shape[0]:
        return
    final, any_yet = 0, False
    while rules.rank[final] < level:
        final += 1
    for k in range(base, beyond):
        if found[0, k - base] != level:
            continue
        if rules.shortest and (found[1, k - base] != length or found[2, k - base] != entry):
            continue
        lo, hi = events.offsets[k], position(events.times, events.offsets[k], events.offsets[k + 1], until + 1)
        fill_table(events, lo, hi, table)
        s = entry
        if not rules.shortest:
            backward(table, final, rules)
            s = first_entry(table, start, end, rules)
        find_chain(table, s, length if rules.shortest else ALWAYS, level, taus[0], chains[0], rules)
        for a in range(chains.shape[1]):
            if chains[0, a] >= 0 and events.rows.size:
                chains[0, a] = events.rows[chains[0, a]]
        if not any_yet or comes_before(taus, chains, rules):
            any_yet = True
            copy_row(taus, 0, taus, 1)
            copy_row(chains, 0, chains, 1)
    copy_row(chains, 1, answer.witness, n)


@inner
def comes_before(taus: Ints, chains: Ints, rules: Rules) -> bool:
    """Is the first witness smaller than the second: times, then rows, required steps, then optional ones?"""
    for optional in range(2):
        for a in range(taus.shape[1]):
            if rules.optional >> a & 1 == optional and taus[0, a] != taus[1, a]:
                return bool(taus[1, a] == NEVER or (taus[0, a] != NEVER and taus[0, a] < taus[1, a]))
    for optional in range(2):
        for a in range(taus.shape[1]):
            if rules.optional >> a & 1 == optional and chains[0, a] != chains[1, a]:
                return bool(chains[0, a] < chains[1, a])
    return False
