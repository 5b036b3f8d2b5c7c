"""Explanations: each code in the smallest case that has it, and what was served is the witness."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from funnels import explain
from funnels.adhoc import Source
from funnels.definitions.definition import Internal
from funnels.errors import BadRequest, NoSuchUnit, TooLarge
from funnels.explain import parse_unit
from funnels.filters import Condition
from funnels.listing import page, parse_list
from funnels.story import find_unit, read_story
from tests.funnels.test_listing import BODY as MIXED_BODY
from tests.funnels.test_listing import random_rows
from tests.funnels.world import LATER, did, joined
from tests.transforms.world import Row, call, lake_of
from transforms.engine import Limits

DAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
AB = [{"event": "A"}, {"event": "B"}]
ABC = [*AB, {"event": "C"}]
BODY: dict[str, Any] = {"steps": AB, "from": "2026-01-05", "to": "2026-01-20", "window": "2d", "unit_id": "ann"}
TEST_TRAFFIC = Internal(where=(Condition("properties.test", "eq", True),))


def source_of(folder: Path, rows: list[Row], until: datetime = LATER) -> Source:
    lake = lake_of(folder, rows)
    return Source(lake, "default", lake.version("default", "events"), until, None, internal=TEST_TRAFFIC)


def explained(folder: Path, rows: list[Row], until: datetime = LATER, **asked: object) -> Any:
    return explain.explain(source_of(folder, rows, until), parse_unit({**BODY, **asked}))


def a(event: str, hours: float, **columns: object) -> Row:
    """Ann did it so many hours after the range began; her event's id is ``<event><hours>``."""
    return did("ann", event, DAY + hours * HOUR, f"{event}{hours:g}", **columns)


def held(**properties: object) -> str:
    return json.dumps(properties)


CASES: list[tuple[str, list[Row], dict[str, Any], dict[str, str]]] = [
    ("served", [a("A", 0), a("B", 1)], {}, {"A0": "served 1", "B1": "served 2"}),
    ("bot", [a("A", 0), a("B", 1, bot=True)], {}, {"A0": "served 1", "B1": "bot"}),
    ("internal", [a("A", 0), a("B", 1, properties=held(test=True))], {}, {"A0": "served 1", "B1": "internal"}),
    ("after_as_of", [a("A", 0), a("B", 2)], {"as_of": "2026-01-05T01:00:00Z"}, {"A0": "served 1", "B2": "after_as_of"}),
    (
        "no_step",
        [a("A", 0), a("Z", 1), a("B", 2)],
        {"order": "strict"},
        {"A0": "served 1", "Z1": "no_step", "B2": "not_adjacent"},
    ),
    (
        "filtered",
        [a("A", 0, country="DE"), a("B", 1)],
        {"where": [{"property": "country", "op": "is_set"}]},
        {"A0": "served 1", "B1": "filtered"},
    ),
    (
        "not_first_ever",
        [a("B", -999), a("A", 0), a("B", 1)],
        {"steps": [{"event": "A"}, {"event": "B", "first_ever": True}]},
        {"B-999": "before_range", "A0": "served 1", "B1": "not_first_ever"},
    ),
    (
        "no_held_value",
        [a("A", 0), a("A", 1, properties=held(p=1)), a("B", 2)],
        {"hold": ["properties.p"]},
        {"A0": "no_held_value", "A1": "served 1", "B2": "no_held_value"},
    ),
    ("before_range", [a("A", -1), a("A", 0)], {}, {"A-1": "before_range", "A0": "served 1"}),
    ("no_entry", [a("B", 1)], {}, {"B1": "no_entry"}),
    ("after_range", [a("A", 15 * 24)], {}, {"A360": "after_range"}),
    (
        "ended_it",
        [a("A", 0), a("X", 1), a("B", 2)],
        {"exclude": [{"event": "X"}]},
        {"A0": "served 1", "X1": "ended_it", "B2": "after_exclusion"},
    ),
    (
        "not_between",
        [a("X", 0), a("A", 1), a("B", 2), a("X", 3)],
        {"exclude": [{"event": "X"}]},
        {"X0": "not_between", "A1": "served 1", "B2": "served 2", "X3": "not_between"},
    ),
    (
        "other_held_value",
        [a("A", 0, properties=held(p=1)), a("B", 1, properties=held(p=2)), a("B", 2, properties=held(p=1.0))],
        {"hold": ["properties.p"]},
        {"A0": "served 1", "B1": "other_held_value", "B2": "served 2"},
    ),
    (
        "not_first_entry",
        [a("A", 0), a("A", 40), a("B", 50)],
        {"reentry": "first"},
        {"A0": "served 1", "A40": "not_first_entry", "B50": "after_window"},
    ),
    ("other_entry", [a("A", 0), a("A", 40), a("B", 50)], {}, {"A0": "other_entry", "A40": "served 1", "B50": "served 2"}),
    ("before_entry", [a("B", 0), a("A", 1)], {}, {"B0": "before_entry", "A1": "served 1"}),
    ("after_window", [a("A", 0), a("B", 49)], {}, {"A0": "served 1", "B49": "after_window"}),
    ("step_taken", [a("A", 0), a("B", 1), a("B", 2)], {}, {"A0": "served 1", "B1": "served 2", "B2": "step_taken"}),
    ("out_of_order", [a("A", 0), a("C", 1)], {"steps": ABC}, {"A0": "served 1", "C1": "out_of_order"}),
    (
        "before_previous",
        [a("A", 0), a("C", 1), a("B", 2)],
        {"steps": ABC},
        {"A0": "served 1", "C1": "before_previous", "B2": "served 2"},
    ),
    (
        "after_next",
        [a("A", 0), a("C", 1), a("B", 2)],
        {"steps": [{"event": "A"}, {"event": "B", "optional": True}, {"event": "C"}]},
        {"A0": "served 1", "C1": "served 3", "B2": "after_next"},
    ),
    ("not_later", [a("A", 0), a("B", 0)], {"ties": "strict"}, {"A0": "served 1", "B0": "not_later"}),
    (
        "after_exclusion",
        [a("A", 0), a("B", 1), a("X", 2), a("C", 3)],
        {"steps": ABC, "exclude": [{"event": "X", "after": 2}]},
        {"A0": "served 1", "B1": "served 2", "X2": "ended_it", "C3": "after_exclusion"},
    ),
    (
        "after_within",
        [a("A", 0), a("B", 5)],
        {"steps": [{"event": "A"}, {"event": "B", "within": "4h"}]},
        {"A0": "served 1", "B5": "after_within"},
    ),
    (
        "not_adjacent",
        [a("A", 0), a("Z", 1), a("B", 2)],
        {"order": "strict"},
        {"A0": "served 1", "Z1": "no_step", "B2": "not_adjacent"},
    ),
    (
        "not_chosen",
        [a("A", 14.9 * 24), a("B", 15 * 24)],
        {"preset": "posthog"},
        {"A357.6": "served 1", "B360": "not_chosen"},  # PostHog looks at nothing after the range
    ),
]


@pytest.mark.parametrize(("code", "rows", "asked", "expected"), CASES, ids=[case[0] for case in CASES])
def test_each_code_in_its_smallest_case(
    tmp_path: Path, code: str, rows: list[Row], asked: dict[str, Any], expected: dict[str, str]
) -> None:
    found = explained(tmp_path, rows, **asked)
    codes = {one["id"]: one["code"] if one["step"] is None else f"{one['code']} {one['step']}" for one in found["items"]}
    assert codes == expected


def test_every_code_of_the_page_has_a_case_and_no_case_another() -> None:
    listed = re.findall(r"^    ([a-z_]+)  ", explain.__doc__ or "", re.MULTILINE)
    assert [case[0] for case in CASES] == listed


def test_items_are_compact_and_in_order_of_time_and_id(tmp_path: Path) -> None:
    found = explained(tmp_path, [a("B", 1), a("A", 0), did("ann", "A", DAY, "A"), did("eve", "A", DAY)])
    assert found["unit"] == "user:ann"
    assert found["cases"] == [{"state": "converted", "reached": 2, "entered": "2026-01-05T00:00:00Z"}]
    assert found["items"] == [
        {"id": "A", "name": "A", "time": "2026-01-05T00:00:00Z", "code": "served", "step": 1},
        {"id": "A0", "name": "A", "time": "2026-01-05T00:00:00Z", "code": "other_entry", "step": None},
        {"id": "B1", "name": "B", "time": "2026-01-05T01:00:00Z", "code": "served", "step": 2},
    ]


def test_any_id_finds_a_person_an_account_its_id_and_a_session_its_first_event(tmp_path: Path) -> None:
    rows = [
        call("i", DAY - HOUR, kind="identify", anonymous="phone", user="ann"),
        joined("ann", "acme", DAY - HOUR),
        call("x", DAY, anonymous="phone", event="A"),
        a("B", 0.25),
    ]
    source = source_of(tmp_path, rows)

    def of(unit: str, unit_id: str) -> tuple[str, list[str]]:
        found: Any = explain.explain(source, parse_unit({**BODY, "unit": unit, "unit_id": unit_id}))
        return found["unit"], [one["code"] for one in found["items"]]

    served = ["served", "served"]
    for known in ("ann", "user:ann", "phone", "anonymous:phone"):
        assert of("person", known) == ("anonymous:phone", served)
    assert of("account", "acme") == ("acme", served)
    assert of("session", "x") == ("x", served)
    for unit, unknown in (("person", "bob"), ("account", "beta"), ("session", "B0.25")):
        with pytest.raises(NoSuchUnit, match=f"There is no {unit} '{unknown}'; an id is"):
            of(unit, unknown)


def test_a_unit_that_did_nothing_of_it_is_explained_by_an_empty_list(tmp_path: Path) -> None:
    found = explained(tmp_path, [a("Other", 0)])
    assert (found["items"], found["cases"]) == ([], [])


def test_a_unit_must_be_named() -> None:
    with pytest.raises(BadRequest) as caught:
        parse_unit({key: value for key, value in BODY.items() if key != "unit_id"} | {"window": "1"})
    assert [fault.path for fault in caught.value.faults] == ["window", "unit_id"]


SERVED: list[dict[str, Any]] = [
    {},
    {"witness": "shortest", "hold": ["properties.plan"]},
    {"order": "any", "exclude": [{"event": "X"}]},
    {"order": "strict"},
    {"count": "attempts", "exclude": [{"event": "X", "after": 2}]},
    {"steps": [{"event": "A"}, {"event": "B", "optional": True}, {"event": "C", "first_ever": True}], "ties": "strict"},
    {"unit": "session", "window": "1h"},
    {"preset": "posthog"},
]


@pytest.mark.parametrize("changes", SERVED)
def test_what_was_served_is_the_witness_of_the_list(tmp_path: Path, changes: dict[str, Any]) -> None:
    source = source_of(tmp_path, random_rows(Random(11)))
    body = {**MIXED_BODY, **changes}
    items: list[Any] = page(source, parse_list({**body, "state": "reached", "step": 1, "limit": 1000})).items
    attempts = body.get("count") == "attempts"
    codes = set()
    for unit in sorted({item["unit"] for item in items})[:12]:
        own = [item for item in items if item["unit"] == unit]
        found: Any = explain.explain(source, parse_unit({**body, "unit_id": unit}))
        assert [(case["state"], case["reached"]) for case in found["cases"]] == [
            (one["state"], one["reached"]) for one in own
        ]
        for number, item in enumerate(own):
            served = [
                one for one in found["items"] if one["code"] == "served" and (not attempts or one["case"] == number + 1)
            ]
            if body.get("order") == "any":
                assert sorted(one["time"] for one in served) == [time for time in item["times"] if time]
            else:
                assert {one["step"]: one["time"] for one in served} == {
                    step: time for step, time in enumerate(item["times"], 1) if time
                }
        codes |= {one["code"] for one in found["items"]}
    assert "served" in codes


def test_a_unit_of_more_events_than_fit_is_refused_with_what_to_narrow(tmp_path: Path) -> None:
    source = source_of(tmp_path, [a("A", minute / 60) for minute in range(60)])
    with source.engine() as engine:
        funnel = parse_unit(BODY).funnel
        query = source.asking(engine, funnel, named=True).query(unit=find_unit(engine, "person", "ann").key)
        with pytest.raises(TooLarge, match=r"more memory than one may \(100KB\)") as caught:
            read_story(engine, query, Limits("100KB"))
    assert "rarer events, instead of * or frequent ones" in caught.value.narrow
