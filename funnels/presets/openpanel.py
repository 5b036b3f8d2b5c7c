"""OpenPanel: ClickHouse's ``windowFunnel`` in the mode ``strict_increase``, over whole milliseconds.

What it changes against our definition
- Each step must come at least a millisecond after the one before. It is compared with the last event that reached the step
  before, not with any, so that some chains are missed (``A1 B2 B3 C3`` reaches 2 of 3).
- All events lie in [from, to]; a step after the range's end does not count.
- It counts sessions unless told otherwise: ask for ``"unit": "session"`` to see its numbers.
- No pending, and no other order, ties, exclusions, optional steps, ``within``, hold, re-entry rule or attempts: refused.
  (Its own hold counts each pair of unit and value, which we do not.)
- Its chart of conversion over time counts by other rules; here the trend is the same funnel per bucket.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from funnels.match import Outcome, Rules, Streams
from funnels.presets.by_unit import entered, outcome
from funnels.presets.clickhouse import STRICT_INCREASE, window_funnel

MILLISECOND: Final = timedelta(milliseconds=1)


def match(streams: Streams, rules: Rules) -> Outcome:
    """The times told are those of the events, in microseconds."""
    whole = replace(streams, times=streams.times // 1000 * 1000)
    found = outcome(whole, replace(rules, window=rules.window // MILLISECOND * MILLISECOND), _loop, within_range=True)
    return replace(found, event_times=streams.times, entered=entered(streams, found.witness))


_loop = partial(window_funnel, STRICT_INCREASE)
