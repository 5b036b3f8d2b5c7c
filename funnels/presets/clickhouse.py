"""ClickHouse's ``windowFunnel`` (tested against ClickHouse itself, 26.9).

What it changes against our definition
- One event may serve several steps of a chain; events of one instant are taken in step order.
- All events lie in [from, to), as in the usual query with the range in its ``where``: a step after ``to`` does not count.
- The window runs from the latest step 1 that still leads to the step (the level is the same as ours); the witness is the
  chain that it would carry, its latest.
- No pending, no exclusions, optional steps, ``within``, hold, re-entry rule or attempts: these are refused.
- ``order: "strict"`` is its mode ``strict_order``: any other event after the first step 1 ends the search for good, and so
  does a step whose step before was not reached; it never starts again. (An event of another name at the very instant of
  one that serves a step is not seen here; ClickHouse takes it first.)
- ``ties: "strict"`` is its mode ``strict_increase``. It compares with the last event that reached the step before, not
  with any, so that it gives fewer steps than our strict ties (``A1 B2 B3 C3`` reaches 2).
- ``clickhouse:strict_deduplication`` stops at the first event that repeats a step already reached; step 1 may repeat.
- ``clickhouse:strict_once`` lets one event serve one step: our own matcher, over the events of the range.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from funnels.kernel import NEVER, Ints
from funnels.kernel.words import compiled
from funnels.match import Outcome, Rules, Streams, match_streams
from funnels.presets.by_unit import Events, Found, Limits, outcome, settled

PLAIN, STRICT_DEDUPLICATION, STRICT_ORDER, STRICT_INCREASE = 0, 1, 2, 3


def match(streams: Streams, rules: Rules, mode: str = "") -> Outcome:
    if mode == "strict_once":
        return _strict_once(streams, rules)
    number = STRICT_DEDUPLICATION if mode == "strict_deduplication" else PLAIN
    if rules.order == "strict":
        number = STRICT_ORDER
    elif rules.ties == "strict":
        number = STRICT_INCREASE
    return outcome(streams, rules, partial(window_funnel, number), within_range=True)


def _strict_once(streams: Streams, rules: Rules) -> Outcome:
    """Events outside of the range serve nothing."""
    end = replace(rules, as_of=min(rules.as_of, rules.end))
    epoch = np.datetime64(0, "us")
    first, last = (np.datetime64(time.replace(tzinfo=None), "us") for time in (rules.start, rules.end))
    seen = (streams.times >= (first - epoch).astype(np.int64)) & (streams.times < (last - epoch).astype(np.int64))
    return settled(match_streams(replace(streams, masks=np.where(seen, streams.masks, 0)), end))


def window_funnel(mode: int, events: Events, limits: Limits, found: Found) -> None:
    paths = np.full((limits.steps, limits.steps), -1, np.int64)
    reached = np.full((2, limits.steps), NEVER, np.int64)
    _walk(mode, events, limits, found, paths, reached)


@compiled
def _walk(mode: int, events: Events, limits: Limits, found: Found, paths: Ints, reached: Ints) -> None:
    """``reached``: per step the entry and the last event of the chain carried, ``paths`` its events."""
    for u in range(events.offsets.shape[1]):
        reached[:] = NEVER
        _unit(mode, events, limits, events.offsets[0, u], events.offsets[1, u], paths, reached)
        level = limits.steps
        while level > 0 and reached[0, level - 1] == NEVER:
            level -= 1
        found.levels[u] = level
        for a in range(level):
            found.witness[u, a] = paths[level - 1, a]


@compiled
def other_events(events: Events, i: int, after: int) -> bool:
    """Order strict: does an event that serves no step lie between the last instant and this one, or at this one?"""
    if events.instants[i] - events.instants[i - 1] > 1:
        return True
    return bool(np.any(events.masks[i:after] == 0))


@compiled
def _unit(mode: int, events: Events, limits: Limits, lo: int, hi: int, paths: Ints, reached: Ints) -> None:
    entries, lasts = reached[0], reached[1]
    begun = False
    i = lo
    while i < hi:
        t = events.times[i]
        after = i + 1
        while after < hi and events.times[after] == t:
            after += 1
        if mode == STRICT_ORDER and begun and other_events(events, i, after):
            return
        for a in range(limits.steps):
            for row in range(i, after):
                if not events.masks[row] >> a & 1 or (a == 0 and not limits.start <= t < limits.end):
                    continue
                if a == 0:
                    begun = True
                    entries[0], lasts[0], paths[0, 0] = t, t, row
                elif mode == STRICT_DEDUPLICATION and entries[a] != NEVER:
                    return
                elif entries[a - 1] == NEVER:
                    if mode == STRICT_ORDER and begun:
                        return
                elif t <= entries[a - 1] + limits.window and (mode != STRICT_INCREASE or lasts[a - 1] < t):
                    entries[a], lasts[a] = entries[a - 1], t
                    paths[a, :a] = paths[a - 1, :a]
                    paths[a, a] = row
                    if a == limits.steps - 1:
                        return
        i = after
