"""Random questions with every option, asked as JSON over a lake of random events: answer and list are the oracle's.

The streams' query, the matcher and the list are tried together: names, filters, first-ever, exclusions, held values and
ranges go through SQL here, and through a plain reading of the same question beside it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from funnels.adhoc import Source, answer_of
from funnels.listing import page, parse_list
from tests.funnels.random_streams import random_question, with_options
from tests.oracle import Event, Question, Verdict, cases, read, ripe
from tests.transforms.world import Row, call, lake_of

SAMPLE = int(os.environ.get("LAKE_QUESTIONS", "12"))  # questions per lake
DAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
Seen = dict[str, Any]  # id, time (hours), name, n, p

TEMPLATES: list[Any] = [
    {"event": "A"},
    {"event": "B"},
    {"event": "C"},
    {"any_of": ["A", {"event": "B", "where": [{"property": "properties.n", "op": "gt", "value": 2}]}]},
    {"event": "*", "where": [{"property": "properties.n", "op": "in", "value": [0, 4]}]},
    {"any_of": ["C", "X"]},
]
APART: list[Any] = [{"event": "A"}, {"event": "B"}, {"event": "C"}, {"event": "X"}, {"event": "Y"}]
EXCLUDED: list[Any] = [
    {"event": "X"},
    {"event": "B", "where": [{"property": "properties.n", "op": "gte", "value": 3}]},
    {"any_of": ["C", "Y"]},
]
TOP = [{"property": "properties.n", "op": "ne", "value": 1}]


@pytest.mark.parametrize("seed", range(3))
def test_random_questions_with_every_option_are_answered_as_the_oracle_says(tmp_path: Path, seed: int) -> None:
    random = Random(f"lake questions {seed}")
    units = {f"u{number:02}": random_unit(number, random) for number in range(30)}
    lake = lake_of(tmp_path, shuffled(units, random))
    asked = Counter[str]()
    for _ in range(SAMPLE):
        question = with_options(random_question(random), random)
        if question.start == question.end:
            continue
        steps, exclude = random_steps(question, random), [random.choice(EXCLUDED) for _ in question.exclusions]
        top = random.random() < 0.3
        body = as_request(question, steps, exclude, TOP if top else [])
        as_of = DAY + question.as_of * HOUR
        source = Source(lake, "default", lake.version("default", "events"), as_of, None)
        expected = {
            unit: read([as_event(one, steps, exclude, top, question) for one in events], question)
            for unit, events in units.items()
        }
        found: Any = answer_of(source, parse_list({**body, "state": "lost"}).funnel)
        verdicts = [
            (f"user:{unit}", one) for unit, own in expected.items() for one in cases(own, question.start, question.end)
        ]
        told = json.dumps(body)
        assert [found[state] for state in STATES] == [counted(verdicts, state) for state in STATES], told
        assert [step["reached"] for step in found["steps"]] == reached(verdicts, question), told
        mature = [one for own in expected.values() for one in cases(own, question.start, ripe(question))]
        assert found["mature"]["entrants"] == len(mature), told
        assert found["mature"]["converted"] == sum(one.state == "converted" for one in mature), told
        everyone = page(source, parse_list({**body, "state": "reached", "step": 1, "limit": 1000}))
        rows = [(one["unit"], one["state"], one["reached"], one["times"]) for one in everyone.items]
        assert sorted(rows, key=str) == sorted((row(unit, one, question) for unit, one in verdicts), key=str), told
        asked += Counter(
            {question.order: 1, question.count: 1, "converted": found["converted"], "excluded": found["excluded"]}
        )
    assert min(asked[name] for name in ("sequential", "strict", "any", "units", "attempts", "converted", "excluded")) > 0


STATES = ("converted", "pending", "excluded", "lost")


def random_unit(number: int, random: Random) -> list[Seen]:
    """Up to seven events within a day or so, several of them often at one instant."""
    span, origin = random.choice([3, 5, 8, 12, 25]), random.randint(-2, 1)
    ids = random.sample(range(1000), random.choice([2, 3, 4, 5, 6, 7]))
    return [
        {
            "id": f"{one:04}-{number:02}",
            "time": origin + random.randrange(span),
            "name": random.choice("AABBCCXYZ"),
            "n": random.randrange(5),
            "p": random.choice([1, 1, 1, "1", True, None]),
        }
        for one in ids
    ]


def shuffled(units: dict[str, list[Seen]], random: Random) -> list[Row]:
    rows = [
        call(one["id"], DAY + one["time"] * HOUR, user=unit, event=one["name"], traits={"n": one["n"], "p": one["p"]})
        for unit, events in units.items()
        for one in events
    ]
    random.shuffle(rows)
    return rows


def random_steps(question: Question, random: Random) -> list[Any]:
    """Under a tolerance steps that no one event can serve."""
    count = len(question.withins)
    return random.sample(APART, count) if isinstance(question.ties, int) else random.choices(TEMPLATES, k=count)


def as_request(question: Question, steps: list[Any], exclude: list[Any], top: list[Any]) -> dict[str, Any]:
    ends = [{} if question.order == "any" else {"after": i + 1, "before": j + 1} for i, j in question.exclusions]
    return {
        "steps": [
            {
                **step,
                "within": None if within is None else f"{within}h",
                "optional": number in question.optional,
                "first_ever": number in question.first_ever,
            }
            for number, (step, within) in enumerate(zip(steps, question.withins, strict=True))
        ],
        "from": (DAY + question.start * HOUR).isoformat(),
        "to": (DAY + question.end * HOUR).isoformat(),
        "window": f"{question.window}h",
        "order": question.order,
        "ties": f"{question.ties}h" if isinstance(question.ties, int) else question.ties,
        "reentry": question.reentry,
        "witness": question.witness,
        "count": question.count,
        "hold": ["properties.p"] if question.hold else [],
        "exclude": [{**one, **end} for one, end in zip(exclude, ends, strict=True)],
        "where": top,
    }


def as_event(seen: Seen, steps: list[Any], exclude: list[Any], top: bool, question: Question) -> Event:
    """The same event as the oracle has it, by a plain reading of the templates."""
    passes_top = not top or seen["n"] != 1
    held = {"1": 0, '"1"': 1, "true": 2, "null": None}[json.dumps(seen["p"])]
    return Event(
        seen["time"],
        frozenset(number for number, step in enumerate(steps) if passes_top and fits(seen, step)),
        id=int(seen["id"].replace("-", "")),
        named=frozenset(number for number, step in enumerate(steps) if fits(seen, step, by_name=True)),
        bars=frozenset(number for number, one in enumerate(exclude) if fits(seen, one)),
        held=held if question.hold else 0,
    )


def fits(seen: Seen, part: Any, *, by_name: bool = False) -> bool:
    choices = part.get("any_of") or [part]
    for choice in choices:
        name, where = (choice, []) if isinstance(choice, str) else (choice["event"], choice.get("where", []))
        named = name in ("*", seen["name"])
        if named and (by_name or all(passes(seen["n"], one["op"], one["value"]) for one in where)):
            return True
    return False


def passes(number: int, op: str, value: Any) -> bool:
    return bool(number > value if op == "gt" else number >= value if op == "gte" else number in value)


def counted(verdicts: list[tuple[str, Verdict]], state: str) -> int:
    return sum(one.state == state for _, one in verdicts)


def reached(verdicts: list[tuple[str, Verdict]], question: Question) -> list[int]:
    numbers = {step: number for number, step in enumerate(question.required)}
    return [
        sum(one.witness[step] is not None if step in question.optional else one.level > numbers[step] for _, one in verdicts)
        for step in range(len(question.withins))
    ]


def row(unit: str, verdict: Verdict, question: Question) -> tuple[object, ...]:
    """As the list has it: times by step, under order any in their own order."""
    events = [None if event is None else event.time for event in verdict.witness]
    if question.order == "any":
        there = sorted(time for time in events if time is not None)
        events = [*there, *[None] * (len(events) - len(there))]
    times = [None if time is None else f"{DAY + time * HOUR:%Y-%m-%dT%H:%M:%SZ}" for time in events]
    return unit, verdict.state, verdict.level, times
