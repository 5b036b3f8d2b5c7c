"""Mixpanel's funnels in their default mode (after its documentation; the matcher is not public).

What it changes against our definition
- Only the first entry of the range counts, whatever later ones would reach, and its window never renews
  (``A0 A5 B12`` in 10 does not convert). Each later step is the first instance after the step before, with no second try.
- Two seconds of grace: a step may precede the one before it by that much.
- An excluded event lets the unit out where it stands; it keeps the steps that it reached. Here, too, two seconds are
  interchangeable: read as more than two seconds after the step before and more than two before the next.
- ``hold``: the entry's values.
- ``count: "attempts"`` is its Totals: the next entry comes after a conversion, after the window's end, or after (not at) the
  excluding event; entries in between are ignored and renew nothing.
- Later steps count until the window's end, also after ``to`` (so its older pages; the newer ones say nothing). No pending.
- Refused: any order (its anchors have no words here) and strict, ties, optional steps, ``within``, witness rule.
- Its trend line is one funnel per day, as ours; its times are approximate, ours are not.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from funnels.kernel import NEVER
from funnels.kernel.words import compiled
from funnels.match import Outcome, Rules, Streams
from funnels.presets.by_unit import SECOND, Events, Found, Limits, outcome

GRACE: Final = 2 * SECOND


def match(streams: Streams, rules: Rules) -> Outcome:
    return outcome(streams, rules, _walk, within_range=False)


@compiled
def _walk(events: Events, limits: Limits, found: Found) -> None:
    for u in range(events.offsets.shape[1]):
        lo, hi = events.offsets[0, u], events.offsets[1, u]
        entry = found.froms[u]
        while entry < hi and not _enters(entry, events, limits):
            entry += 1
        if entry == hi:
            found.froms[u] = hi
            continue
        found.levels[u], found.witness[u, 0] = 1, entry
        while found.levels[u] < limits.steps and _take_next(u, lo, hi, events, limits, found):
            found.levels[u] += 1
        found.froms[u] = _next_entry(u, hi, events, limits, found)


@compiled
def _enters(row: int, events: Events, limits: Limits) -> bool:
    return bool(events.masks[row] & 1 and events.held[row] >= 0 and limits.start <= events.times[row] < limits.end)


@compiled
def _take_next(u: int, lo: int, hi: int, events: Events, limits: Limits, found: Found) -> bool:
    """Find the step's first instance; sets ``barred`` where an exclusion comes before it or instead of it."""
    step, entry = found.levels[u], found.witness[u, 0]
    row = found.witness[u, step - 1]
    before = events.times[row]
    while row > lo and events.times[row - 1] >= before - GRACE:
        row -= 1
    barred = NEVER
    while row < hi and events.times[row] <= events.times[entry] + limits.window:
        t = events.times[row]
        if barred != NEVER and t - barred > GRACE:
            break
        if events.held[row] == events.held[entry]:
            if events.masks[row] >> step & 1 and not np.any(found.witness[u] == row):
                found.witness[u, step] = row
                return True
            if barred == NEVER and events.bars[row] & limits.spans[step] and t > before + GRACE:
                barred = t
        row += 1
    found.barred[u] = barred
    return False


@compiled
def _next_entry(u: int, hi: int, events: Events, limits: Limits, found: Found) -> int:
    """The first event after the attempt: after its conversion, its exclusion or its window."""
    row = found.witness[u, 0] + 1
    if found.levels[u] == limits.steps:
        for a in range(limits.steps):
            row = max(row, found.witness[u, a] + 1)
        return int(row)
    end = events.times[found.witness[u, 0]] + limits.window
    if found.barred[u] != NEVER:
        end = found.barred[u]
    while row < hi and events.times[row] <= end:
        row += 1
    return int(row)
