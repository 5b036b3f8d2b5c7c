"""Breakdowns under every option of the definition, against the oracle's chains and witnesses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np

from funnels.groups import Attribution, Values, breakdown, largest
from funnels.match import match_streams
from funnels.result import Json, answer
from tests.funnels.random_streams import (
    as_rules,
    as_streams,
    dressed_events,
    random_edges,
    random_question,
    rows_of,
    with_options,
)
from tests.funnels.test_result import UTC_ZONE, check_sums
from tests.oracle import Event, Question, Verdict, cases, judge_value, read

VALUES: list[Values] = [("de",), ("fr",)]
UNITS, QUESTIONS = 10, 40
Counts = dict[tuple[object, ...], Counter[str]]


def world(seed: str) -> tuple[Random, Question, list[list[Event]]]:
    random = Random(seed)
    question = with_options(random_question(random), random)
    events = [dressed_events(question, random) for _ in range(UNITS)]
    return (
        random,
        question,
        [[replace(one, value=random.choice(["de", "fr", None])) for one in once(unit)] for unit in events],
    )


def once(events: Sequence[Event]) -> list[Event]:
    """Each event id once, so that copies carry one value."""
    return list({event.id: event for event in events}.values())


def found_by_engine(question: Question, units: Sequence[Sequence[Event]], attribution: Attribution) -> tuple[Counts, Json]:
    codes: dict[object, int] = {value: code for code, (value,) in enumerate(VALUES)}
    streams = as_streams(units, question)
    streams = replace(streams, values=np.array([codes.get(event.value, -1) for _, event in rows_of(units)], np.int32))
    rules = as_rules(question, random_edges(question, Random(str(question))))
    outcome = match_streams(streams, rules)
    grouping = breakdown(outcome, streams, rules, VALUES, attribution)
    counts: Counts = {
        group.values: Counter(entrants=group.shares.whole, converted=group.shares.part) for group in largest(grouping, 9)
    }
    labels = [str(step) for step in range(outcome.steps)]
    return counts, answer(outcome, labels, rules, UTC_ZONE, grouping, limit=2)


def tallied(verdicts: Sequence[tuple[object, Verdict]]) -> Counts:
    counts: Counts = {}
    for value, verdict in verdicts:
        counts.setdefault((value,), Counter()).update({"entrants": 1, "converted": verdict.state == "converted"})
    return counts


def value_of(verdict: Verdict, question: Question, attribution: Attribution) -> object:
    """The definition's attribution, read from the oracle's witness."""
    chain: list[Event | None] = list(verdict.witness)
    if question.order == "any":
        events = sorted((event for event in chain if event), key=lambda event: (event.time, event.id or 0))
        chain = [*events, *[None] * (len(chain) - len(events))]
    values = [None if event is None else event.value for event in chain]
    known = [value for value in values if value is not None]
    if isinstance(attribution, int):
        return values[attribution]
    return None if not known else known[0] if attribution == "first" else known[-1]


def test_attribution_along_the_witness_agrees_with_the_oracle() -> None:
    for number in range(QUESTIONS):
        random, question, units = world(f"touch {number}")
        attribution: Attribution = random.choice(["first", "last", random.choice(question.required)])
        verdicts = [one for unit in units for one in cases(read(unit, question), question.start, question.end)]
        expected = tallied([(value_of(one, question, attribution), one) for one in verdicts])
        counts, found = found_by_engine(question, units, attribution)
        assert counts == expected, (number, question, attribution)
        check_answer(found, question, summing=True)


def test_all_agrees_with_the_oracles_chains_of_one_value() -> None:
    for number in range(QUESTIONS):
        _, question, units = world(f"all {number}")
        question = replace(question, count="units")
        verdicts = [(value, judge_value(unit, question, value)) for unit in units for value in ("de", "fr", None)]
        expected = tallied([(value, one) for value, one in verdicts if one.level])
        counts, found = found_by_engine(question, units, "all")
        assert counts == expected, (number, question)
        check_answer(found, question, summing=False)


def check_answer(found: Json, question: Question, *, summing: bool) -> None:
    """What must add up under every option."""
    groups = found["groups"]
    assert isinstance(groups, list)
    check_sums(found, question.required)
    for group in groups:
        assert group["entrants"] == group["steps"][0]["reached"]
        assert group["converted"] == group["steps"][-1]["reached"]
        assert sum(step["dropped"] for step in group["steps"]) == group["entrants"] - group["converted"]
    if summing:
        assert [sum(group[name] for group in groups) for name in ("entrants", "converted")] == [
            found["entrants"],
            found["converted"],
        ]
    curve = found["survival"]
    assert isinstance(curve, list) and bool(curve) == bool(found["entrants"])
    shares = [row["converted"] for row in curve]
    assert shares == sorted(shares) and all(0 <= share <= 1 for share in shares)
