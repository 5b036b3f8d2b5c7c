"""The engine against the oracle, on random streams.

``JCURVE_TEST_ORACLE_STREAMS`` sets how many (``make oracle``: a million); each question is asked of a hundred of them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from funnels.match import CONVERTED, NEVER, PENDING, Outcome, Tally, match_streams
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
    cases = np.flatnonzero(outcome.units == unit)
    if not cases.size:
        return Verdict(0, None, ())
    (case,) = cases
    level = int(outcome.levels[case])
    assert all(outcome.times[case, level:] == NEVER)
    times = tuple(int(time) // 1_000_000 for time in outcome.times[case, :level])
    return Verdict(level, {CONVERTED: "converted", PENDING: "pending"}.get(int(outcome.states[case]), "lost"), times)


def tally(units: Sequence[Sequence[Event]], question: Question) -> Tally:
    states = Counter(judge(events, question).state for events in units)
    return Tally(sum(states.values()) - states[None], states["converted"], states["pending"], 0, states["lost"])


def without_pending(found: Tally) -> Tally:
    """The mature figures: the definition says that nothing in them is pending."""
    assert found.pending == 0
    return found
