"""The answer: every number of a small funnel by hand, and what must add up in any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from funnels.groups import Values, of_units
from funnels.match import Rules, match_streams
from funnels.result import Histogram, Json, answer
from funnels.stats import wilson
from funnels.times import iso
from tests.funnels.random_streams import as_rules, as_streams, random_edges, random_events, random_question
from tests.funnels.test_match import stream
from tests.oracle import Question

UTC_ZONE = ZoneInfo("UTC")
UNITS = ["A0 B2 C5", "A1 B7", "A2 C3", "A3 B3 C4", "B1", "A28"]
QUESTION = Question((None, None, None), 10, 0, 30, 30)


def asked(
    units: list[str],
    question: Question = QUESTION,
    codes: list[int] | None = None,
    values: Sequence[Values] = (),
    limit: int = 25,
    histogram: Histogram | None = None,
) -> Json:
    """``codes``: a place in ``values`` for each unit."""
    rules = as_rules(question)
    outcome = match_streams(as_streams([stream(text) for text in units]), rules)
    groups = None if codes is None else of_units(outcome, np.array(codes), values)
    return answer(outcome, ["Registered", "Activated", "Paid"], rules, UTC_ZONE, groups, limit, histogram)


def test_every_number_of_a_small_funnel() -> None:
    found = asked(UNITS)
    assert {name: found[name] for name in ("entrants", "converted", "pending", "excluded", "lost", "conversion")} == {
        "entrants": 5,
        "converted": 2,
        "pending": 1,
        "excluded": 0,
        "lost": 2,
        "conversion": 0.4,
    }
    steps = found["steps"]
    assert isinstance(steps, list)
    assert [{key: step[key] for key in step if key != "interval"} for step in steps] == [
        {
            "label": "Registered",
            "reached": 5,
            "from_start": 1.0,
            "from_previous": None,
            "dropped": 2,
            "seconds_from_previous": None,
        },
        {
            "label": "Activated",
            "reached": 3,
            "from_start": 0.6,
            "from_previous": 0.6,
            "dropped": 1,
            "seconds_from_previous": {"median": 2.0, "p90": 5.2, "mean": 8 / 3},
        },
        {
            "label": "Paid",
            "reached": 2,
            "from_start": 0.4,
            "from_previous": 2 / 3,
            "dropped": 0,
            "seconds_from_previous": {"median": 2.0, "p90": 2.8, "mean": 2.0},
        },
    ]
    assert found["mature"] == {"entrants": 4, "converted": 2, "conversion": 0.5, "to": "1970-01-01T00:00:20Z"}
    assert found["as_of"] == "1970-01-01T00:00:30Z"
    assert "trend" not in found and "groups" not in found


def test_the_curve_of_conversions_counts_whoever_waits() -> None:
    rows = asked(UNITS)["survival"]
    assert isinstance(rows, list)
    # after 2 s (A3 B3 C4 took 1, A0 B2 C5 took 5) A28 has been watched for 2 s, the others for the window of 10
    assert [(row["seconds"], row["converted"]) for row in rows] == [
        (0.0, 0.0),
        (1.0, pytest.approx(1 / 5)),
        (5.0, pytest.approx(1 - 4 / 5 * 2 / 3)),
        (10.0, pytest.approx(1 - 4 / 5 * 2 / 3)),
    ]


def test_time_to_convert_is_told_in_bins_of_equal_width() -> None:
    units = ["A0 B0 C0", "A0 B1 C5", "A0 B5 C9", "A0 B9 C10", "A0 B3"]
    assert asked(units, histogram=Histogram(0, 2, 2))["time_to_convert"] == {
        "count": 4,
        "median": 7.0,
        "bins": [{"from": 0.0, "to": 5.0, "count": 1}, {"from": 5.0, "to": 10.0, "count": 3}],
    }
    assert asked(units, histogram=Histogram(0, 1, 3))["time_to_convert"] == {
        "count": 5,
        "median": 3.0,
        "bins": [
            {"from": 0.0, "to": 3.0, "count": 2},
            {"from": 3.0, "to": 6.0, "count": 2},
            {"from": 6.0, "to": 9.0, "count": 1},
        ],
    }


def test_conversions_in_no_time_at_all_have_one_bin_and_no_conversion_none() -> None:
    assert asked(["A3 B3 C3"], histogram=Histogram(0, 2, 20))["time_to_convert"] == {
        "count": 1,
        "median": 0.0,
        "bins": [{"from": 0.0, "to": 0.0, "count": 1}],
    }
    assert asked(["A3"], histogram=Histogram(0, 2, 20))["time_to_convert"] == {"count": 0, "median": None, "bins": []}


def test_nobody_entered_and_no_ratio_is_zero() -> None:
    found = asked(["B1"])
    assert (found["entrants"], found["conversion"], found["mature"]) == (
        0,
        None,
        {"entrants": 0, "converted": 0, "conversion": None, "to": "1970-01-01T00:00:20Z"},
    )
    steps = found["steps"]
    assert isinstance(steps, list)
    assert [(step["from_start"], step["from_previous"], step["interval"]) for step in steps] == [(None, None, None)] * 3


def test_a_late_event_moves_a_unit_on() -> None:
    assert asked(["A0 B2"])["converted"] == 0
    assert asked(["A0 B2 C9"])["converted"] == 1


def test_groups_are_the_largest_by_entrants_and_the_rest_is_one() -> None:
    values = [("search",), (None,), ("invite",), ("nobody entered",)]
    found = asked(UNITS, codes=[0, 0, 1, 2, 3, 1], values=values, limit=2)["groups"]
    assert isinstance(found, list)
    assert [(one["values"], one["other"], one["entrants"], one["converted"], one["conversion"]) for one in found] == [
        ([None], False, 2, 0, 0.0),
        (["search"], False, 2, 1, 0.5),
        ([], True, 1, 1, 1.0),
    ]
    assert [step["reached"] for step in found[1]["steps"]] == [2, 2, 1]
    assert [one["interval"] for one in found] == [wilson(0, 2), wilson(1, 2), wilson(1, 1)]
    assert [one["p_value"] for one in found] == pytest.approx([0.4, 1.0, 0.4])  # Fisher's, of 5 entrants with 2 converted
    assert [one["p_corrected"] for one in found] == pytest.approx([0.6, 1.0, 0.6])


def test_a_single_group_has_no_rest_to_be_compared_with() -> None:
    found = asked(["A0 B2 C5", "A1"], codes=[0, 0], values=[("all",)])["groups"]
    assert isinstance(found, list)
    assert [(one["p_value"], one["p_corrected"]) for one in found] == [(None, None)]


def test_the_trend_names_days_of_the_zone_and_tells_which_are_complete() -> None:
    zone = ZoneInfo("Europe/Berlin")
    edges = (*(datetime(2026, 3, day, 23, tzinfo=UTC) for day in (26, 27, 28)), datetime(2026, 3, 29, 22, tzinfo=UTC))
    rules = Rules((None,), timedelta(days=1), edges[0] + timedelta(hours=1), edges[-1], edges[-1], edges)
    found = answer(match_streams(as_streams([]), rules), ["A"], rules, zone)["trend"]
    assert isinstance(found, list)
    assert [(one["start"], one["complete"]) for one in found] == [
        ("2026-03-27", False),  # the range begins within it
        ("2026-03-28", False),  # its windows end an hour after as_of: the day after it has 23 hours
        ("2026-03-29", False),
    ]
    later = replace(rules, as_of=rules.as_of + timedelta(hours=1))
    found = answer(match_streams(as_streams([]), later), ["A"], later, zone)["trend"]
    assert isinstance(found, list)
    assert [one["complete"] for one in found] == [False, True, False]


def test_everything_adds_up_in_any_funnel() -> None:
    for seed in range(80):
        random = Random(f"sums {seed}")
        question, values = random_question(random), [("a",), ("b",), (None,)]
        units = [random_events(question, random) for _ in range(40)]
        edges = random_edges(question, random)
        rules = as_rules(question, edges)
        labels = [str(step) for step in range(len(question.withins))]
        outcome = match_streams(as_streams(units), rules)
        groups = of_units(outcome, np.array([random.randrange(3) for _ in units]), values)
        found = answer(outcome, labels, rules, UTC_ZONE, groups, limit=2)
        check_sums(found)
        parts = found["groups"]
        assert isinstance(parts, list)
        for name in ("entrants", "converted"):
            assert sum(part[name] for part in parts) == found[name]
        assert all(part["entrants"] == part["steps"][0]["reached"] for part in parts)


def check_sums(found: Json, required: Sequence[int] | None = None) -> None:
    """What adds up in any funnel; ``required``: the steps that are not optional, where some are."""
    names = ("entrants", "converted", "pending", "excluded", "lost")
    entrants, converted, pending, excluded, lost = (found[name] for name in names)
    steps = found["steps"]
    assert isinstance(entrants, int) and isinstance(converted, int) and isinstance(pending, int)
    assert isinstance(excluded, int) and isinstance(lost, int)
    assert isinstance(steps, list)
    reached = [steps[place]["reached"] for place in required or range(len(steps))]
    assert entrants == converted + pending + excluded + lost and min(converted, pending, excluded, lost) >= 0
    assert reached == sorted(reached, reverse=True) and (reached[0], reached[-1]) == (entrants, converted)
    assert sum(step["dropped"] for step in steps) == entrants - converted


def test_times_are_iso_with_a_z() -> None:
    assert iso(datetime(2026, 1, 25, tzinfo=UTC)) == "2026-01-25T00:00:00Z"
    assert iso(datetime(2026, 1, 25, 1, 30, 0, 250_000, tzinfo=ZoneInfo("Europe/Berlin"))) == "2026-01-25T00:30:00.250000Z"
