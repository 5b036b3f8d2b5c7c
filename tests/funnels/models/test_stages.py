"""Stages: when people and accounts enter them, by which event, at the edges and on random histories."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from funnels.definitions.load import DEFAULTS, load
from funnels.models.stages import rounds
from tests.funnels.world import SECOND, built, definitions_of, did, entries, joined, stored
from tests.transforms.world import Row, at, call


def enters(
    folder: Path, rows: list[Row], stage: str, subject: str = "person", **files: str
) -> dict[str, tuple[object, str]]:
    lake, manifest = built(folder, rows, definitions_of(folder, **files))
    return dict(entries(lake, manifest, stage, subject))


def worked(user: str, *days: float) -> list[Row]:
    return [did(user, "Task Completed", at(day), f"{user} task {number}") for number, day in enumerate(days, 1)]


def test_nobody_enters_anything_where_nothing_happened(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, [])
    assert stored(lake, manifest, "stages").num_rows == 0
    assert stored(lake, manifest, "invites").num_rows == 0


def test_the_first_sign_up_registers_a_person(tmp_path: Path) -> None:
    rows = [did("a", "Signed Up", at(2), "second"), did("a", "Signed Up", at(1), "first"), did("b", "Signed In", at(1))]
    assert enters(tmp_path, rows, "registered") == {"user:a": (at(1), "first")}


def test_activation_takes_all_conditions_and_comes_with_the_last_of_them(tmp_path: Path) -> None:
    rows = [did(user, "Signed Up", at(0)) for user in ("all", "fewer", "nothing")]
    rows += [did(user, "Project Created", at(1)) for user in ("all", "fewer")]
    rows += worked("all", 2, 3, 4, 5) + worked("fewer", 2, 3)
    assert enters(tmp_path, rows, "activated") == {"user:all": (at(4), "all task 3")}


def test_the_seventh_day_still_activates_and_a_second_later_does_not(tmp_path: Path) -> None:
    rows = [did(user, "Signed Up", at(0)) for user in ("in time", "too late", "too early")]
    rows += [did(user, "Project Created", at(1)) for user in ("in time", "too late")]
    rows += worked("in time", 0, 0, 7) + worked("too late", 1, 2)
    rows += [did("too late", "Task Completed", at(7) + SECOND)]
    rows += [did("too early", "Project Created", at(0) - SECOND), *worked("too early", 1, 2, 3)]
    assert enters(tmp_path, rows, "activated") == {"user:in time": (at(7), "in time task 3")}


def test_work_before_the_sign_up_does_not_activate(tmp_path: Path) -> None:
    rows = [did("a", "Project Created", at(0)), *worked("a", 0, 0.5, 2), did("a", "Signed Up", at(1))]
    assert enters(tmp_path, rows, "activated") == {}


def test_usage_needs_its_times_within_the_rolling_window(tmp_path: Path) -> None:
    exact = [did("exact", "Report Exported", at(day), f"exact {day}") for day in (0, 1, 2, 3, 14)]
    wide = [did("wide", "Report Exported", at(day)) for day in (0, 1, 2, 3)] + [
        did("wide", "Report Exported", at(14) + SECOND)
    ]
    later = [did("later", "Report Exported", at(day), f"later {day}") for day in (0, 20, 21, 22, 23, 24, 25)]
    assert enters(tmp_path, exact + wide + later, "pql") == {
        "user:exact": (at(14), "exact 14"),
        "user:later": (at(24), "later 24"),
    }


def test_a_raised_hand_makes_a_pql_of_the_person_and_of_its_account(tmp_path: Path) -> None:
    rows = [
        joined("a", "acme", at(0)),
        did("a", "Demo Requested", at(2), "hand"),
        did("b", "Contact Sales Clicked", at(3), "click"),
    ]
    lake, manifest = built(tmp_path, rows)
    assert entries(lake, manifest, "pql", "person") == {"user:a": (at(2), "hand"), "user:b": (at(3), "click")}
    assert entries(lake, manifest, "pql", "account") == {"acme": (at(2), "hand")}


def test_three_active_people_make_pqls_of_the_account_and_of_its_members(tmp_path: Path) -> None:
    rows = [joined(user, "acme", at(0)) for user in ("a", "b", "c", "idle")]
    rows += [*worked("a", 0, 1), *worked("b", 5), *worked("c", 8)]
    rows += [joined("late", "acme", at(20)), joined("alone", "other", at(0)), *worked("alone", 1, 2, 3)]
    lake, manifest = built(tmp_path, rows)
    assert entries(lake, manifest, "pql", "account") == {"acme": (at(8), "c task 1")}
    assert entries(lake, manifest, "pql", "person") == {
        **{f"user:{user}": (at(8), "c task 1") for user in ("a", "b", "c", "idle")},
        "user:late": (at(20), "late joined acme"),
    }


@pytest.mark.parametrize(("moment", "reached"), [(timedelta(days=7), True), (timedelta(days=7) + SECOND, False)])
def test_the_active_people_must_fit_the_window_to_the_second(tmp_path: Path, moment: timedelta, reached: bool) -> None:
    rows = [joined(user, "acme", at(0)) for user in ("a", "b", "c")]
    rows += [*worked("a", 0), *worked("b", 3), did("c", "Task Completed", at(0) + moment, "third")]
    expected = {"acme": (at(0) + moment, "third")} if reached else {}
    assert enters(tmp_path, rows, "pql", "account") == expected


def test_the_events_of_a_person_with_two_accounts_count_only_for_the_one_they_name(tmp_path: Path) -> None:
    rows = [joined("a", "one", at(0)), joined("a", "two", at(2))]
    rows += [did("a", "Subscription Started", at(1), "sole")]
    rows += [
        did("a", "Subscription Started", at(3), "unclear"),
        did("a", "Subscription Started", at(4), "named", account_id="two"),
    ]
    assert enters(tmp_path, rows, "paid", "account") == {"one": (at(1), "sole"), "two": (at(4), "named")}


def test_an_account_is_reached_by_its_first_member_and_not_before_the_membership(tmp_path: Path) -> None:
    rows = [
        did("a", "Signed Up", at(0)),
        joined("a", "acme", at(3)),
        joined("b", "acme", at(1)),
        did("b", "Signed Up", at(2), "b signs up"),
    ]
    assert enters(tmp_path, rows, "registered", "account") == {"acme": (at(2), "b signs up")}


def test_an_account_is_reached_by_as_many_members_as_its_definition_says(tmp_path: Path) -> None:
    text = "[stages.registered]\naccount.members = 2\n[stages.registered.person]\nany = [{ event = 'Signed Up' }]\n"
    rows = [did(user, "Signed Up", at(day)) for day, user in enumerate("abcd")]
    rows += [joined(user, "acme", at(2)) for user in "abc"] + [joined("d", "solo", at(5))]
    funnels = "[funnels.one]\nsteps = ['registered']\nwindow = '1d'\n"
    assert enters(tmp_path, rows, "registered", "account", stages=text, funnels=funnels) == {
        "acme": (at(2), "b joined acme")
    }


def test_filters_compare_types_as_they_are(tmp_path: Path) -> None:
    text = """
[stages.registered.person]
any = [{ any_of = [
  { event = "Signed Up", where = [{ property = "properties.seats", op = "eq", value = 5 }] },
  { event = "Signed In", where = [{ property = "properties.seats", op = "eq", value = "5" }] },
], where = [{ property = "country", op = "ne", value = "XX" }] }]
"""
    told = [
        ("a", "Signed Up", "5"),
        ("b", "Signed Up", "5.0"),
        ("c", "Signed Up", '"5"'),
        ("d", "Signed In", '"5"'),
        ("e", "Signed In", "5"),
    ]
    rows = [did(user, event, at(0), user, properties=f'{{"seats": {seats}}}') for user, event, seats in told]
    rows += [
        did("f", "Signed Up", at(0), properties='{"seats": 5}', country="XX"),
        did("g", "Signed Up", at(0), properties="{}"),
    ]
    funnels = "[funnels.one]\nsteps = ['registered']\nwindow = '1d'\n"
    found = enters(tmp_path, rows, "registered", stages=text, funnels=funnels)
    assert sorted(found) == ["user:a", "user:b", "user:d"]


def test_any_event_and_an_event_that_fits_twice_count_once(tmp_path: Path) -> None:
    text = """
[stages.registered.person]
any = [{ any_of = ["*", "Signed In"], times = 2 }]
"""
    rows = [did("a", "Signed In", at(0)), did("b", "Signed In", at(0)), did("b", "Demo Requested", at(1), "second")]
    funnels = "[funnels.one]\nsteps = ['registered']\nwindow = '1d'\n"
    assert enters(tmp_path, rows, "registered", stages=text, funnels=funnels) == {"user:b": (at(1), "second")}


def test_a_payer_who_never_was_anything_else_has_paid(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, [did("a", "Subscription Started", at(0), "pay")])
    assert [(row["stage"], row["spell"], row["left"]) for row in stored(lake, manifest, "stages").to_pylist()] == [
        ("paid", 1, None)
    ]


def test_a_late_event_moves_the_entry_at_the_next_build(tmp_path: Path) -> None:
    definitions = load(DEFAULTS)
    rows = [did("a", "Signed Up", at(5), "known")]
    lake, manifest = built(tmp_path, rows, definitions)
    assert entries(lake, manifest, "registered", "person") == {"user:a": (at(5), "known")}
    lake, manifest = built(tmp_path, [did("a", "Signed Up", at(1), "late")], definitions, batch=2)
    assert entries(lake, manifest, "registered", "person") == {"user:a": (at(1), "late")}


def test_what_was_done_before_signing_in_counts_for_the_person(tmp_path: Path) -> None:
    rows = [
        call("visit", at(0), event="Demo Requested", anonymous="cookie"),
        call("link", at(1), kind="identify", anonymous="cookie", user="a"),
    ]
    lake, manifest = built(tmp_path, rows)
    (person,) = entries(lake, manifest, "pql", "person").items()
    assert person == ("anonymous:cookie", (at(0), "visit"))


def test_bots_enter_no_stage(tmp_path: Path) -> None:
    assert enters(tmp_path, [did("crawler", "Signed Up", at(0), bot=True)], "registered") == {}


def test_building_twice_changes_nothing_and_names_the_definition(tmp_path: Path) -> None:
    definitions = load(DEFAULTS)
    rows = [
        did("a", "Signed Up", at(0)),
        joined("a", "acme", at(0)),
        *worked("a", 1, 2, 3),
        did("a", "Project Created", at(4)),
    ]
    lake, first = built(tmp_path, rows, definitions)
    _, second = built(tmp_path, [], definitions)
    assert first.tables == second.tables
    assert set(stored(lake, first, "stages")["definition_version"].to_pylist()) == {definitions.version}


def test_stages_are_found_in_rounds_after_those_they_lean_on() -> None:
    assert rounds(load(DEFAULTS).stages) == [
        [("person", "registered"), ("person", "pql"), ("account", "pql"), ("person", "paid"), ("account", "paid")],
        [("account", "registered"), ("person", "activated")],
        [("account", "activated")],
    ]


PAID = """
[stages.paid.person]
any = [{ event = "Subscription Started" }]
left_by = [{ event = "Subscription Cancelled" }]
[stages.after.person]
after = "paid"
any = [{ event = "Task Completed" }]
[stages.keen.person]
all = [{ event = "Task Completed", times = 2, window = "3d" }, { event = "Project Created" }]
left_by = [{ event = "Signed Out", times = 2, window = "1d" }]
"""
FUNNEL = "[funnels.paid]\nsteps = ['paid', 'after']\nwindow = '30d'\n"


def spells(folder: Path, rows: list[Row], stage: str, subject: str = "person", batch: int = 1) -> list[tuple[object, ...]]:
    """(subject_id, spell, entered, left, event_id) of a stage of PAID."""
    defaults = (DEFAULTS / "virality.toml").read_text().replace('"registered"', '"paid"')
    lake, manifest = built(folder, rows, definitions_of(folder, stages=PAID, funnels=FUNNEL, virality=defaults), batch=batch)
    found = [
        row for row in stored(lake, manifest, "stages").to_pylist() if (row["stage"], row["subject"]) == (stage, subject)
    ]
    return sorted((row["subject_id"], row["spell"], row["entered"], row["left"], row["event_id"]) for row in found)


def test_a_payer_who_cancels_leaves_and_one_who_pays_again_begins_a_second_spell(tmp_path: Path) -> None:
    rows = [
        did("a", "Subscription Cancelled", at(0), "too early"),
        did("a", "Subscription Started", at(1), "first"),
        did("a", "Subscription Started", at(2), "still paying"),
        did("a", "Subscription Cancelled", at(29.5), "leaves"),  # 2026-03-31 12:00
        did("a", "Subscription Cancelled", at(30), "again"),
        did("a", "Subscription Started", at(40), "second"),
        did("b", "Subscription Started", at(5), "stays"),
    ]
    assert spells(tmp_path, rows, "paid") == [
        ("user:a", 1, at(1), at(29.5), "first"),
        ("user:a", 2, at(40), None, "second"),
        ("user:b", 1, at(5), None, "stays"),
    ]


def test_who_cancels_and_pays_at_one_instant_begins_anew(tmp_path: Path) -> None:
    rows = [
        did("a", "Subscription Started", at(1), "e1"),
        did("a", "Subscription Cancelled", at(2), "e3"),
        did("a", "Subscription Started", at(2), "e2"),
    ]
    assert spells(tmp_path, rows, "paid") == [("user:a", 1, at(1), at(2), "e1"), ("user:a", 2, at(2), None, "e2")]


def test_what_leans_on_a_stage_leans_on_its_first_spell(tmp_path: Path) -> None:
    rows = [
        did("a", "Subscription Started", at(1)),
        did("a", "Subscription Cancelled", at(2)),
        did("a", "Task Completed", at(3), "task"),
        did("a", "Subscription Started", at(4)),
    ]
    assert spells(tmp_path, rows, "after") == [("user:a", 1, at(3), None, "task")]


def test_nothing_is_counted_across_a_leaving(tmp_path: Path) -> None:
    out = [did("a", "Signed Out", at(4), "out 1"), did("a", "Signed Out", at(5), "out 2")]
    rows = [
        did("a", "Project Created", at(1), "p1"),
        *worked("a", 2, 3, 6, 7),
        did("a", "Project Created", at(8), "p2"),
        *out,
    ]
    assert spells(tmp_path, rows, "keen") == [
        ("user:a", 1, at(3), at(5), "a task 2"),
        ("user:a", 2, at(8), None, "p2"),
    ]


def test_a_late_cancellation_parts_one_spell_into_two(tmp_path: Path) -> None:
    rows = [did("a", "Subscription Started", at(1), "e1"), did("a", "Subscription Started", at(9), "e2")]
    assert spells(tmp_path, rows, "paid") == [("user:a", 1, at(1), None, "e1")]
    assert spells(tmp_path, [did("a", "Subscription Cancelled", at(5), "late")], "paid", batch=2) == [
        ("user:a", 1, at(1), at(5), "e1"),
        ("user:a", 2, at(9), None, "e2"),
    ]
