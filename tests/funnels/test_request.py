"""Requests: what is read, what is filled in, and what is said of wrong ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from funnels.ask import ANY_EVENT, Breakdown, Choice, Exclude, Step, TimeToConvert
from funnels.errors import BadRequest
from funnels.filters import Condition
from funnels.request import Known, parse
from funnels.restate import definition

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
        "order": "sequential",
        "ties": "in_order",
        "reentry": "any",
        "witness": "earliest",
        "unit": "person",
        "count": "units",
        "hold": [],
        "exclude": [],
        "where": [],
        "breakdown": None,
        "trend": None,
        "time_to_convert": None,
        "as_of": "2026-03-01T00:00:00Z",
        "internal": "exclude",
        "preset": None,
        "cohorts": {},
    }


def test_every_option_is_read_and_its_own_defaults_are_filled_in() -> None:
    funnel = parse(
        {
            **GOOD,
            "steps": [{"event": "A", "first_ever": True}, {"event": "B", "optional": True}, {"event": "C"}, {"event": "D"}],
            "order": "strict",
            "ties": "strict",
            "reentry": "first",
            "witness": "shortest",
            "unit": "session",
            "count": "attempts",
            "hold": ["properties.project", "country"],
            "exclude": [
                {"event": "X"},
                {"any_of": ["Y", "Z"], "where": [{"property": "bot", "op": "is_set"}], "after": 3, "before": 4},
            ],
            "breakdown": {"by": ["properties.plan", "person.role"], "attribution": 3, "limit": 5},
            "time_to_convert": {},
        }
    )
    assert [(step.optional, step.first_ever) for step in funnel.steps] == [
        (False, True),
        (True, False),
        (False, False),
        (False, False),
    ]
    assert (funnel.order, funnel.ties, funnel.reentry, funnel.witness) == ("strict", "strict", "first", "shortest")
    assert (funnel.unit, funnel.count, parse({**GOOD, "preset": "umami"}).preset) == ("session", "attempts", "umami")
    assert funnel.hold == ("properties.project", "country")
    assert funnel.exclude == (
        Exclude((Choice("X"),), (), 0, 3),
        Exclude((Choice("Y"), Choice("Z")), (Condition("bot", "is_set"),), 2, 3),
    )
    assert funnel.breakdown == Breakdown(("properties.plan", "person.role"), 2, 5)
    assert funnel.time_to_convert == TimeToConvert(0, 3, 20)
    assert funnel.event_names == ("A", "B", "C", "D", "X", "Y", "Z")
    assert funnel.properties == {"bot", "properties.project", "country", "properties.plan", "person.role"}
    assert parse({**GOOD, "ties": "2s"}).ties == timedelta(seconds=2)
    assert parse({**GOOD, "breakdown": {"by": ["bot"]}}).breakdown == Breakdown(("bot",), "first", 25)


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
    assert parse(GOOD, Known(zone="America/New_York")).start == datetime(2026, 1, 1, 5, tzinfo=UTC)
    assert parse({**GOOD, "timezone": "Europe/Berlin"}, Known(zone="America/New_York")).start == datetime(
        2025, 12, 31, 23, tzinfo=UTC
    )
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
            "unit": random.choice(["person", "account", "session"]),
            "order": random.choice(["sequential", "strict"]),
            "ties": random.choice(["in_order", "strict"]),
            "reentry": random.choice(["any", "first"]),
            "witness": random.choice(["earliest", "shortest"]),
            "count": random.choice(["units", "attempts"]),
            "hold": random.choice([[], ["properties.project"]]),
            "exclude": random.choice([[], [{"event": "X"}, {"any_of": ["Y", "Z"], "where": where, "after": 1}]]),
            "breakdown": random.choice([None, {"by": ["country"], "attribution": random.choice(["all", 2]), "limit": 3}]),
            "time_to_convert": random.choice([None, {"bins": 7}]),
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
        unit="user",
        where="country = DE",
        ties="0s",
        hold=["plan"],
        exclude=[{"evnt": "X"}, 5],
        breakdown={"by": [], "attribution": "most", "limit": 0},
        time_to_convert=7,
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
        "unit": "unit can only be person, account, session",
        "trend": "trend can only be day, week, month",
        "where": "write a list of conditions",
        "ties": "ties can only be in_order, strict, or a tolerance such as 2s",
        "hold[0]": "no such property; did you mean 'properties.plan'?",
        "exclude[0].evnt": "unknown key; did you mean 'event'?",
        "exclude[0]": "an exclusion needs either event or any_of",
        "exclude[1]": "write an object with event, and where, after and before",
        "breakdown.by": "write 1 to 3 properties",
        "breakdown.attribution": "attribution can only be first, last, all",
        "breakdown.limit": "limit is a whole number in this range",
        "time_to_convert": 'write an object such as {"from": 1, "to": 2, "bins": 20}',
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


ABC = [{"event": "A"}, {"event": "B", "optional": True}, {"event": "C"}, {"event": "D"}]


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"steps": ABC, "order": "any"}, "steps[1].optional", "under order any no step is optional"),
        (
            {"steps": [{"event": "A"}, {"event": "B", "within": "1d"}], "order": "any"},
            "steps[1].within",
            "under order any there is no step before; use window",
        ),
        (
            {"order": "any", "exclude": [{"event": "X", "after": 1}]},
            "exclude[0].after",
            "under order any an exclusion lies between the first event and the last, and names no steps",
        ),
        ({"ties": "99999w"}, "ties", "a tolerance is at most 366d"),
        ({"order": "strict", "ties": "2s"}, "ties", "a tolerance needs order sequential, not strict"),
        ({"order": "any", "ties": "2s"}, "ties", "a tolerance needs order sequential, not any"),
        ({"exclude": [{"event": "X"}], "ties": "2s"}, "ties", "a tolerance does not go with exclusions"),
        (
            {"steps": [{"event": "A"}, {"any_of": ["B", "A"]}], "ties": "2s"},
            "ties",
            "a tolerance needs steps that no one event can serve; 1 and 2 may share one",
        ),
        (
            {"steps": [{"event": "A"}, {"event": "*"}], "ties": "2s"},
            "ties",
            "a tolerance needs steps that no one event can serve; 1 and 2 may share one",
        ),
        (
            {"steps": [{"event": "A", "optional": True}]},
            "steps[0].optional",
            "neither the first step nor the last can be optional",
        ),
        (
            {"steps": [{"event": "A"}, {"event": "B", "optional": True}]},
            "steps[1].optional",
            "neither the first step nor the last can be optional",
        ),
        ({"steps": ABC, "exclude": [{"event": "X", "after": 2}]}, "exclude[0].after", "after must be a required step"),
        ({"steps": ABC, "exclude": [{"event": "X", "before": 2}]}, "exclude[0].before", "before must be a required step"),
        (
            {"steps": ABC, "exclude": [{"event": "X", "after": 3, "before": 3}]},
            "exclude[0].before",
            "before must be a later step than after",
        ),
        ({"exclude": [{"event": "X", "after": 5}]}, "exclude[0].after", "after is a whole number in this range"),
        (
            {"steps": [{"event": "A"}], "exclude": [{"event": "X"}]},
            "exclude[0]",
            "an exclusion lies between two required steps; this funnel has one",
        ),
        (
            {"steps": ABC, "breakdown": {"by": ["bot"], "attribution": 2}},
            "breakdown.attribution",
            "attribution by a step's number needs a required step",
        ),
        (
            {"time_to_convert": {"from": 2, "to": 1}},
            "time_to_convert.to",
            "time_to_convert goes from one step to a later one",
        ),
        ({"hold": ["bot", "bot"]}, "hold[1]", "named twice"),
        ({"exclude": [{"event": "X"}] * 17}, "exclude", "write at most 16 exclusions"),
        ({"breakdown": {"by": ["bot", "os", "device", "browser"]}}, "breakdown.by", "write 1 to 3 properties"),
        (
            {"preset": "heap"},
            "preset",
            "preset can only be posthog, mixpanel, amplitude, clickhouse, clickhouse:strict_deduplication, "
            "clickhouse:strict_once, umami, openpanel",
        ),
        ({"preset": "umami", "order": "strict"}, "order", "the preset umami has no order: strict"),
        ({"preset": "clickhouse", "hold": ["bot"]}, "hold", "the preset clickhouse has no hold"),
        (
            {"preset": "posthog", "steps": [{"event": "A"}, {"event": "B", "within": "1d"}]},
            "preset",
            "the preset posthog has no within",
        ),
        ({"steps": [{"event": "A", "optional": 1}]}, "steps[0].optional", "optional is true or false"),
    ],
)
def test_what_does_not_go_together_is_refused_with_words(changes: dict[str, object], path: str, message: str) -> None:
    assert faults(**changes) == {path: message}


def test_an_exclusion_of_a_single_step_is_told_as_it_was_found() -> None:
    exclude = [{"event": "X"}]
    with pytest.raises(BadRequest) as caught:
        parse({**GOOD, "steps": [{"event": "A"}], "exclude": exclude})
    assert [(fault.path, fault.found) for fault in caught.value.faults] == [("exclude[0]", {"event": "X"})]


def test_faults_of_single_options_and_of_their_combination_are_told_together() -> None:
    assert faults(windw=1, order="any", ties="5s", exclude=[{"event": "X", "before": 2}]) == {
        "windw": "unknown key; did you mean 'window'?",
        "ties": "a tolerance does not go with exclusions",
        "exclude[0].before": "under order any an exclusion lies between the first event and the last, and names no steps",
    }


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
