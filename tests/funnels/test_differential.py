"""The engine against the oracle, on random streams under random options.

``JCURVE_TEST_ORACLE_STREAMS`` sets how many (``make oracle``: a million); each question is asked of fifty of them. Part
"plain" asks the questions without options, which the engine may answer by a loop of their own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import cpu_count, get_context
from random import Random

from funnels.match import CONVERTED, EXCLUDED, LOST, NEVER, PENDING, Outcome, Tally, match_streams
from tests.funnels.random_streams import (
    Row,
    as_rules,
    as_streams,
    dressed_events,
    random_edges,
    random_question,
    rows_of,
    with_options,
    without_idle_rows,
)
from tests.oracle import Event, Question, Unit, Verdict, cases, read, ripe

STREAMS = int(os.environ.get("JCURVE_TEST_ORACLE_STREAMS", "20000"))
UNITS, PARTS = 50, 8
STATES = {CONVERTED: "converted", PENDING: "pending", EXCLUDED: "excluded", LOST: "lost"}
OPTIONS = (
    "sequential, strict, any, ties in_order, ties strict, tolerance, reentry any, reentry first, earliest, shortest, units, "
    "attempts, optional, first_ever, exclusions, hold, within"
)
Told = tuple[int, int, str | None, tuple[int | None, ...], int | None, int | None]


def compare(part: str, questions: int) -> Counter[str]:
    """Ask so many questions of both; what was met on the way, and how often."""
    met: Counter[str] = Counter()
    for number in range(questions):
        seed = f"{part}:{number}"
        random = Random(seed)
        question = random_question(random)
        if part != "plain":
            question = with_options(question, random)
        edges = random_edges(question, random)
        units = [dressed_events(question, random) for _ in range(UNITS)]
        met.update(compare_one(seed, question, edges, units))
    return met


def compare_one(seed: str, question: Question, edges: Sequence[int], units: Sequence[Sequence[Event]]) -> Iterator[str]:
    streams, rows = as_streams(units, question), rows_of(units)
    if len(seed) % 2:
        streams, rows = without_idle_rows(streams, rows)
    outcome = match_streams(streams, as_rules(question, edges))
    read_units = [read(events, question) for events in units]
    expected = [
        told(unit, verdict) for unit, one in enumerate(read_units) for verdict in cases(one, question.start, question.end)
    ]
    found = list(told_by_engine(outcome, rows))
    if found != expected:
        unit = next(unit for unit in range(len(units)) if of(unit, found) != of(unit, expected))
        stream = "\n".join(str(event) for event in read_units[unit].stream)
        raise AssertionError(f"{seed}: {question}\n{stream}\nengine {of(unit, found)}\noracle {of(unit, expected)}")
    assert outcome.mature == tally(read_units, question.start, ripe(question)), (seed, question)
    assert outcome.mature.pending == 0
    buckets = [tally(read_units, start, end) for start, end in pairwise(edges)]
    assert list(outcome.trend) == buckets, (seed, question, edges)
    yield from options(question)
    yield from (str(case[2]) for case in expected)
    yield from ("bucket" for bucket in buckets if bucket.entrants)


def of(unit: int, told: Sequence[Told]) -> list[Told]:
    return [case for case in told if case[0] == unit]


def told(unit: int, verdict: Verdict) -> Told:
    ids = tuple(None if event is None else event.id for event in verdict.witness)
    return unit, verdict.level, verdict.state, ids, verdict.entered, verdict.barred


def told_by_engine(outcome: Outcome, rows: Sequence[Row]) -> Iterator[Told]:
    """The outcome in the oracle's words; a witness by its events' ids."""
    for case, unit in enumerate(outcome.units):
        ids = tuple(None if row < 0 else rows[row][1].id for row in outcome.witness[case])
        assert all(row < 0 or rows[row][0] == unit for row in outcome.witness[case])
        barred = None if outcome.barred[case] == NEVER else int(outcome.barred[case]) // 1_000_000
        state = STATES[int(outcome.states[case])]
        yield int(unit), int(outcome.levels[case]), state, ids, int(outcome.entered[case]) // 1_000_000, barred


def tally(units: Sequence[Unit], start: int, end: int) -> Tally:
    states = Counter(verdict.state for unit in units for verdict in cases(unit, start, end))
    return Tally(states.total(), states["converted"], states["pending"], states["excluded"], states["lost"])


def options(question: Question) -> Iterator[str]:
    """What the question asks beyond the defaults."""
    yield question.order
    yield "tolerance" if isinstance(question.ties, int) else f"ties {question.ties}"
    yield f"reentry {question.reentry}"
    yield question.witness
    yield question.count
    asked = (question.optional, question.first_ever, question.exclusions, question.hold, any(question.withins))
    yield from (
        name for name, one in zip(("optional", "first_ever", "exclusions", "hold", "within"), asked, strict=True) if one
    )


def test_the_matcher_agrees_with_the_oracle_on_plain_questions() -> None:
    met = compare("plain", max(STREAMS // 5 // UNITS, 1))
    assert set(met) >= {"converted", "pending", "lost", "bucket", "within"}


def run(questions: int) -> list[Counter[str]]:
    """All parts, many of them in processes of their own (to start one costs as much as some thousand streams)."""
    parts = [f"part {part}" for part in range(PARTS)]
    if STREAMS < 100_000:
        return [compare(part, questions) for part in parts]
    with ProcessPoolExecutor(min(cpu_count(), PARTS), get_context("spawn")) as pool:
        return list(pool.map(compare, parts, [questions] * PARTS))


def test_the_matcher_agrees_with_the_oracle_under_every_option() -> None:
    """Each option and each state must have been met often, else the agreement says nothing of it."""
    questions = max(STREAMS * 4 // 5 // UNITS // PARTS, 1)
    met = sum(run(questions), Counter[str]())
    asked = questions * PARTS
    for option in OPTIONS.split(", "):
        assert met[option] >= asked / 25, (option, met)
    for state in ("converted", "pending", "excluded", "lost"):
        assert met[state] >= asked, (state, met)
