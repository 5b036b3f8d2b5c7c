"""The engine against the oracle, on random streams.

``JCURVE_TEST_ORACLE_STREAMS`` sets how many (``make oracle``: a million); each question is asked of a hundred of them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest

from funnels.kernel import NEVER
from funnels.match import Outcome, Tally, match_streams
from tests.funnels.random_streams import as_rules, as_streams, random_edges, random_events, random_question
from tests.oracle import Event, Question, Verdict, bucket, judge, mature

STREAMS = int(os.environ.get("JCURVE_TEST_ORACLE_STREAMS", "100000"))
UNITS, PARTS = 100, 8


@pytest.mark.parametrize("part", range(PARTS))
def test_the_matcher_agrees_with_the_oracle(part: int) -> None:
    for number in range(max(STREAMS // UNITS // PARTS, 1)):
        seed = f"{part}:{number}"
        random = Random(seed)
        question = random_question(random)
        edges = random_edges(question, random)
        units = [random_events(question, random) for _ in range(UNITS)]
        outcome = match_streams(as_streams(units), as_rules(question, edges))
        for unit, events in enumerate(units):
            assert verdict(outcome, unit) == judge(events, question), (seed, unit, question, events)
        assert outcome.mature == without_pending(tally(units, mature(question))), (seed, question)
        buckets = [bucket(question, start, end) for start, end in pairwise(edges)]
        assert list(outcome.trend) == [tally(units, one) for one in buckets], (seed, question, edges)


def verdict(outcome: Outcome, unit: int) -> Verdict:
    """The engine's outcome of one unit in the oracle's words."""
    level = int(outcome.levels[unit])
    if level == 0:
        return Verdict(0, None, ())
    unfinished = "pending" if outcome.pending[unit] else "lost"
    assert all(outcome.witness[unit, level:] == NEVER)
    times = tuple(int(time) // 1_000_000 for time in outcome.witness[unit, :level])
    return Verdict(level, "converted" if level == outcome.steps else unfinished, times)


def tally(units: Sequence[Sequence[Event]], question: Question) -> Tally:
    states = Counter(judge(events, question).state for events in units)
    return Tally(sum(states.values()) - states[None], states["converted"], states["pending"])


def without_pending(found: Tally) -> Tally:
    """The mature figures: the definition says that nothing in them is pending."""
    assert found.pending == 0
    return found
