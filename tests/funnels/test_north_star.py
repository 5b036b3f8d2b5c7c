"""The north star: who is counted in which week, and which week is the value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, cast

from funnels.metrics import answer
from tests.funnels.world import LATER, built, definitions_of, did, joined
from tests.transforms.world import Row, at

NOTHING: Final[Mapping[str, str]] = {}
PEOPLE: Final = """
[north_star]
name = "weekly-active-people"
title = "People who worked twice in a week"
unit = "person"
event = "Task Completed"
times = 2
"""


def worked(user: str, *days: float, medium: str | None = None) -> list[Row]:
    return [did(user, "Task Completed", at(day), utm_medium=medium) for day in days]


def star(
    folder: Path,
    rows: list[Row],
    until: datetime = LATER,
    text: str | None = None,
    params: Mapping[str, str] = NOTHING,
) -> dict[str, object]:
    definitions = definitions_of(folder, **({"north_star": text} if text else {}))
    lake, manifest = built(folder, rows, definitions, until=until)
    return answer(lake, "default", definitions, "north-star", params, manifest, "UTC")


def series(found: dict[str, object]) -> list[tuple[object, ...]]:
    points = cast(list[dict[str, object]], found["series"])
    return [(point["start"], point["value"], point["complete"]) for point in points]


def test_an_account_counts_when_its_people_did_it_often_enough_together(tmp_path: Path) -> None:
    rows = [joined("a", "acme", at(0)), joined("b", "acme", at(0)), joined("c", "small", at(0))]
    rows += worked("a", 0, 1, 2) + worked("b", 3, 6.9) + worked("c", 1, 2, 3, 4) + worked("nobody's", 1, 2, 3, 4, 5)
    found = star(tmp_path, rows, until=at(7))
    assert series(found) == [("2026-03-02", 1, True)]
    assert (found["value"], found["numerator"], found["denominator"], found["reason"]) == (1, 1, None, None)
    assert found["unit"] == "count"


def test_the_value_is_the_latest_week_that_is_over(tmp_path: Path) -> None:
    rows = worked("a", 0, 1, 7, 8, 14, 15) + worked("b", 0, 1, 14, 15) + worked("c", 14, 15)
    found = star(tmp_path, rows, until=at(16), text=PEOPLE, params={"compare": "previous"})
    assert series(found) == [("2026-03-02", 2, True), ("2026-03-09", 1, True), ("2026-03-16", 3, False)]
    assert (found["value"], found["previous"]) == (1, {"value": 2, "change": -1})


def test_a_week_without_anybody_is_zero_and_stays_in_the_series(tmp_path: Path) -> None:
    found = star(tmp_path, worked("a", 0, 1), until=at(14), text=PEOPLE)
    assert series(found) == [("2026-03-02", 1, True), ("2026-03-09", 0, True)]
    assert (found["value"], found["reason"]) == (0, None)


def test_one_event_from_a_clock_in_the_year_1_does_not_stretch_the_series(tmp_path: Path) -> None:
    old = datetime(1, 1, 3, tzinfo=UTC)
    rows = [*worked("a", 0, 1), did("b", "Task Completed", old), did("b", "Task Completed", old + timedelta(hours=1))]
    found = star(tmp_path, rows, until=at(7), text=PEOPLE)
    assert (series(found), found["value"]) == ([("2026-03-02", 1, True)], 1)


def test_a_range_shows_whole_weeks_and_takes_its_value_from_those_inside(tmp_path: Path) -> None:
    rows = worked("a", 0, 1, 7, 8, 14, 15)
    found = star(tmp_path, rows, text=PEOPLE, params={"from": "2026-03-04", "to": "2026-03-18"})
    assert series(found) == [("2026-03-02", 1, False), ("2026-03-09", 1, True), ("2026-03-16", 1, False)]
    assert found["value"] == 1


def test_the_first_week_of_a_range_is_compared_with_the_one_before_it(tmp_path: Path) -> None:
    rows = worked("a", 0, 1, 7, 8) + worked("b", 0, 1)
    found = star(tmp_path, rows, text=PEOPLE, params={"from": "2026-03-09", "to": "2026-03-16", "compare": "previous"})
    assert (series(found), found["previous"]) == ([("2026-03-09", 1, True)], {"value": 2, "change": -1})


def test_weeks_begin_on_monday_in_the_projects_zone(tmp_path: Path) -> None:
    rows = worked("a", 6.9, 7.1)  # Sunday evening and Monday early, UTC
    assert series(star(tmp_path, rows, until=at(14), text=PEOPLE)) == []
    definitions = definitions_of(tmp_path)
    lake, manifest = built(tmp_path, [], definitions, until=at(15))
    found = answer(lake, "default", definitions, "north-star", {}, manifest, "Asia/Shanghai")
    assert series(found) == [("2026-03-09", 1, True), ("2026-03-16", 0, False)]


def test_nobody_ever_is_no_base_and_a_first_week_not_over_is_immature(tmp_path: Path) -> None:
    found = star(tmp_path, [], params={"by": "channel", "compare": "previous"})
    assert (found["value"], found["reason"], found["series"], found["groups"]) == (None, "no_base", [], [])
    assert found["previous"] == {"value": None, "change": None}
    found = star(tmp_path, worked("a", 0, 1), until=at(3), text=PEOPLE)
    assert (found["value"], found["reason"], series(found)) == (None, "immature", [("2026-03-02", 1, False)])


def test_groups_are_channels_of_the_week_that_is_the_value(tmp_path: Path) -> None:
    rows = worked("a", 0, 1, 7, 8) + worked("b", 0, 1, medium="cpc") + worked("c", 7, 8, medium="cpc")
    rows += worked("d", 8, 9, medium="cpc")
    found = star(tmp_path, rows, until=at(14), text=PEOPLE, params={"by": "channel"})
    groups = cast(list[dict[str, object]], found["groups"])
    assert [(group["values"], group["value"]) for group in groups] == [(["paid search"], 2), (["direct"], 1)]
    assert found["value"] == 3


def test_a_late_event_makes_up_a_week_that_had_been_short(tmp_path: Path) -> None:
    definitions = definitions_of(tmp_path, north_star=PEOPLE)
    lake, manifest = built(tmp_path, worked("a", 0), definitions, until=at(7))
    assert answer(lake, "default", definitions, "north-star", {}, manifest, "UTC")["value"] is None
    lake, manifest = built(tmp_path, worked("a", 1), definitions, until=at(7), batch=2)
    assert answer(lake, "default", definitions, "north-star", {}, manifest, "UTC")["value"] == 1
