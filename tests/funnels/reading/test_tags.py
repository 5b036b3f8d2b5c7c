"""Breakdowns and exclusions that are read from the files answer what the query answers, ties and all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from funnels.adhoc import Source, answer_of
from funnels.kernel import Codes
from funnels.listing import page, parse_list
from funnels.reading import direct, streams, tags
from funnels.reading.gather import Ordered
from funnels.reading.tags import Form, bits_beside
from funnels.reading.ties import by_ids
from funnels.request import parse
from tests.funnels.random_streams import random_question
from tests.funnels.world import did
from tests.transforms.world import Row, lake_of

DAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
STEPS: list[Any] = [
    {"event": "A"},
    {"event": "B"},
    {"any_of": ["B", "C"]},
    {"any_of": ["A", {"event": "C", "where": [{"property": "browser", "op": "is_set"}]}]},
    {"event": "*"},
]
BARS: list[Any] = [{"event": "X"}, {"any_of": ["C", "X"]}, {"event": "B", "where": [{"property": "os", "op": "is_set"}]}]
BY = [
    ["browser"], ["browser", "os"], ["properties.a"], ["properties.a.b", "browser"], ["context.ü"],
    ["properties.b.a.1", "event_id"],
]  # fmt: skip
BODY: dict[str, Any] = {
    "steps": [{"event": "A"}, {"event": "B"}],
    "from": DAY.isoformat(),
    "to": (DAY + 40 * HOUR).isoformat(),
    "window": "10h",
}


def source_of(folder: Path, rows: list[Row]) -> Source:
    lake = lake_of(folder, rows)
    return Source(lake, "default", lake.version("default", "events"), DAY + 60 * HOUR, None)


def random_rows(random: Random) -> list[Row]:
    """Many events at one instant, with a few values."""
    rows = []
    for unit in range(40):
        span = random.choice([2, 4, 9])
        for number in range(random.choice([1, 3, 5, 8])):
            columns = {"browser": random.choice(["b0", "b1", "b2", None]), "os": random.choice(["o0", None])}
            columns |= {"properties": random_object(random), "context": random_object(random)}
            event_id = f"{random.randrange(10**6):06}-{unit}-{number}"
            rows.append(did(f"u{unit}", random.choice("AABBCX"), DAY + random.randrange(span) * HOUR, event_id, **columns))
    return rows


def random_object(random: Random) -> str:
    """Values of every type, some told by a name with an escape, some twice, in JSON with and without spaces."""
    value = random.choice([5, 5.0, "5", True, None, [1, {"b": "x"}], {"b": "x", "c": 1e20}, {}, 'say "b"', "ü", 10**17])
    name = random.choice(["a", "a", "a", "b", "\\u0061", "ü"])
    pairs = [f'"{name}":{json.dumps(value, ensure_ascii=random.random() < 0.5)}', '"b": {"a": [1, "}"], "x": null}']
    if random.random() < 0.2:
        pairs.append('"a" : "again"')
    random.shuffle(pairs)
    return random.choice(["{%s}", " {%s } "]) % ", ".join(pairs)


def random_body(random: Random) -> dict[str, Any]:
    question = random_question(random)
    count = len(question.withins)
    body: dict[str, Any] = {**BODY, "steps": random.choices(STEPS, k=count), "window": random.choice(["1h", "3h", "9h"])}
    body["order"] = random.choice(["sequential", "sequential", "any"])
    body |= {"reentry": random.choice(["any", "any", "any", "first"]), "count": random.choice(["units", "attempts"])}
    body |= {"witness": random.choice(["earliest", "shortest"]), "ties": random.choice(["in_order", "strict"])}
    if count > 1 and random.random() < 0.4:
        ends = {} if body["order"] == "any" else {"after": 1, "before": count}
        body["exclude"] = [{**random.choice(BARS), **ends}]
    if random.random() < 0.3:
        body["hold"] = random.choice(BY)
    if random.random() < 0.2:
        return body
    touch = random.choice(["first", "last", random.randint(1, count), "all"])
    return body | {"breakdown": {"by": random.choice(BY), "attribution": touch}}


def by_query(source: Source, body: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(direct, "plan_of", lambda query: None)
        return answer_of(source, parse(body))


@pytest.mark.parametrize("seed", range(5))
def test_random_questions_are_answered_as_the_query_answers_them(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(f"tags {seed}")
    source = source_of(tmp_path, random_rows(random))
    if seed:
        monkeypatch.setattr(direct, "_PART", 10)
    if seed == 4:
        monkeypatch.setattr(direct, "in_bytes", lambda memory: 1 << 10)
        monkeypatch.setattr(direct.Reading, "whole", direct.Reading._at_once)
    again: list[Sequence[Ordered]] = []

    def noted(aside: Sequence[Ordered], read: Callable[[Codes], pa.Array]) -> Ordered:
        again.append(aside)
        return by_ids(aside, read)

    monkeypatch.setattr(streams, "by_ids", noted)
    for _ in range(16):
        body = random_body(random)
        with source.engine() as engine:
            assert direct.plan_of(source.asking(engine, parse(body)).query()) is not None
        assert answer_of(source, parse(body)) == by_query(source, body, monkeypatch), body
    assert len(again) > 2


def told(source: Source, **more: Any) -> list[tuple[list[Any], int, int]]:
    found: Any = answer_of(source, parse({**BODY, **more}))
    return [(group["values"], group["entrants"], group["converted"]) for group in found["groups"]]


def test_of_events_at_one_instant_the_smallest_id_tells_the_value(tmp_path: Path) -> None:
    rows = [
        did("ann", "A", DAY, "2", browser="late"),
        did("ann", "A", DAY, "1", browser="early"),
        did("ann", "B", DAY + HOUR, "3", browser="later"),
        did("bo", "A", DAY, "9"),
    ]
    source = source_of(tmp_path, rows)
    assert told(source, breakdown={"by": ["browser"]}) == [([None], 1, 0), (["early"], 1, 1)]
    assert told(source, breakdown={"by": ["browser"], "attribution": "last"}) == [([None], 1, 0), (["later"], 1, 1)]


@pytest.mark.parametrize(("wide", "converted"), [("1", 1), ("3", 0)])
def test_of_entries_at_one_instant_the_first_by_id_is_the_only_one_with_reentry_first(
    tmp_path: Path, wide: str, converted: int
) -> None:
    """B may only enter; A may do either, and where it enters nothing is left for the second step."""
    rows = [did("ann", "A", DAY, "2"), did("ann", "B", DAY, wide)]
    steps = [{"any_of": ["A", "B"]}, {"event": "A"}]
    found: Any = answer_of(source_of(tmp_path, rows), parse({**BODY, "steps": steps, "reentry": "first"}))
    assert (found["entrants"], found["converted"]) == (1, converted)


def test_more_rows_than_have_room_for_their_numbers_are_queried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tmp_path, [did(f"u{number}", "A", DAY, browser=f"b{number}") for number in range(5)])
    expected = [([f"b{number}"], 1, 0) for number in range(5)]
    assert told(source, breakdown={"by": ["browser"]}) == expected
    monkeypatch.setattr(tags.Form, "room", 3)
    assert told(source, breakdown={"by": ["browser"]}) == expected


def test_words_have_room_for_what_a_year_of_a_large_lake_asks() -> None:
    """A hundred million rows of a million people, as many of ten million, and what is never read by number."""
    assert Form(bits_beside(1_000_000), 6, 2).room > 1_000_000_000
    assert Form(bits_beside(10_000_000), 10, 1).room > 100_000_000
    assert Form(bits_beside(10_000_000), 32, 6).room >= 0
    assert Form(bits_beside(1 << 31), 32, 16).room < 0


def test_a_list_of_a_group_is_read_from_the_files(tmp_path: Path) -> None:
    rows = [did("ann", "A", DAY, browser="x"), did("bo", "A", DAY, browser="y"), did("bo", "B", DAY + HOUR)]
    body = {**BODY, "breakdown": {"by": ["browser"]}, "state": "reached", "step": 1, "group": ["y"]}
    assert [one["unit"] for one in page(source_of(tmp_path, rows), parse_list(body)).items] == ["user:bo"]
