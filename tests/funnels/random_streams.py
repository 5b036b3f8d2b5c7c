"""Random questions and random streams of events, small and dense enough that every rule bites.

Times are seconds on a short line, so that ties, window edges and events before the range are the rule, not the exception.
``random_question`` draws the plain question (range, window, ``within``); ``with_options`` dresses it with the rest of the
definition, in combinations that it allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, Literal

import numpy as np

from funnels.match import Codes, Exclusion, Rules, Streams
from tests.oracle import NONE, Event, Order, Question, Ties

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = tuple[int, Event]  # unit, event

ORDERS: Final[Sequence[Order]] = ("sequential", "sequential", "sequential", "strict", "any")
TIES: Final[Sequence[Ties]] = ("in_order", "in_order", "strict", 1, 3)
REENTRIES: Final[Sequence[Literal["any", "first"]]] = ("any", "any", "any", "first")
WITNESSES: Final[Sequence[Literal["earliest", "shortest"]]] = ("earliest", "earliest", "shortest")
COUNTS: Final[Sequence[Literal["units", "attempts"]]] = ("units", "units", "attempts")


def random_question(random: Random) -> Question:
    steps, span = random.choice([1, 2, 2, 3, 3, 4, 5]), random.choice([4, 8, 20, 50])
    window = random.choice([1, 2, span // 2, span, 3 * span])
    start = random.choice([-1, -1, 0, random.randint(0, span - 1)])
    end = random.choice([start + 1, random.randint(start + 1, span + 1), span + 1, 3 * span])
    as_of = random.choice([2 * span + window, span + window, span, random.randint(0, span)])
    withins = [None, *(random.choice([None, None, 1, 2, span // 3 + 1]) for _ in range(steps - 1))]
    return Question(tuple(withins), window, start, end, as_of)


def with_options(question: Question, random: Random) -> Question:
    """The same question under random options; each is left at its default often enough to be seen alone."""
    steps = len(question.withins)
    if random.random() < 0.7:  # entries in range, and late enough a view: the rules below, not the range, decide
        question = replace(question, start=-1, end=max(question.end, 12), as_of=random.choice([40, random.randint(2, 12)]))
    order = random.choice(ORDERS)
    ties = random.choice(TIES if order == "sequential" else TIES[:3]) if order != "any" else "in_order"
    question = replace(
        question,
        order=order,
        ties=ties,
        optional=subset(range(1, steps - 1), 0.3, random),
        first_ever=subset(range(steps), 0.25, random) if random.random() < 0.3 else NONE,
        reentry=random.choice(REENTRIES),
        witness=random.choice(WITNESSES),
        count=random.choice(COUNTS),
        hold=random.random() < 0.25,
    )
    if order == "any":
        question = replace(question, optional=NONE, withins=(None,) * steps)
    return replace(question, exclusions=random_exclusions(question, random))


def random_exclusions(question: Question, random: Random) -> tuple[tuple[int, int], ...]:
    required = question.required
    if isinstance(question.ties, int) or len(required) < 2 or random.random() < 0.3:
        return ()
    if question.order == "any":
        return ((0, len(question.withins) - 1),) * random.choice([1, 2])
    ends = [sorted(random.sample(required, 2)) for _ in range(random.choice([1, 1, 2, 3]))]
    return tuple((after, before) for after, before in ends)


def subset(steps: Sequence[int], share: float, random: Random) -> frozenset[int]:
    return frozenset(step for step in steps if random.random() < share)


def random_edges(question: Question, random: Random) -> list[int]:
    """Bucket edges that cover the range of entries; none where the question asks for no trend."""
    width = random.choice([0, 1, 2, 5, 30])
    if width == 0:
        return []
    first = question.start - random.randrange(width)
    return list(range(first, question.end + width, width))


def random_events(question: Question, random: Random) -> list[Event]:
    """Up to nine events; most match one step, some several, some none; often several at one instant."""
    span, origin = random.choice([2, 5, 12, 60]), random.randint(-2, 3)
    return [random_event(question, origin, span, random) for _ in range(random.randint(1, 9))]


def random_event(question: Question, origin: int, span: int, random: Random) -> Event:
    bits = random.choices(range(len(question.withins)), k=random.choice([0, 1, 1, 1, 1, 2, 2, 3, 5]))
    return Event(origin + random.randrange(span), frozenset(bits))


def dressed_events(question: Question, random: Random) -> list[Event]:
    """Three to nine events with all that the question's options ask of one, shuffled, and some of them delivered twice.

    Under a tolerance an event matches one step at most, as the definition demands.
    """
    span, origin = random.choice([3, 5, 8, 12, 25]), random.randint(-2, 1)
    events = [random_event(question, origin, span, random) for _ in range(random.choice([3, 4, 5, 5, 6, 6, 7, 8, 9]))]
    ids = random.sample(range(10 * len(events)), len(events))
    dressed = [dress(event, number, question, random) for event, number in zip(events, ids, strict=True)]
    if random.random() < 0.2:
        dressed += random.choices(dressed, k=2)
    random.shuffle(dressed)
    return dressed


def dress(event: Event, number: int, question: Question, random: Random) -> Event:
    steps = frozenset(list(event.steps)[:1]) if isinstance(question.ties, int) else event.steps
    return Event(
        event.time,
        steps,
        number,
        named=steps | subset(range(len(question.withins)), 0.2, random) if question.first_ever else None,
        bars=subset(range(len(question.exclusions)), 0.25, random) if question.exclusions else NONE,
        held=random.choice([0, 0, 0, 1, 2, None]) if question.hold else 0,
    )


def as_streams(units: Sequence[Sequence[Event]], question: Question | None = None) -> Streams:
    """The engine's arrays for these units, whose events may come in any order (events at one instant by their ids, if any).

    With a question, also those arrays that its options need.
    """
    rows = rows_of(units)
    masks = [sum(1 << step for step in event.steps) for _, event in rows]
    streams = Streams(
        np.array([unit for unit, _ in rows], np.int32),
        np.array([event.time for _, event in rows], np.int64) * 1_000_000,
        np.array(masks, np.int64),
        len(units),
    )
    return streams if question is None else with_arrays(streams, rows, question)


def rows_of(units: Sequence[Sequence[Event]]) -> list[Row]:
    """Every event once, by unit, time and id: row r of the streams is row r of this list."""
    rows = []
    for unit, events in enumerate(units):
        once = {number if event.id is None else event.id: event for number, event in enumerate(events)}
        rows += [(unit, once[number]) for number in sorted(once, key=lambda number: (once[number].time, number))]
    return rows


def with_arrays(streams: Streams, rows: Sequence[Row], question: Question) -> Streams:
    masks, spent = streams.masks.copy(), np.zeros(streams.count, np.int64)
    firsts = {(unit, step): row for row, unit, step in reversed(named_rows(rows))}
    for row, unit, step in named_rows(rows):
        if step in question.first_ever and firsts[unit, step] != row:
            masks[row] &= ~(1 << step)
        elif step in question.first_ever and rows[row][1].time <= question.as_of:
            spent[unit] |= 1 << step
    bars = [sum(1 << bar for bar in event.bars) for _, event in rows]
    held = [-1 if event.held is None else event.held for _, event in rows]
    instants, last_instant = numbered_instants(rows, streams.count, question.as_of)
    return replace(
        streams,
        masks=masks,
        bars=np.array(bars if question.exclusions else [], np.int64),
        held=np.array(held if question.hold else [], np.int32),
        instants=instants if question.order == "strict" else instants[:0],
        last_instant=last_instant if question.order == "strict" else instants[:0],
        spent=spent if question.first_ever else spent[:0],
    )


def named_rows(rows: Sequence[Row]) -> list[tuple[int, int, int]]:
    """(row, unit, step) for every step among whose names a row's is."""
    return [
        (row, unit, step)
        for row, (unit, event) in enumerate(rows)
        for step in (event.steps if event.named is None else event.named)
    ]


def numbered_instants(rows: Sequence[Row], count: int, as_of: int) -> tuple[Codes, Codes]:
    """Per row the dense rank of its instant in its unit, and per unit the last rank until as_of (-1: none)."""
    instants, last = np.zeros(len(rows), np.int32), np.full(count, -1, np.int32)
    seen: dict[int, set[int]] = {}
    for row, (unit, event) in enumerate(rows):
        seen.setdefault(unit, set()).add(event.time)
        instants[row] = len(seen[unit]) - 1
        if event.time <= as_of:
            last[unit] = instants[row]
    return instants, last


def without_idle_rows(streams: Streams, rows: Sequence[Row]) -> tuple[Streams, list[Row]]:
    """The streams as they are read from a lake: no row that may serve no step and excludes nothing."""
    kept = streams.masks != 0
    if streams.bars.size:
        kept |= streams.bars != 0
    names = [name for name in ("units", "times", "masks", "bars", "held", "instants") if getattr(streams, name).size]
    chosen = replace(streams, **{name: getattr(streams, name)[kept] for name in names})
    return chosen, [row for row, keep in zip(rows, kept, strict=True) if keep]


def as_rules(question: Question, edges: Sequence[int] = ()) -> Rules:
    return Rules(
        withins=tuple(None if within is None else timedelta(seconds=within) for within in question.withins),
        window=timedelta(seconds=question.window),
        start=moment(question.start),
        end=moment(question.end),
        as_of=moment(question.as_of),
        edges=tuple(moment(edge) for edge in edges),
        order=question.order,
        ties=timedelta(seconds=question.ties) if isinstance(question.ties, int) else question.ties,
        optional=question.optional,
        reentry=question.reentry,
        witness=question.witness,
        count=question.count,
        exclusions=tuple(Exclusion(after, before) for after, before in question.exclusions),
    )


def moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)
