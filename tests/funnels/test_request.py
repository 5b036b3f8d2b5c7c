"""Requests: what is read, what is filled in, and what is said of wrong ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from funnels.ask import ANY_EVENT, FIXED, FIXED_OF_STEP, Choice, Step, definition
from funnels.errors import BadRequest
from funnels.filters import Condition
from funnels.request import parse

GOOD: dict[str, object] = {
    "steps": [{"event": "Signed Up"}, {"event": "Paid"}],
    "from": "2026-01-01",
    "to": "2026-02-01",
    "window": "14d",
}


def faults(**changes: object) -> dict[str, str]:
    """What is said of the good request with these changes: path -> message."""
    with pytest.raises(BadRequest) as caught:
        parse({**GOOD, **changes})
    return {fault.path: fault.message for fault in caught.value.faults}


def test_the_smallest_request_gets_every_default() -> None:
    funnel = parse(GOOD)
    assert (funnel.start, funnel.end) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert (funnel.window, funnel.unit, funnel.trend, funnel.as_of) == (timedelta(days=14), "person", None, None)
    assert definition(funnel, datetime(2026, 3, 1, tzinfo=UTC)) == {
        "steps": [
            {"event": name, "where": [], "within": None, "label": name, "optional": False, "first_ever": False}
            for name in ("Signed Up", "Paid")
        ],
        "from": "2026-01-01T00:00:00Z",
        "to": "2026-02-01T00:00:00Z",
        "timezone": "UTC",
        "window": "14d",
        "unit": "person",
        "where": [],
        "trend": None,
        "as_of": "2026-03-01T00:00:00Z",
        "internal": "exclude",
        "order": "sequential",
        "ties": "in_order",
        "reentry": "any",
        "witness": "earliest",
        "count": "units",
        "hold": [],
        "exclude": [],
        "breakdown": None,
        "time_to_convert": None,
    }


def test_a_step_takes_a_name_or_any_of_names_and_objects() -> None:
    where = [{"property": "properties.plan", "op": "eq", "value": "free"}]
    steps = [
        {"any_of": ["Project Created", {"event": "File Uploaded", "where": where}]},
        {"event": "*", "where": where, "within": "90s", "label": "Anything"},
    ]
    plan = (Condition("properties.plan", "eq", "free"),)
    assert parse({**GOOD, "steps": steps}).steps == (
        Step((Choice("Project Created"), Choice("File Uploaded", plan)), "Project Created or File Uploaded"),
        Step((Choice(ANY_EVENT),), "Anything", timedelta(seconds=90), plan),
    )


def test_dates_are_midnight_in_the_time_zone_of_the_request_else_of_the_project() -> None:
    assert parse(GOOD, "America/New_York").start == datetime(2026, 1, 1, 5, tzinfo=UTC)
    assert parse({**GOOD, "timezone": "Europe/Berlin"}, "America/New_York").start == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert parse({**GOOD, "from": "2026-01-01T08:00:00+08:00"}).start == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_definition_asked_again_is_the_same_funnel() -> None:
    random = Random(7)
    where: list[object] = [{"any": [{"property": "country", "op": "not_in", "value": ["DE", 5]}]}, {"all": []}]
    for _ in range(200):
        body = {
            **GOOD,
            "steps": [
                {"event": "A", "where": random.choice([[], where])},
                {"any_of": ["B", {"event": "*", "where": where}], "within": random.choice([None, "7d", "36h", "5m"])},
            ],
            "timezone": random.choice(["UTC", "Europe/Berlin", "Pacific/Apia"]),
            "unit": random.choice(["person", "account"]),
            "where": random.choice([[], where]),
            "trend": random.choice([None, "day", "week", "month"]),
            "as_of": random.choice(["2026-01-15", "2026-01-15T10:30:00.25Z"]),
            "internal": random.choice(["exclude", "include"]),
        }
        funnel = parse(body)
        assert funnel.as_of is not None
        assert parse(json.loads(json.dumps(definition(funnel, funnel.as_of)))) == funnel


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert faults(
        steps=[
            {"evnt": "Signed Up"},
            {"event": "Paid", "within": "7 days", "lable": "x"},
            {"event": "A", "any_of": ["B"]},
            5,
        ],
        windw="1d",
        window="367d",
        to="01.02.2026",
        timezone="Mars/Phobos",
        trend="weeks",
        unit="session",
        where="country = DE",
    ) == {
        "windw": "unknown key; did you mean 'window'?",
        "timezone": "no such time zone",
        "to": "to must be an ISO date",
        "window": "window is at most 366d",
        "steps[0].evnt": "unknown key; did you mean 'event'?",
        "steps[0]": "a step needs either event or any_of",
        "steps[1].within": "within must be a duration of at most 366d, written as 90s 30m 12h 14d 2w",
        "steps[1].lable": "unknown key; did you mean 'label'?",
        "steps[2]": "a step needs either event or any_of",
        "steps[3]": "write an object with event or any_of",
        "unit": "unit can only be person, account here",
        "trend": "trend can only be day, week, month here",
        "where": "write a list of conditions",
    }


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"to": "2026-01-01"}, "to", "the range is empty: to must be later than from"),
        ({"steps": []}, "steps", "write 1 to 32 steps"),
        ({"steps": [{"event": "A"}] * 33}, "steps", "write 1 to 32 steps"),
        ({"steps": [{"event": ""}]}, "steps[0].event", "name an event, or * for any"),
        ({"steps": [{"any_of": []}]}, "steps[0].any_of", "write a list of names, or of objects with event and where"),
        ({"steps": [{"any_of": ["A", 5]}]}, "steps[0].any_of[1].event", "name an event, or * for any"),
        ({"steps": [{"event": "A", "label": 5}]}, "steps[0].label", "label is a text"),
        (
            {"steps": [{"event": "A", "within": "1d"}]},
            "steps[0].within",
            "within is the time since the step before; the first has none",
        ),
        ({"window": None}, "window", "window must be a duration of at most 366d, written as 90s 30m 12h 14d 2w"),
        ({"window": "0d"}, "window", "window must be a duration of at most 366d, written as 90s 30m 12h 14d 2w"),
        ({"window": "999999999w"}, "window", "window must be a duration of at most 366d, written as 90s 30m 12h 14d 2w"),
        ({"from": 20260101}, "from", "from must be an ISO date"),
        ({"from": "1000-01-01", "trend": "day"}, "trend", "the range has more than 4000 buckets; ask for longer ones"),
        ({"as_of": "tomorrow"}, "as_of", "as_of must be an ISO date"),
        ({"timezone": "../../etc/passwd"}, "timezone", "no such time zone"),
    ],
)
def test_a_wrong_value_is_told_where_and_why(changes: dict[str, object], path: str, message: str) -> None:
    assert faults(**changes) == {path: message}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("order", "strict"),
        ("ties", "strict"),
        ("reentry", "first"),
        ("witness", "shortest"),
        ("count", "attempts"),
        ("hold", ["properties.project"]),
        ("exclude", [{"event": "Account Deleted"}]),
        ("breakdown", {"by": ["properties.plan"]}),
        ("time_to_convert", {"from": 1, "to": 2}),
        ("preset", "posthog"),
    ],
)
def test_an_option_that_is_not_there_is_refused_with_what_is(option: str, value: object) -> None:
    with pytest.raises(BadRequest) as caught:
        parse({**GOOD, option: value})
    (fault,) = caught.value.faults
    assert (fault.path, fault.found, fault.allowed) == (option, value, FIXED.get(option, (None,)))


@pytest.mark.parametrize("option", sorted(FIXED_OF_STEP))
def test_so_is_an_option_of_a_step(option: str) -> None:
    assert faults(steps=[{"event": "A", option: True}]) == {f"steps[0].{option}": f"{option} can only be false here"}


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(BadRequest, match="write an object with steps, from, to and window"):
        parse(body)


def test_half_a_character_is_refused() -> None:
    assert faults(steps=[{"event": "\ud800"}]) == {"": "the request holds half a character, \\ud800"}


def test_faults_can_be_written_as_json() -> None:
    with pytest.raises(BadRequest) as caught:
        parse({**GOOD, "window": float("inf")})
    assert [fault.as_json() for fault in caught.value.faults] == [
        {
            "path": "window",
            "found": "Infinity",
            "allowed": ["90s", "30m", "12h", "14d", "2w"],
            "message": "window must be a duration of at most 366d, written as 90s 30m 12h 14d 2w",
        }
    ]
