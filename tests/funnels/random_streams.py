"""Random questions and random streams of events, small and dense enough that every rule bites.

Times are seconds on a short line, so that ties, window edges and events before the range are the rule, not the exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np

from funnels.match import Rules, Streams
from tests.oracle import Event, Question

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def random_question(random: Random) -> Question:
    steps, span = random.choice([1, 2, 2, 3, 3, 4, 5]), random.choice([4, 8, 20, 50])
    window = random.choice([1, 2, span // 2, span, 3 * span])
    start = random.choice([-1, -1, 0, random.randint(0, span - 1)])
    end = random.choice([start + 1, random.randint(start + 1, span + 1), span + 1, 3 * span])
    as_of = random.choice([2 * span + window, span + window, span, random.randint(0, span)])
    withins = [None, *(random.choice([None, None, 1, 2, span // 3 + 1]) for _ in range(steps - 1))]
    return Question(tuple(withins), window, start, end, as_of)


def random_edges(question: Question, random: Random) -> list[int]:
    """Bucket edges that cover the range of entries; none where the question asks for no trend."""
    width = random.choice([0, 1, 2, 5, 30])
    if width == 0:
        return []
    first = question.start - random.randrange(width)
    return list(range(first, question.end + width, width))


def random_events(question: Question, random: Random) -> list[Event]:
    """Up to nine events; most match one step, some several, some none; often several at one instant."""
    steps, span = len(question.withins), random.choice([2, 5, 12, 60])
    origin = random.randint(-2, 3)
    events = []
    for _ in range(random.choice([1, 2, 3, 4, 5, 6, 7, 8, 9])):
        bits = random.choices(range(steps), k=random.choice([0, 1, 1, 1, 1, 2, 2, 3, 5]))
        events.append(Event(origin + random.randrange(span), frozenset(bits)))
    return events


def as_streams(units: Sequence[Sequence[Event]]) -> Streams:
    """The engine's arrays for these units, whose events may come in any order (events at one instant stay as they came)."""
    rows = [
        (unit, event.time, sum(1 << step for step in event.steps)) for unit, events in enumerate(units) for event in events
    ]
    rows.sort(key=lambda row: row[:2])
    codes, seconds, masks = zip(*rows, strict=True) if rows else ((), (), ())
    return Streams(np.array(codes, np.int32), np.array(seconds, np.int64) * 1_000_000, np.array(masks, np.int64), len(units))


def as_rules(question: Question, edges: Sequence[int] = ()) -> Rules:
    return Rules(
        withins=tuple(None if within is None else timedelta(seconds=within) for within in question.withins),
        window=timedelta(seconds=question.window),
        start=moment(question.start),
        end=moment(question.end),
        as_of=moment(question.as_of),
        edges=tuple(moment(edge) for edge in edges),
    )


def moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
