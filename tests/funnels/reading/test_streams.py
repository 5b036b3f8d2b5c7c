"""From events in a lake to streams: who did it, which events count, and what is left out and told."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from funnels.adhoc import funnel
from funnels.request import parse
from funnels.result import Json
from ingest.lake import Lake
from tests.funnels.world import LATER, built, did, joined
from tests.oracle import Event, Question, judge
from tests.transforms.world import Row, call, lake_of
from transforms.domains import LEFT_BY

DAY = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
DAYS = timedelta(days=1)


def ask(folder: Path, rows: list[Row], until: datetime = LATER, **changes: object) -> Json:
    """The answer to Signed Up, then Paid in a fortnight, over these events, with these changes to the question."""
    return ask_lake(lake_of(folder, rows), until, **changes)


def ask_lake(lake: Lake, until: datetime = LATER, **changes: object) -> Json:
    body = {
        "steps": [{"event": "Signed Up"}, {"event": "Paid"}],
        "from": "2026-01-01",
        "to": "2026-02-01",
        "window": "14d",
        **changes,
    }
    return funnel(lake, "default", parse(body), complete_until=until, manifest=None)


def reached(found: Json) -> list[int]:
    steps = found["steps"]
    assert isinstance(steps, list)
    return [step["reached"] for step in steps]


def data(found: Json, name: str) -> object:
    told = found["data"]
    assert isinstance(told, dict)
    return told[name]


def test_a_person_is_one_unit_under_all_ids(tmp_path: Path) -> None:
    rows = [
        call("1", DAY, anonymous="phone", event="Signed Up"),
        call("2", DAY + HOUR, kind="identify", anonymous="phone", user="ann"),
        did("ann", "Paid", DAY + 2 * HOUR),
    ]
    assert reached(ask(tmp_path / "linked", rows)) == [1, 1]
    assert reached(ask(tmp_path / "apart", [rows[0], rows[2]])) == [1, 0]


def test_an_account_has_its_members_events_from_the_moment_they_joined(tmp_path: Path) -> None:
    rows = [
        did("ann", "Signed Up", DAY),
        joined("ann", "acme", DAY + HOUR),
        did("ann", "Paid", DAY + 2 * HOUR),
        did("bob", "Signed Up", DAY + HOUR, account_id="acme"),
        did("eve", "Paid", DAY + HOUR),
    ]
    found = ask(tmp_path, rows, unit="account")
    assert reached(found) == [1, 1]
    assert data(found, "events_without_unit") == 2  # ann's sign-up before she joined, and eve's payment


def test_an_account_has_its_members_events_until_they_left(tmp_path: Path) -> None:
    rows = [
        joined("ann", "acme", DAY),
        did("ann", "Signed Up", DAY),
        did("ann", LEFT_BY, DAY + HOUR),
        did("ann", "Paid", DAY + 2 * HOUR),
        joined("bob", "acme", DAY),
        joined("bob", "beta", DAY),
        did("bob", LEFT_BY, DAY + HOUR, account_id="beta"),
        did("bob", "Paid", DAY + HOUR),
    ]
    found = ask(tmp_path / "left", rows[:4], unit="account")
    assert (reached(found), data(found, "events_without_unit")) == ([1, 0], 1)
    found = ask(tmp_path / "in one again", rows, unit="account")
    assert (reached(found), data(found, "events_without_unit")) == ([1, 1], 1)


def test_of_two_accounts_of_a_person_neither_has_what_the_event_does_not_name(tmp_path: Path) -> None:
    rows = [joined("ann", "acme", DAY), joined("ann", "beta", DAY + 2 * HOUR), did("ann", "Signed Up", DAY + 3 * HOUR)]
    found = ask(tmp_path, rows, unit="account")
    assert (reached(found), data(found, "events_without_unit")) == ([0, 0], 1)


def test_bots_are_left_out_and_told_unless_asked_for(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [did("ann", "Signed Up", DAY), did("crawler", "Signed Up", DAY, bot=True)])
    found = ask_lake(lake)
    assert (reached(found), data(found, "bots_left_out")) == ([1, 0], 1)
    found = ask_lake(lake, where=[{"property": "bot", "op": "eq", "value": True}])
    assert (reached(found), data(found, "bots_left_out")) == ([1, 0], 0)
    assert reached(ask_lake(lake, where=[{"property": "bot", "op": "is_set"}])) == [2, 0]


def test_the_window_reaches_past_the_range_and_ends_at_as_of(tmp_path: Path) -> None:
    start = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    lake = lake_of(tmp_path, [did("ann", "Signed Up", start), did("ann", "Paid", start + 14 * DAYS)])
    assert reached(ask_lake(lake)) == [1, 1]
    assert reached(ask_lake(lake, window="13d")) == [1, 0]
    assert reached(ask_lake(lake, as_of="2026-02-14T23:59:00Z")) == [1, 1]
    cut = ask_lake(lake, as_of="2026-02-14T23:58:59Z")
    assert (reached(cut), cut["pending"]) == ([1, 0], 1)
    assert reached(ask_lake(lake, to="2026-01-31T23:59:00Z")) == [0, 0]


def test_entries_before_the_range_do_not_count_in_the_zone_of_the_question(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [did("ann", "Signed Up", datetime(2025, 12, 31, 23, 30, tzinfo=UTC))])
    assert reached(ask_lake(lake)) == [0, 0]
    assert reached(ask_lake(lake, timezone="Europe/Berlin")) == [1, 0]


def test_filters_hold_for_a_choice_a_step_or_all_steps(tmp_path: Path) -> None:
    def on(name: str, value: object) -> dict[str, object]:
        return {"property": f"properties.{name}", "op": "eq", "value": value}

    lake = lake_of(
        tmp_path,
        [
            did("ann", "Signed Up", DAY, properties=json.dumps({"plan": "free"})),
            did("ann", "Paid", DAY + HOUR, properties=json.dumps({"plan": "pro", "seats": 5})),
            did("bob", "Signed Up", DAY, properties=json.dumps({"plan": "pro"})),
            did("bob", "Upgraded", DAY + HOUR, properties=json.dumps({"plan": "pro"})),
        ],
    )
    sign_up = {"event": "Signed Up"}
    assert reached(ask_lake(lake, steps=[{**sign_up, "where": [on("plan", "free")]}, {"event": "Paid"}])) == [1, 1]
    assert reached(ask_lake(lake, where=[on("plan", "pro")])) == [1, 0]
    either = {"any_of": [{"event": "Paid", "where": [on("seats", 4)]}, "Upgraded"]}
    assert reached(ask_lake(lake, steps=[sign_up, either])) == [2, 1]
    assert reached(ask_lake(lake, steps=[sign_up, {"event": "*", "where": [on("plan", "pro")]}])) == [2, 2]


def test_filters_may_ask_what_the_last_build_knows_of_person_and_account(tmp_path: Path) -> None:
    rows = [
        call("1", DAY, kind="identify", user="ann", traits={"email": "ann@acme.test", "role": "admin"}),
        call("2", DAY, kind="group", user="ann", account_id="acme", traits={"name": "Acme", "seats": 12}),
        did("ann", "Signed Up", DAY + HOUR),
        did("bob", "Signed Up", DAY + HOUR),
    ]
    lake, manifest = built(tmp_path, rows)

    def count(name: str, op: str, value: object) -> list[int]:
        where = [{"property": name, "op": op, "value": value}]
        body = {"steps": [{"event": "Signed Up"}], "from": "2026-01-01", "to": "2026-02-01", "window": "1d", "where": where}
        return reached(funnel(lake, "default", parse(body), complete_until=LATER, manifest=manifest))

    assert count("person_now.email", "contains", "@acme") == [1]
    assert count("person_now.role", "eq", "admin") == [1]
    assert count("person_now.role", "ne", "admin") == [1]
    assert count("person_now.events", "gte", 3) == [1]
    assert count("account_now.seats", "gt", 10) == [1]
    assert count("account_now.name", "eq", "Acme") == [1]


def test_a_name_that_never_occurred_gives_zeros_and_the_nearest_names(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [did("ann", "Signed Up", DAY)])
    found = ask_lake(lake, steps=[{"event": "signed up"}, {"event": "Zebra"}])
    assert reached(found) == [0, 0]
    assert found["warnings"] == [
        "no event 'signed up' has ever occurred; the nearest names are 'Signed Up'",
        "no event 'Zebra' has ever occurred",
    ]
    assert ask_lake(lake, steps=[{"event": "Signed Up"}], to="2026-01-02")["warnings"] == []


def test_a_name_that_a_cohort_asks_for_and_that_never_occurred_is_told_likewise(tmp_path: Path) -> None:
    cohorts = {"payers": {"did": {"any_of": ["Payed", "*"]}}, "unused": {"did": {"event": "Unheard"}}}
    where = [{"property": "cohort:payers", "op": "eq", "value": True}]
    found = ask(tmp_path, [did("ann", "Signed Up", DAY), did("ann", "Paid", DAY + HOUR)], cohorts=cohorts, where=where)
    assert found["warnings"] == ["no event 'Payed' has ever occurred; the nearest names are 'Paid'"]


def test_an_as_of_beyond_the_data_is_brought_back_with_a_warning(tmp_path: Path) -> None:
    found = ask(
        tmp_path, [did("ann", "Signed Up", DAY)], until=DAY + DAYS, as_of="2026-03-01", steps=[{"event": "Signed Up"}]
    )
    assert found["as_of"] == "2026-01-06T00:00:00Z"
    assert found["warnings"] == [
        "as_of 2026-03-01T00:00:00Z is later than the data is complete: brought back to 2026-01-06T00:00:00Z"
    ]
    definition = found["definition"]
    assert isinstance(definition, dict) and definition["as_of"] == "2026-01-06T00:00:00Z"


def test_an_answer_names_the_data_it_read(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, [did("ann", "Signed Up", DAY)])
    body = {"steps": [{"event": "Signed Up"}], "from": "2026-01-01", "to": "2026-02-01", "window": "1d"}
    assert funnel(lake, "default", parse(body), complete_until=LATER, manifest=manifest)["data"] == {
        "events": lake.version("default", "events"),
        "actors": manifest.number,
        "complete_until": "2026-12-01T00:00:00Z",
        "events_without_unit": 0,
        "bots_left_out": 0,
        "internal_left_out": 0,
    }


@pytest.mark.parametrize("unit", ["person", "account"])
def test_a_project_without_events_answers_with_zeros(tmp_path: Path, unit: str) -> None:
    found = ask(tmp_path, [], unit=unit, trend="month")
    assert (reached(found), data(found, "events")) == ([0, 0], None)
    assert found["trend"] == [
        {
            "start": "2026-01-01",
            "entrants": 0,
            "converted": 0,
            "conversion": None,
            "pending": 0,
            "excluded": 0,
            "lost": 0,
            "complete": True,
        }
    ]


def test_a_merge_shows_at_once(tmp_path: Path) -> None:
    rows = [call("1", DAY, anonymous="phone", event="Signed Up"), did("ann", "Paid", DAY + HOUR)]
    lake, manifest = built(tmp_path, rows)
    lake_of(tmp_path, [call("3", DAY + HOUR, kind="identify", anonymous="phone", user="ann")], batch=9)
    body = {"steps": [{"event": "Signed Up"}, {"event": "Paid"}], "from": "2026-01-01", "to": "2026-02-01", "window": "1d"}
    assert reached(funnel(lake, "default", parse(body), complete_until=LATER, manifest=manifest)) == [1, 1]


@pytest.mark.parametrize("seed", range(6))
def test_random_questions_of_a_lake_agree_with_the_oracle(tmp_path: Path, seed: int) -> None:
    random = Random(f"lake {seed}")
    rows, units = random_rows(random)
    lake = lake_of(tmp_path, rows)
    for _ in range(8):
        window, end, as_of = random.choice([1, 5, 40, 300]), random.randint(50, 500), random.randint(200, 700)
        body = {
            "steps": [
                {"event": "A"},
                {"any_of": ["A", {"event": "B", "where": [{"property": "properties.n", "op": "gt", "value": 2}]}]},
                {"event": "*", "where": [{"property": "properties.n", "op": "in", "value": [0, 4]}], "within": "40h"},
            ],
            "from": (DAY + 20 * HOUR).isoformat(),
            "to": (DAY + end * HOUR).isoformat(),
            "window": f"{window}h",
        }
        question = Question((None, None, 40), window, 20, end, as_of)
        found = funnel(lake, "default", parse(body), complete_until=DAY + as_of * HOUR, manifest=None)
        verdicts = [judge(events, question) for events in units.values()]
        states = Counter(verdict.state for verdict in verdicts)
        assert [found[name] for name in ("converted", "pending", "lost")] == [
            states[name] for name in ("converted", "pending", "lost")
        ]
        assert reached(found) == [sum(verdict.level > step for verdict in verdicts) for step in range(3)]


def random_rows(random: Random) -> tuple[list[Row], dict[str, list[Event]]]:
    """Events of thirty people over three weeks, and what the steps of the test above make of them."""
    rows, units = [], dict[str, list[Event]]()
    for number in range(400):
        user, name, n = f"u{random.randrange(30)}", random.choice("ABC"), random.randrange(5)
        hour = random.choice([random.randrange(600), 10 * random.randrange(60)])
        rows.append(call(f"e{number}", DAY + hour * HOUR, user=user, event=name, traits={"n": n}))
        fits = (name == "A", name == "A" or (name == "B" and n > 2), n in (0, 4))
        units.setdefault(user, []).append(Event(hour, frozenset(step for step, fit in enumerate(fits) if fit)))
    return rows, units
