"""The funnel over stages: the path, what was reached any way, ranges, groups and the trend."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

import pytest

from funnels.definitions.load import DEFAULTS, load
from funnels.errors import BadRequest
from funnels.plg import stage_funnel
from funnels.unknown import UnknownName
from tests.funnels.world import LATER, SECOND, built, definitions_of, did, joined
from tests.transforms.world import Row, at

Json = dict[str, object]
NOTHING: Final[Mapping[str, str]] = {}


def funnel(folder: Path, rows: list[Row], until: datetime = LATER, params: Mapping[str, str] = NOTHING) -> Json:
    lake, manifest = built(folder, rows, until=until)
    return stage_funnel(lake, "default", load(DEFAULTS), "plg", params, manifest, "UTC")


def steps(found: Json) -> list[tuple[object, ...]]:
    return [(step["stage"], step["reached"], step["by_path"]) for step in tables(found, "steps")]


def tables(found: Json, key: str) -> list[Json]:
    return cast(list[Json], found[key])


def activated(user: str, day: float, medium: str | None = None) -> list[Row]:
    rows = [did(user, "Signed Up", at(day), utm_medium=medium), did(user, "Project Created", at(day + 1))]
    return [*rows, *(did(user, "Task Completed", at(day + 1 + n / 10)) for n in range(3))]


def world() -> list[Row]:
    """all: the whole path; payer: skips the PQL; early: a PQL before activation; late: pays after the window."""
    rows = activated("all", 0, "cpc")
    rows += [did("all", "Demo Requested", at(3)), did("all", "Subscription Started", at(4))]
    rows += [*activated("payer", 0), did("payer", "Subscription Started", at(9))]
    rows += [*activated("early", 1, "cpc"), did("early", "Demo Requested", at(1.5))]
    rows += [did("late", "Signed Up", at(8)), did("late", "Subscription Started", at(98) + SECOND)]
    return [*rows, did("stranger", "Subscription Started", at(1))]


def test_each_step_tells_who_took_the_path_and_who_got_there_any_way(tmp_path: Path) -> None:
    found = funnel(tmp_path, world())
    assert steps(found) == [("registered", 4, 4), ("activated", 3, 3), ("pql", 2, 1), ("paid", 2, 1)]
    assert [found[key] for key in ("entrants", "converted", "pending", "excluded", "lost")] == [4, 1, 0, 0, 3]
    rates = [(step["label"], step["from_start"], step["from_previous"], step["dropped"]) for step in tables(found, "steps")]
    assert rates == [
        ("Registered", 1.0, None, 1),
        ("Activated", 0.75, 0.75, 2),
        ("PQL", 0.25, 1 / 3, 0),
        ("Paid", 0.25, 1.0, 0),
    ]
    assert found["conversion"] == 0.25
    assert found["warnings"] == []


def test_the_last_second_of_the_window_still_counts(tmp_path: Path) -> None:
    rows = [did("a", "Signed Up", at(0)), did("a", "Subscription Started", at(7))]
    rows += [did("b", "Signed Up", at(0)), did("b", "Subscription Started", at(7) + SECOND)]
    assert steps(funnel(tmp_path, rows, params={"window": "7d"}))[3] == ("paid", 1, 0)


def test_a_stage_entered_before_the_entry_is_not_reached_by_it(tmp_path: Path) -> None:
    rows = [did("a", "Subscription Started", at(0)), did("a", "Signed Up", at(0) + SECOND)]
    assert steps(funnel(tmp_path, rows))[3] == ("paid", 0, 0)


def test_entries_count_within_the_range_and_later_steps_after_it_too(tmp_path: Path) -> None:
    found = funnel(tmp_path, world(), params={"from": "2026-03-02", "to": "2026-03-03"})
    assert steps(found) == [("registered", 2, 2), ("activated", 2, 2), ("pql", 1, 1), ("paid", 2, 1)]
    assert steps(funnel(tmp_path, [], params={"from": "2026-03-03T00:00:01Z"}))[0] == ("registered", 1, 1)


def test_whose_window_is_open_is_pending_and_not_in_the_mature_figures(tmp_path: Path) -> None:
    found = funnel(tmp_path, world(), until=at(95))
    assert [found[key] for key in ("entrants", "converted", "pending", "lost")] == [4, 1, 1, 2]
    assert found["mature"] == {"entrants": 3, "converted": 1, "conversion": 1 / 3, "to": "2026-03-07T00:00:00Z"}
    assert found["as_of"] == "2026-06-05T00:00:00Z"


def test_accounts_have_a_funnel_of_their_own(tmp_path: Path) -> None:
    rows = [*world(), joined("all", "acme", at(0)), joined("payer", "acme", at(0)), joined("early", "solo", at(1))]
    found = funnel(tmp_path, rows, params={"unit": "account"})
    assert steps(found) == [("registered", 2, 2), ("activated", 2, 2), ("pql", 2, 1), ("paid", 1, 1)]
    definition = cast(Json, found["definition"])
    assert (definition["unit"], definition["window"], definition["from"]) == ("account", "90d", None)


def test_groups_by_channel_add_up_in_every_step(tmp_path: Path) -> None:
    groups = tables(funnel(tmp_path, world(), params={"by": "channel"}), "groups")
    assert [(group["values"], steps(group)) for group in groups] == [
        (["direct"], [("registered", 2, 2), ("activated", 1, 1), ("pql", 0, 0), ("paid", 1, 0)]),
        (["paid search"], [("registered", 2, 2), ("activated", 2, 2), ("pql", 2, 1), ("paid", 1, 1)]),
    ]


def test_the_trend_goes_by_the_week_of_registration(tmp_path: Path) -> None:
    found = funnel(tmp_path, world(), until=at(99), params={"trend": "week", "to": "2026-03-16"})
    weeks = [(week["start"], week["entrants"], week["converted"], week["complete"]) for week in tables(found, "trend")]
    assert weeks == [("2026-03-02", 3, 1, True), ("2026-03-09", 1, 0, False)]


def test_one_entry_from_a_clock_in_the_year_1_does_not_stretch_the_trend(tmp_path: Path) -> None:
    old = did("old", "Signed Up", datetime(1, 1, 3, tzinfo=UTC))
    found = funnel(tmp_path, [*world(), old], until=at(99), params={"trend": "week"})
    assert [(week["start"], week["entrants"]) for week in tables(found, "trend")][:2] == [
        ("2026-03-02", 3),
        ("2026-03-09", 1),
    ]
    assert found["entrants"] == 4


def test_an_empty_funnel_has_no_rates_and_no_error(tmp_path: Path) -> None:
    found = funnel(tmp_path, [], params={"by": "channel", "trend": "month"})
    assert steps(found) == [("registered", 0, 0), ("activated", 0, 0), ("pql", 0, 0), ("paid", 0, 0)]
    assert (found["entrants"], found["conversion"], found["groups"], found["data"]) == (
        0,
        None,
        [],
        {"manifest": 1, "complete_until": "2026-12-01T00:00:00Z", "internal_left_out": 0},
    )


def test_a_funnel_of_one_stage_is_allowed(tmp_path: Path) -> None:
    definitions = definitions_of(tmp_path, funnels="[funnels.one]\nsteps = ['paid']\nwindow = '1d'\n")
    lake, manifest = built(tmp_path, world(), definitions)
    found = stage_funnel(lake, "default", definitions, "one", {}, manifest, "UTC")
    assert steps(found) == [("paid", 4, 4)]


def test_a_definition_that_changed_since_the_build_is_told(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, world())
    definitions = definitions_of(tmp_path, funnels="[funnels.one]\nsteps = ['paid']\nwindow = '1d'\n")
    found = stage_funnel(lake, "default", definitions, "one", {}, manifest, "UTC")
    assert found["warnings"] == [
        f"the stages were built under definition {load(DEFAULTS).version}, the one in force is {definitions.version}: "
        "they change with the next build"
    ]


def test_an_unknown_funnel_and_every_wrong_parameter_are_told(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, [])
    with pytest.raises(UnknownName, match=r"There is no funnel 'plgg'. Known: plg\."):
        stage_funnel(lake, "default", load(DEFAULTS), "plgg", {}, manifest, "UTC")
    with pytest.raises(BadRequest) as caught:
        funnel(tmp_path, [], params={"unit": "persons", "window": "1y", "by": "plan", "trend": "weekly", "form": "x"})
    assert [(fault.path, fault.found, fault.allowed) for fault in caught.value.faults] == [
        ("unit", "persons", ("person", "account")),
        ("window", "1y", ("90s", "30m", "12h", "14d", "2w")),
        ("by", "plan", ("channel",)),
        ("trend", "weekly", ("day", "week", "month")),
        ("form", "form", ("unit", "window", "from", "to", "by", "trend", "internal")),
    ]
