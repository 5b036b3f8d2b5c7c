"""The catalogue, the shape of an answer and what is wrong with a question."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from funnels import metrics
from funnels.definitions.load import DEFAULTS, load
from funnels.errors import BadRequest
from funnels.periods import period_of, periods
from funnels.question import Parameters, read_metric_question
from funnels.unknown import UnknownName
from sql.loader import names
from tests.funnels.world import LATER, built, did
from tests.transforms.world import at

SHAPE = [
    *(
        "metric",
        "question",
        "unit",
        "direction",
        "value",
        "numerator",
        "denominator",
        "interval",
        "reason",
        "parts",
        "series",
    ),
    *("groups", "previous", "target", "status", "settings", "definition_version", "as_of", "data"),
]


def faults(**params: str) -> list[tuple[str, object, tuple[object, ...]]]:
    given = {name.rstrip("_"): value for name, value in params.items()}
    with pytest.raises(BadRequest) as caught:
        read_metric_question(given, ("week", "day"), "week", ZoneInfo("Europe/Berlin"), LATER)
    return [(fault.path, fault.found, fault.allowed) for fault in caught.value.faults]


def test_every_metric_answers_in_one_shape_and_names_its_data(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, [did("a", "Signed Up", at(0))])
    for metric in metrics.CATALOGUE:
        found = metrics.answer(lake, "default", load(DEFAULTS), metric.name, {}, manifest, "UTC")
        assert list(found) == SHAPE
        assert (found["metric"], found["question"], found["direction"]) == (metric.name, metric.question, metric.direction)
        assert found["data"] == {"manifest": 1, "complete_until": "2026-12-01T00:00:00Z", "internal_left_out": 0}
        assert found["definition_version"] == load(DEFAULTS).version


def test_every_metric_is_described_and_every_metric_file_belongs_to_one() -> None:
    entries = [metric.as_json(load(DEFAULTS)) for metric in metrics.CATALOGUE]
    assert [entry["name"] for entry in entries] == ["viral-coefficient", "north-star"]
    assert sorted(str(entry["sql"]) for entry in entries) == [f"sql/metrics/{name}.sql" for name in names("metrics")]
    assert all(entry["question"] and entry["owner"] and entry["settings"] for entry in entries)


def test_an_unknown_metric_is_told_with_those_that_exist(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, [])
    with pytest.raises(UnknownName) as caught:
        metrics.answer(lake, "default", load(DEFAULTS), "viral", {}, manifest, "UTC")
    assert str(caught.value) == "There is no metric 'viral'. Known: viral-coefficient, north-star."
    assert UnknownName("metric", "north-str", ["north-star"]).hint == "did you mean 'north-star'?"


def test_all_faults_of_a_question_are_told_at_once_with_what_is_allowed() -> None:
    assert faults(from_="yesterday", to="2026-13-01", grain="hour", by="country", compare="last", fron="2026-01-01") == [
        ("from", "yesterday", ("2026-01-31", "2026-01-31T09:30:00Z")),
        ("to", "2026-13-01", ("2026-01-31", "2026-01-31T09:30:00Z")),
        ("grain", "hour", ("week", "day")),
        ("by", "country", ("channel",)),
        ("compare", "last", ("previous",)),
        ("fron", "fron", ("from", "to", "grain", "by", "compare", "internal")),
    ]


def test_a_range_that_ends_before_it_begins_or_is_endless_is_refused() -> None:
    assert faults(from_="2026-02-01", to="2026-02-01") == [
        ("from", "2026-02-01", ("a time before 2026-02-01T00:00:00+01:00",)),
    ]
    assert faults(from_="1990-01-01", grain="day") == [("grain", "day", ("day", "week", "month"))]


def test_dates_are_midnight_in_the_projects_zone_and_times_keep_their_offset() -> None:
    parameters = Parameters(
        {"a": "2026-03-29", "b": "2026-03-30", "c": "2026-03-29T12:00:00", "d": "2026-03-29T12:00:00Z"}, BERLIN
    )
    moments = [parameters.moment(name) for name in "abcd"]
    assert [moment and f"{moment:%d %H:%M}" for moment in moments] == ["28 23:00", "29 22:00", "29 10:00", "29 12:00"]


BERLIN = ZoneInfo("Europe/Berlin")


def test_periods_follow_the_calendar_of_the_zone_through_a_change_of_clocks() -> None:
    lengths = [period.end - period.start for period in periods(at(26), at(29), "day", BERLIN)]  # from 28 March 2026
    assert [length.total_seconds() / 3600 for length in lengths] == [24, 23, 24, 24]
    month = period_of(at(0), "month", BERLIN)
    assert (month.name, month.start.isoformat(), month.end.isoformat()) == (
        date(2026, 3, 1),
        "2026-02-28T23:00:00+00:00",
        "2026-03-31T22:00:00+00:00",
    )
    assert periods(at(1), at(1), "week", BERLIN) == []
