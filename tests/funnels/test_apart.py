"""The loop for units whose events lie apart answers what the loops for every rule answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from funnels.cases import match_plainly, match_spans
from funnels.match import Outcome, Rules, Streams, microseconds

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def streams_of(random: np.random.Generator, steps: int, units: int) -> Streams:
    """Up to thirty events a unit on sixty days, most of them apart; some serve several steps, some none."""
    sizes = random.integers(0, 30, units)
    codes = np.repeat(np.arange(units), sizes).astype(np.int32)
    hours = random.integers(0, 60 * 24, codes.size) * 3_600_000_000
    order = np.lexsort((hours, codes))
    bits = 1 << random.integers(0, steps, (2, codes.size))
    masks = np.where(random.random(codes.size) < 0.2, bits[0] | bits[1], bits[0] * (random.random(codes.size) < 0.95))
    return Streams(codes, microseconds(START) + hours[order], masks.astype(np.int64), units)


def rules_of(random: np.random.Generator, steps: int) -> Rules:
    withins = [None if random.random() < 0.6 else int(random.integers(1, 6)) * DAY for _ in range(steps)]
    start, length = START + int(random.integers(0, 10)) * DAY, int(random.integers(1, 50))
    as_of = START + int(random.integers(20, 70)) * DAY
    edges = tuple(start + day * DAY for day in range(0, length + 7, 7)) if random.random() < 0.5 else ()
    return Rules((None, *withins[1:]), int(random.integers(1, 15)) * DAY, start, start + length * DAY, as_of, edges)


def told(outcome: Outcome) -> tuple[object, ...]:
    arrays = (outcome.units, outcome.levels, outcome.states, outcome.times, outcome.entered)
    return (*(array.tolist() for array in arrays), outcome.mature, outcome.trend)


@pytest.mark.parametrize("seed", range(40))
def test_it_agrees_with_the_loops_for_every_rule(seed: int) -> None:
    random = np.random.default_rng(seed)
    steps = int(random.integers(1, 6))
    streams, rules = streams_of(random, steps, 200), rules_of(random, steps)
    assert told(match_plainly(streams, rules)) == told(match_spans(streams, rules))
