"""PostHog's funnels: ordered, strict and unordered (its matcher read in source, its rules told here in our words).

What it changes against our definition
- All events lie in [from, to): a step after the range's end does not count. No pending.
- The window runs from the latest step 1: per step it carries the chain with the latest entry. The witness is the chain that
  first reached the level; it stops at the first conversion.
- At an instant with different events, steps are taken in their order and exclusions and strict breaks are ignored. One event
  serves one step.
- ``strict``: a conversion takes neighbours in the unit's whole log, and after a break it starts again (``A X A B C``
  reaches 3). An event breaks only the chains at steps that it does not match itself, so that a repeat of the step just
  reached breaks nothing (``A B B C`` reaches 3). Events of one instant that match the same steps come one after the other.
- Exclusions remove the unit from every step, also from the first: it is no case at all. They do so when the chain carried
  to the level has met one, or is carried on past one; a clean entry after it may still lead on (``A X B A B`` converts).
- ``any``: the window slides over the log; an event that fits several steps goes to the one served longest ago. An excluded
  event within the window after the match's first event removes the unit, also if it comes after the last step.
- Optional steps are skipped where the step before was not reached in time.
- Its times leave out conversions of zero seconds and average over all best chains; ours, shown here, do not.
- Refused: ties, ``within``, hold, re-entry rule, witness rule, attempts.
"""

from __future__ import annotations

import numpy as np

from funnels.kernel import NEVER, Ints
from funnels.kernel.words import compiled
from funnels.match import Outcome, Rules, Streams
from funnels.presets.by_unit import Events, Found, Limits, outcome

ENTRY, EXCLUDED = 0, 1  # rows of ``chains``: by step (from 1), of the chain carried there
PLACE, BEST_ENTRY, BEST_EXCLUDED = 0, 1, 2  # of ``best``, the longest chain so far: the step (from 1) that it ends at


def match(streams: Streams, rules: Rules) -> Outcome:
    loop = _any_order if rules.order == "any" else _strict if rules.order == "strict" else _ordered
    return outcome(streams, rules, loop, within_range=True)


def _ordered(events: Events, limits: Limits, found: Found) -> None:
    _walk(False, events, limits, found, *_room(limits))


def _strict(events: Events, limits: Limits, found: Found) -> None:
    _walk(True, events, limits, found, *_room(limits))


def _room(limits: Limits) -> tuple[Ints, Ints, Ints]:
    """Chains (entry, excluded) and their events per step, step 0 standing for none; the best chain and its events."""
    steps = limits.steps
    return np.empty((2, steps + 1), np.int64), np.empty((steps + 2, steps), np.int64), np.empty(3, np.int64)


@compiled
def _walk(strict: bool, events: Events, limits: Limits, found: Found, chains: Ints, paths: Ints, best: Ints) -> None:
    for u in range(events.offsets.shape[1]):
        chains[ENTRY, :], chains[EXCLUDED, :], paths[:] = NEVER, 0, -1
        best[PLACE], best[BEST_ENTRY], best[BEST_EXCLUDED] = 0, NEVER, 0
        lo, hi = events.offsets[0, u], events.offsets[1, u]
        i = lo
        while i < hi and chains[ENTRY, limits.steps] == NEVER:
            after = i + 1
            while after < hi and events.times[after] == events.times[i]:
                after += 1
            if strict and i > lo and events.instants[i] - events.instants[i - 1] > 1:
                chains[ENTRY, 1:], chains[EXCLUDED, 1:] = NEVER, 0
            _instant(strict, events, limits, i, after, chains, paths, best)
            i = after
        if best[BEST_EXCLUDED]:
            continue
        for a in range(best[PLACE]):
            found.levels[u] += not limits.optional >> a & 1
            found.witness[u, a] = paths[limits.steps + 1, a]


@compiled
def _instant(
    strict: bool, events: Events, limits: Limits, i: int, after: int, chains: Ints, paths: Ints, best: Ints
) -> None:
    t = events.times[i]
    chains[ENTRY, 0] = t if limits.start <= t < limits.end else NEVER
    chains[EXCLUDED, 0] = 0
    alike = True
    for row in range(i + 1, after):
        alike = alike and events.masks[row] == events.masks[i] and events.bars[row] == events.bars[i]
    if not alike:
        for step in range(1, limits.steps + 1):
            for row in range(i, after):
                if events.masks[row] >> (step - 1) & 1:
                    _serve(True, row, step, events, limits, chains, paths, best)
        return
    for row in range(i, after):
        for step in range(limits.steps, 0, -1):
            if events.bars[row] & limits.spans[step - 1]:
                _exclude(t, step, limits, chains, best)
        for step in range(limits.steps, 0, -1):
            if events.masks[row] >> (step - 1) & 1:
                _serve(False, row, step, events, limits, chains, paths, best)
        for step in range(1, limits.steps + 1):
            if strict and not events.masks[row] >> (step - 1) & 1:
                chains[ENTRY, step], chains[EXCLUDED, step] = NEVER, 0


@compiled
def _before(t: int, step: int, limits: Limits, chains: Ints) -> int:
    """The step whose chain an event may lengthen to ``step``; an optional one not reached in time is skipped. -1: none."""
    before = step - 1
    while before > 0 and limits.optional >> (before - 1) & 1 and not _is_open(t, before, limits, chains):
        before -= 1
    if not _is_open(t, before, limits, chains) or chains[ENTRY, step] == chains[ENTRY, before]:
        return -1
    return before


@compiled
def _is_open(t: int, step: int, limits: Limits, chains: Ints) -> bool:
    return bool(chains[ENTRY, step] != NEVER and t - chains[ENTRY, step] <= limits.window)


@compiled
def _exclude(t: int, step: int, limits: Limits, chains: Ints, best: Ints) -> None:
    before = _before(t, step, limits, chains)
    if before >= 0 and not chains[EXCLUDED, before]:
        chains[EXCLUDED, before] = 1
        if best[PLACE] == before and t - best[BEST_ENTRY] <= limits.window:
            best[BEST_EXCLUDED] = 1


@compiled
def _serve(shared: bool, row: int, step: int, events: Events, limits: Limits, chains: Ints, paths: Ints, best: Ints) -> None:
    """Lengthen the chain before ``step`` by the event; ``shared``: at an instant where it may serve another step, too."""
    before = _before(events.times[row], step, limits, chains)
    if before < 0 or (shared and np.any(paths[before] == row)):
        return
    last = limits.steps + 1
    carried = chains[EXCLUDED, before]
    if not carried:
        chains[ENTRY, step], chains[EXCLUDED, step] = chains[ENTRY, before], 0
        paths[step, :] = paths[before]
        paths[step, step - 1] = row
    if step > best[PLACE] or (step == best[PLACE] and best[BEST_EXCLUDED]):
        best[PLACE], best[BEST_ENTRY], best[BEST_EXCLUDED] = step, chains[ENTRY, before], carried
        paths[last, :] = paths[before]
        paths[last, step - 1] = row


def _any_order(events: Events, limits: Limits, found: Found) -> None:
    """Per step a queue of its events within the window, oldest first."""
    longest = int((events.offsets[1] - events.offsets[0]).max(initial=1))
    _slide(events, limits, found, np.empty((limits.steps, longest), np.int64), np.empty((2, limits.steps), np.int64))


@compiled
def _slide(events: Events, limits: Limits, found: Found, queues: Ints, ends: Ints) -> None:
    for u in range(events.offsets.shape[1]):
        ends[:] = 0
        for row in range(events.offsets[0, u], events.offsets[1, u]):
            if not events.masks[row]:
                continue
            t = events.times[row]
            while True:
                oldest, served = _oldest(events, queues, ends)
                if oldest < 0 or (
                    served < limits.steps and events.times[queues[oldest, ends[0, oldest]]] + limits.window >= t
                ):
                    break
                _note(u, served, oldest, events, limits, found, queues, ends)
                ends[0, oldest] += 1
            if found.levels[u] == limits.steps:
                break
            chosen = _served_longest_ago(row, events, limits, queues, ends)
            queues[chosen, ends[1, chosen]] = row
            ends[1, chosen] += 1
        oldest, served = _oldest(events, queues, ends)
        if found.levels[u] < limits.steps and oldest >= 0:
            _note(u, served, oldest, events, limits, found, queues, ends)
        if found.levels[u] and _meets_exclusion(u, events, limits, found):
            found.levels[u] = 0
            found.witness[u] = -1


@compiled
def _oldest(events: Events, queues: Ints, ends: Ints) -> tuple[int, int]:
    """The step with the oldest event (-1: none), and how many steps have one."""
    oldest, served = -1, 0
    for a in range(queues.shape[0]):
        if ends[0, a] < ends[1, a]:
            served += 1
            if oldest < 0 or events.times[queues[a, ends[0, a]]] < events.times[queues[oldest, ends[0, oldest]]]:
                oldest = a
    return oldest, served


@compiled
def _note(u: int, served: int, oldest: int, events: Events, limits: Limits, found: Found, queues: Ints, ends: Ints) -> None:
    """Keep the match if it has more steps than any before."""
    if served <= found.levels[u] or not limits.start <= events.times[queues[oldest, ends[0, oldest]]] < limits.end:
        return
    found.levels[u] = served
    for a in range(limits.steps):
        found.witness[u, a] = queues[a, ends[0, a]] if ends[0, a] < ends[1, a] else -1


@compiled
def _served_longest_ago(row: int, events: Events, limits: Limits, queues: Ints, ends: Ints) -> int:
    """Of the event's steps the one whose newest event is oldest; one without any first."""
    chosen, age = -1, 0
    for a in range(limits.steps):
        if events.masks[row] >> a & 1:
            newest = events.times[queues[a, ends[1, a] - 1]] if ends[0, a] < ends[1, a] else NEVER
            if chosen < 0 or newest < age:
                chosen, age = a, newest
    return chosen


@compiled
def _meets_exclusion(u: int, events: Events, limits: Limits, found: Found) -> bool:
    first = -NEVER
    for a in range(limits.steps):
        if found.witness[u, a] >= 0:
            first = min(first, events.times[found.witness[u, a]])
    for row in range(events.offsets[0, u], events.offsets[1, u]):
        if events.bars[row] and first < events.times[row] <= first + limits.window:
            return True
    return False
