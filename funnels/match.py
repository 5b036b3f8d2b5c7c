"""The funnel's definition, and the matcher's door: streams of units and rules in, one outcome per unit out.

Raw events and stage tables both come as ``Streams``; every number shown of a funnel is read from one ``Outcome``.
``kernel`` computes what stands here in linear time; ``tests/oracle.py`` reads it literally, and the two must agree.

1. Words. A *unit* is who is counted, a person or an account; events without one are left out and their number is told. A
   unit's *stream* is its events, each event id once, by time. A *chain* is distinct events that match the steps in their
   order, from the first step on; its first event is the *entry*. One event serves one step of a chain at most, and every
   beginning of a valid chain is valid. A unit's *level* is the largest number of steps that a valid chain matches. That
   such a chain exists is meant literally: no greedy reading may undercount it.
2. Validity. Times do not fall along a chain. Events at one instant may be taken in any order, so within an instant steps
   and events are matched as a bipartite graph. From the entry to each event passes at most the window; from each event to
   the next at most the next step's ``within``, where it has one. Both are inclusive, and elapsed time, not calendar days.
3. Ranges and states. An entry counts if it lies in [from, to); later steps count until the window ends, also after ``to``,
   but not after ``as_of`` (events at that very moment count). A unit that entered is in the first of these states that
   holds: *converted* (a chain matches all steps), *pending* (events after ``as_of`` could still complete a chain: its
   window and its next step's ``within`` both end later), *lost*. These three partition the entrants. *Mature* figures are
   the same funnel over entries whose window has closed, which leaves nobody pending.
4. The witness. Times come from one chain per unit: of the chains of its level the one with the lexicographically smallest
   times.
5. Counting. Each unit counts once. Every entry in range may begin a chain. A bucket of the trend is a funnel of its own
   over the entries in it: so a closed bucket never changes, and a unit with entries in two buckets stands in both.
6. Filters: ``funnels.filters``. 7. The question: ``funnels.request``; the answer: ``funnels.result``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from funnels.cases import match_plainly, match_spans
from funnels.kernel import CONVERTED, EXCLUDED, LOST, MAX_EXCLUSIONS, MAX_STEPS, NEVER, PENDING, Codes
from funnels.rules import Exclusion, Outcome, Rules, Streams, Tally, microseconds

__all__ = [
    "CONVERTED",
    "EXCLUDED",
    "LOST",
    "NEVER",
    "PENDING",
    "Codes",
    "Exclusion",
    "Outcome",
    "Rules",
    "Streams",
    "Tally",
    "match_streams",
    "microseconds",
    "warm",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def match_streams(streams: Streams, rules: Rules) -> Outcome:
    """Match every unit of ``streams``; linear in events, on threads of the matcher's own."""
    _check(streams, rules)
    return match_plainly(streams, rules) if _is_plain(streams, rules) else match_spans(streams, rules)


def _is_plain(streams: Streams, rules: Rules) -> bool:
    """Do chains differ in nothing but times? Then a simpler loop answers the same, sooner."""
    same = (rules.order, rules.ties, rules.witness, rules.count) == ("sequential", "in_order", "earliest", "units")
    return same and not (rules.optional or rules.exclusions or streams.held.size or streams.spent.any())


def warm() -> None:
    """Compile the matcher, or load it from numba's cache, so that no reader waits for it (some 10 s the first time)."""
    start, end = _EPOCH, _EPOCH + timedelta(days=2)
    streams = Streams(np.zeros(2, np.int32), np.zeros(2, np.int64), np.array([1, 2], np.int64), 1)
    match_streams(streams, Rules((None, None), timedelta(days=1), start, end, end, (start, end)))


def _check(streams: Streams, rules: Rules) -> None:
    steps = len(rules.withins)
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(f"a funnel has 1 to {MAX_STEPS} steps, not {steps}")
    if rules.edges and not (rules.edges[0] <= rules.start and rules.end <= rules.edges[-1]):
        raise ValueError("the trend's buckets do not cover the range of entries")
    if len(rules.exclusions) > MAX_EXCLUSIONS:
        raise ValueError(f"a funnel has at most {MAX_EXCLUSIONS} exclusions, not {len(rules.exclusions)}")
    if not rules.optional <= set(range(1, steps - 1)):
        raise ValueError("neither the first nor the last step may be optional")
    required = set(range(steps)) - rules.optional
    if any(not one.after < one.before or not {one.after, one.before} <= required for one in rules.exclusions):
        raise ValueError("an exclusion lies after one required step and before a later one")
    if rules.exclusions and streams.bars.size != streams.times.size:
        raise ValueError("exclusions need Streams.bars")
    if rules.order == "strict" and streams.instants.size != streams.times.size:
        raise ValueError("order strict needs Streams.instants and Streams.last_instant")
    if rules.order == "any" and (rules.optional or any(rules.withins[1:])):
        raise ValueError("order any has no optional steps and no within")
    if isinstance(rules.ties, timedelta):
        if rules.order != "sequential" or rules.exclusions:
            raise ValueError("a tolerance needs order sequential and no exclusions")
        if (streams.masks & (streams.masks - 1)).any():
            raise ValueError("a tolerance needs steps that cannot match the same event")
