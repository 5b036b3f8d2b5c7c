"""Filters: their meaning in DuckDB against a plain-Python reading, and what is said of wrong ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest

from funnels.filter_sql import Parameters, compile_filters
from funnels.filters import COLUMNS, OPERATORS, AnyOf, Condition, Filter, filters_as_json, parse_filters, read_moment
from ingest.lake import Lake
from tests.funnels.filter_reference import holds, moment
from tests.transforms.world import call, table
from transforms.engine import Engine

DAY = datetime(2026, 1, 31, 12, tzinfo=UTC)
SCALARS: list[object] = [
    *(0, 1, 5, -3, 2**53, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 5.0, 0.1, -2.5, 1e300, True, False),
    *("", "5", "5.0", "true", "null", "abc", "ABC", "aBc d", "a\\b", 'a"b', "a'b", "%", "_", "ä", "\n", "x\ny", "$p0"),
    *("2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-02-30", "2026-01-31 12:00", "2026-01"),
    *("2026-01-31T12:00:00.5Z", "2026-01-31T24:00:00Z", "20260131"),
]
PROPERTIES = [
    "properties.a",
    "properties.b",
    "properties.a.b",
    "properties.a.0",
    "properties.a/b",
    "properties.~",
    "country",
    "bot",
    "time",
]


def random_json(random: Random, depth: int = 0) -> object:
    kind = random.randrange(10 if depth < 2 else 7)
    if kind < 6:
        return random.choice(SCALARS)
    if kind == 6:
        return None
    if kind < 9:
        return [random_json(random, depth + 1) for _ in range(random.randrange(4))]
    return {key: random_json(random, depth + 1) for key in random.sample(["a", "b", "0", "a/b", "~"], 2)}


def random_filter(random: Random, depth: int = 0) -> object:
    if depth < 3 and random.random() < 0.2:
        return {random.choice(["any", "all"]): [random_filter(random, depth + 1) for _ in range(random.randint(1, 3))]}
    op = random.choice(OPERATORS)
    found: dict[str, object] = {"property": random.choice(PROPERTIES), "op": op}
    if op in ("in", "not_in"):
        return {**found, "value": random.sample(SCALARS, random.randrange(4))}
    if op in ("gt", "gte", "lt", "lte"):
        ordered = [value for value in SCALARS if not isinstance(value, bool | str) or moment(value)]
        return {**found, "value": random.choice([value for value in ordered if value != "20260131"])}
    if op == "matches":
        return {**found, "value": random.choice(["a", "^a.c$", "[0-9]+", "(?i)ABC", "^$", "\\\\", "b d?"])}
    return found if op.startswith("is_") else {**found, "value": random.choice(SCALARS)}


def run(filters: Sequence[Sequence[Filter]], rows: list[dict[str, object]], zone: str = "UTC") -> list[list[bool]]:
    """For each row, which filters hold."""
    parameters = Parameters()
    columns = [f"{compile_filters(one, parameters, ZoneInfo(zone))} as f{number}" for number, one in enumerate(filters)]
    with Engine(Lake("unused"), "default", {}) as engine:
        engine.bind("events", table(rows))
        found = engine.table(f"select {', '.join(columns)} from events order by event_id", parameters.values)
    return [list(row.values()) for row in found.to_pylist()]


@pytest.mark.parametrize("seed", range(8))
def test_compiled_filters_agree_with_a_plain_reading(seed: int) -> None:
    random = Random(seed)
    written = [[random_filter(random) for _ in range(random.randint(1, 2))] for _ in range(40)]
    parsed = [parse_filters(one) for one in written]
    assert [faults for _, faults in parsed if faults] == []
    filters = [one for one, _ in parsed]
    values = [{key: random_json(random) for key in random.sample(["a", "b", "a/b", "~"], 3)} for _ in range(150)]
    rows = [
        call(
            f"{number:04}", DAY, user="u", traits=value, country=random.choice(["DE", "5", None]), bot=random.random() < 0.5
        )
        for number, value in enumerate(values)
    ]
    for found, row, value in zip(run(filters, rows), rows, values, strict=True):
        for one, answer in zip(filters, found, strict=True):
            assert answer == all(holds(item, {**row, "properties": value}) for item in one), (one, json.dumps(value))


def check(item: dict[str, object], value: object, zone: str = "UTC") -> bool:
    filters, faults = parse_filters([item])
    assert faults == []
    return run([filters], [call("1", DAY, user="u", traits={"x": value} if value != "missing" else {})], zone)[0][0]


@pytest.mark.parametrize(
    ("op", "wanted", "value", "answer"),
    [
        ("eq", 5, 5.0, True),
        ("eq", 5, "5", False),
        ("eq", "5", 5, False),
        ("eq", True, 1, False),
        ("eq", 2**53 + 1, 2**53, False),
        ("eq", 10**50, 10**50, True),
        ("eq", "a\x00b", "a\x00b", True),
        ("ne", 5, "missing", True),
        ("ne", 5, None, True),
        ("not_in", [1, 2], "missing", True),
        ("in", [], 1, False),
        ("in", ["5", 5], 5, True),
        ("not_contains", "a", "missing", True),
        ("not_icontains", "a", "missing", True),
        ("is_not_set", None, "missing", True),
        ("is_set", None, None, False),
        ("is_set", None, False, True),
        ("gt", 5, "6", False),
        ("gt", 5, 5.5, True),
        ("gte", "2026-01-31", "2026-01-31T00:00:00Z", True),
        ("gt", "2026-01-31", "2026-01-30T23:30:00-01:00", True),
        ("gt", "2026-01-31", 3_000_000_000, False),
        ("lt", 5, "missing", False),
        ("contains", "b", "abc", True),
        ("contains", "b", ["abc"], False),
        ("contains", "abc", ["abc"], True),
        ("contains", 5, [1, 5.0], True),
        ("contains", "B", "abc", False),
        ("icontains", "B", "abc", True),
        ("icontains", "ABC", ["abc"], True),
        ("matches", "^a.*c$", "abbc", True),
        ("matches", "5", 5, False),
    ],
)
def test_a_condition_means_what_the_definition_says(op: str, wanted: object, value: object, answer: bool) -> None:
    item = {"property": "properties.x", "op": op} | ({} if wanted is None else {"value": wanted})
    assert check(item, value) is answer


def test_dates_without_an_offset_are_local_to_the_time_zone_of_the_question() -> None:
    item: dict[str, object] = {"property": "properties.x", "op": "gte", "value": "2026-01-31"}
    assert check(item, "2026-01-30T23:00:00Z", "Europe/Berlin")
    assert not check(item, "2026-01-30T23:00:00Z", "UTC")
    assert check(item, "2026-01-31", "America/New_York")


def test_a_value_cannot_leave_its_parameter() -> None:
    item: dict[str, object] = {"property": "properties.x'; drop table events; --", "op": "eq", "value": "') or true --"}
    assert not check(item, 1)


def test_every_plain_column_can_be_compared() -> None:
    items = [parse_filters([{"property": name, "op": "is_not_set"}]) for name in COLUMNS]
    (found,) = run([one for one, _ in items], [call("1", DAY, user="u")])
    assert {name for name, missing in zip(COLUMNS, found, strict=True) if not missing} == {
        *("event_id", "kind", "event", "time", "received_at", "user_id", "actor_id", "source", "bot")
    }


def test_an_actor_id_is_compared_as_text() -> None:
    row = call("1", DAY, user="u")
    filters, _ = parse_filters([{"property": "actor_id", "op": "eq", "value": str(row["actor_id"])}])
    assert run([filters], [row]) == [[True]]


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ({"a": 1}, "where: write a list of conditions"),
        ([5], 'where[0]: write {"property": ..., "op": ..., "value": ...}'),
        ([{"property": "contry", "op": "eq", "value": 1}], "where[0].property: no such property; did you mean 'country'?"),
        (
            [{"property": "plan", "op": "eq", "value": 1}],
            "where[0].property: no such property; did you mean 'properties.plan'?",
        ),
        ([{"property": "properties.", "op": "eq", "value": 1}], "where[0].property: a name is missing beside a dot"),
        ([{"property": "person.", "op": "eq", "value": 1}], "where[0].property: a name is missing beside a dot"),
        ([{"property": "country", "op": "equals", "value": 1}], "where[0].op: no such operator"),
        (
            [{"property": "country", "op": "eq"}],
            "where[0].value: write one text, number, true or false; ask for nulls with is_not_set",
        ),
        (
            [{"property": "country", "op": "eq", "value": float("nan")}],
            "where[0].value: write one text, number, true or false",
        ),
        ([{"property": "country", "op": "eq", "value": 10**400}], "where[0].value: write one text, number, true or false"),
        ([{"property": "country", "op": "in", "value": "DE"}], "where[0].value: in takes a list"),
        ([{"property": "country", "op": "gt", "value": "DE"}], "where[0].value: gt compares numbers, or ISO dates"),
        ([{"property": "country", "op": "is_set", "value": 1}], "where[0].value: is_set takes no value"),
        (
            [{"property": "country", "op": "matches", "value": "(?=a)"}],
            "where[0].value: not a pattern: invalid perl operator: (?=",
        ),
        ([{"any": []}], "where[0].any: any of nothing is never true"),
        (
            [{"all": [{"any": [{"property": "country", "op": "eq", "value": []}]}]}],
            "where[0].all[0].any[0].value: write one text, number, true or false",
        ),
        (
            [{"property": "country", "op": "eq", "value": 1, "valeu": 2}],
            "where[0].valeu: unknown key; did you mean 'value'?",
        ),
    ],
)
def test_a_wrong_filter_is_told_where_and_why(found: object, fault: str) -> None:
    assert [str(one) for one in parse_filters(found)[1]] == [fault]


def test_filters_do_not_nest_without_end() -> None:
    found: object = [{"property": "country", "op": "is_set"}]
    for _ in range(200):
        found = [{"all": found}]
    assert [one.message for one in parse_filters(found)[1]] == ["any and all nest at most 16 deep"]


def test_filters_are_written_back_as_they_came() -> None:
    written: list[object] = [
        {"any": [{"property": "country", "op": "in", "value": ["DE", 5]}, {"all": [{"property": "bot", "op": "is_set"}]}]}
    ]
    parsed, _ = parse_filters(written)
    assert isinstance(parsed[0], AnyOf) and parsed[0].items[0] == Condition("country", "in", ("DE", 5))
    assert filters_as_json(parsed) == written


def test_an_iso_date_is_a_real_one() -> None:
    zone = ZoneInfo("Europe/Berlin")
    assert read_moment("2026-03-29", zone) == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert read_moment("2026-02-30", zone) is None
    assert read_moment("20260331", zone) is None
