"""Umami: a chain of joins, each step within the window of the step before.

What it changes against our definition
- ``window`` is the longest time between two neighbouring steps, not from the first to the last.
- One event may serve several steps of a chain; events of one instant may be taken in any order.
- All events lie in [from, to]; a step after the range's end does not count.
- It counts sessions, and an anonymous visitor who registers is two of them: ask for ``"unit": "session"``.
- No pending, and no other order, ties, exclusions, optional steps, ``within`` (it is the window), hold, re-entry rule or
  attempts: refused.
"""

from __future__ import annotations

import numpy as np

from funnels.kernel import NEVER, Ints
from funnels.kernel.words import compiled
from funnels.match import Outcome, Rules, Streams
from funnels.presets.by_unit import Events, Found, Limits, outcome


def match(streams: Streams, rules: Rules) -> Outcome:
    return outcome(streams, rules, _loop, within_range=True)


def _loop(events: Events, limits: Limits, found: Found) -> None:
    _walk(events, limits, found, np.full((limits.steps, limits.steps), -1, np.int64), np.full(limits.steps, NEVER, np.int64))


@compiled
def _walk(events: Events, limits: Limits, found: Found, paths: Ints, lasts: Ints) -> None:
    """``lasts``: the last moment at which a step was reached, ``paths`` the events of a chain that reached it there.

    Only the gap to the step before counts, so that the last moment serves every later event best.
    """
    for u in range(events.offsets.shape[1]):
        lasts[:] = NEVER
        i, hi = events.offsets[0, u], events.offsets[1, u]
        while i < hi:
            t = events.times[i]
            after = i + 1
            while after < hi and events.times[after] == t:
                after += 1
            for a in range(limits.steps):
                for row in range(i, after):
                    if lasts[a] == t or not events.masks[row] >> a & 1:
                        continue
                    if a == 0 and not limits.start <= t < limits.end:
                        continue
                    if a > 0 and (lasts[a - 1] == NEVER or t - lasts[a - 1] > limits.window):
                        continue
                    lasts[a] = t
                    if a > 0:
                        paths[a, :a] = paths[a - 1, :a]
                    paths[a, a] = row
            i = after
        level = 0
        while level < limits.steps and lasts[level] != NEVER:
            level += 1
        found.levels[u] = level
        for a in range(level):
            found.witness[u, a] = paths[level - 1, a]
