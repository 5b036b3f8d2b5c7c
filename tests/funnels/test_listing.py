"""Lists of who stands behind a number: as long as the number, in order, page by page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from funnels.adhoc import Source, answer_of
from funnels.errors import BadRequest
from funnels.listing import Page, page, parse_list
from tests.funnels.world import LATER, did
from tests.transforms.world import Row, call, lake_of

DAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
BODY: dict[str, Any] = {
    "steps": [{"event": "A"}, {"event": "B"}, {"event": "C"}],
    "from": "2026-01-05",
    "to": "2026-01-20",
    "window": "2d",
}


def source_of(folder: Path, rows: list[Row], until: datetime = LATER) -> Source:
    lake = lake_of(folder, rows)
    return Source(lake, "default", lake.version("default", "events"), until, None)


def listed(source: Source, after: tuple[int, str] | None = None, **asked: object) -> Page:
    return page(source, parse_list({**BODY, **asked}), after)


def units(found: Page) -> list[object]:
    return [item["unit"] for item in found.items]


def test_a_list_is_in_order_of_entry_and_then_of_id_with_the_times_of_the_witness(tmp_path: Path) -> None:
    rows = [
        did("b", "A", DAY),
        did("a", "A", DAY),
        did("c", "A", DAY - HOUR),
        did("c", "A", DAY + HOUR),
        did("c", "B", DAY + 3 * HOUR),
    ]
    source = source_of(tmp_path, rows)
    found = listed(source, state="reached", step=1)
    assert found.items == [
        {
            "unit": "user:a",
            "state": "lost",
            "entered": "2026-01-05T00:00:00Z",
            "reached": 1,
            "times": ["2026-01-05T00:00:00Z", None, None],
        },
        {
            "unit": "user:b",
            "state": "lost",
            "entered": "2026-01-05T00:00:00Z",
            "reached": 1,
            "times": ["2026-01-05T00:00:00Z", None, None],
        },
        {
            "unit": "user:c",
            "state": "lost",
            "entered": "2026-01-05T01:00:00Z",
            "reached": 2,
            "times": ["2026-01-05T01:00:00Z", "2026-01-05T03:00:00Z", None],
        },
    ]
    assert (found.total, found.last, found.data["events"]) == (3, None, 1)
    assert units(listed(source, state="dropped", step=1)) == ["user:a", "user:b"]
    assert listed(source, state="converted").items == []


MIXED: list[dict[str, Any]] = [
    {},
    {"breakdown": {"by": ["properties.plan"], "limit": 2}},
    {"breakdown": {"by": ["properties.plan", "country"], "attribution": "last", "limit": 3}},
    {"breakdown": {"by": ["properties.plan"], "attribution": "all", "limit": 1}},
    {"breakdown": {"by": ["properties.plan"], "attribution": 2}, "count": "attempts"},
    {
        "steps": [{"event": "A"}, {"event": "B", "optional": True}, {"event": "C"}],
        "exclude": [{"event": "X"}],
        "breakdown": {"by": ["country"]},
    },
    {"order": "any", "breakdown": {"by": ["country"]}},
    {"order": "strict", "hold": ["country"]},
    {"unit": "session", "breakdown": {"by": ["country"]}},
    {"count": "attempts", "exclude": [{"event": "X", "after": 2}], "breakdown": {"by": ["country"], "attribution": "all"}},
    {"preset": "mixpanel", "breakdown": {"by": ["country"]}},
]


@pytest.mark.parametrize("changes", MIXED)
def test_every_bar_s_list_has_the_length_of_its_number(tmp_path: Path, changes: dict[str, Any]) -> None:
    source = source_of(tmp_path, random_rows(Random(3)), DAY + 12 * 24 * HOUR)
    body = {**BODY, **changes}
    question = {key: value for key, value in body.items() if key not in ("state", "step", "group")}
    answer: Any = answer_of(source, parse_list({**question, "state": "lost"}).funnel)
    numbers: dict[str, int] = {}
    for state in ("converted", "pending", "excluded", "lost"):
        numbers[json.dumps({"state": state})] = answer[state]
    rows = [(None, answer["steps"]), *(([] if g["other"] else g["values"], g["steps"]) for g in answer.get("groups", ()))]
    for group, steps in rows:
        for number, step in enumerate(steps, 1):
            for state in ("reached", "dropped"):
                asked = {"state": state, "step": number, **({} if group is None else {"group": group})}
                numbers[json.dumps(asked)] = step[state]
    found = {asked: listed(source, **changes, **json.loads(asked), limit=1000) for asked in numbers}
    assert {asked: one.total for asked, one in found.items()} == numbers
    assert {asked: len(one.items) for asked, one in found.items()} == numbers
    assert answer["entrants"] > 20


def test_pages_fit_together_also_where_many_entered_at_one_instant(tmp_path: Path) -> None:
    random = Random(5)
    rows = [did(f"u{n}", "A", DAY + random.choice([0, 0, 1, 2]) * HOUR) for n in range(40)]
    source = source_of(tmp_path, rows)
    whole = listed(source, state="reached", step=1, limit=1000).items
    assert whole == sorted(whole, key=lambda item: (item["entered"], item["unit"]))
    for limit in (1, 3, 7, 39, 40):
        items: list[Any] = []
        after: tuple[int, str] | None = None
        pages = 0
        while after is not None or pages == 0:
            found = listed(source, after, state="reached", step=1, limit=limit)
            assert (found.total, len(found.items) <= limit) == (40, True)
            items, after, pages = items + found.items, found.last, pages + 1
        assert (items, pages) == (whole, -(-40 // limit))


@pytest.mark.parametrize(
    ("asked", "path", "message"),
    [
        ({}, "state", "name the state: reached, dropped, converted, pending, excluded, lost"),
        ({"state": "gone"}, "state", "state can only be reached, dropped, converted, pending, excluded, lost"),
        ({"state": "reached"}, "step", "reached needs the number of a step"),
        ({"state": "dropped", "step": 4}, "step", "step is a whole number in this range"),
        ({"state": "lost", "step": 1}, "step", "step goes with reached and dropped, not with lost"),
        ({"state": "lost", "group": ["x"]}, "group", "group names a row of a breakdown; this question has none"),
        (
            {"state": "lost", "group": ["x", "y"], "breakdown": {"by": ["country"]}},
            "group",
            "write the 1 values of a group, or [] for the row other",
        ),
        (
            {"state": "lost", "group": [["x"]], "breakdown": {"by": ["country"]}},
            "group[0]",
            "write one text, number, true, false or null",
        ),
        ({"state": "lost", "limit": 1001}, "limit", "limit is a whole number in this range"),
        ({"state": "lost", "unit_id": "x"}, "unit_id", "unknown key; did you mean 'unit'?"),
    ],
)
def test_a_wrong_list_is_told_where_and_why(asked: dict[str, object], path: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_list({**BODY, **asked})
    assert {fault.path: fault.message for fault in caught.value.faults} == {path: message}


def test_a_group_that_nobody_is_in_is_an_empty_list_and_true_is_not_one(tmp_path: Path) -> None:
    rows = [did(f"u{n}", "A", DAY, properties=json.dumps({"p": value})) for n, value in enumerate((1, 1.0, True, "1", None))]
    source, by = source_of(tmp_path, rows), {"by": ["properties.p"]}

    def of(value: object) -> list[object]:
        return units(listed(source, breakdown=by, state="reached", step=1, group=[value]))

    assert (of(1), of(True), of("1")) == (["user:u0", "user:u1"], ["user:u2"], ["user:u3"])
    assert (of(None), of("2")) == (["user:u4"], [])


def random_rows(random: Random) -> list[Row]:
    """Events of forty people over three weeks, most of them in the range."""
    rows = []
    for number in range(500):
        traits = {"plan": random.choice(["free", "pro", 5, None])}
        user, name = f"u{random.randrange(40)}", random.choice("AABBCCX")
        time = DAY + random.randrange(14 * 24) * HOUR
        country = random.choice(["DE", "FR", None])
        rows.append(call(f"e{number:03}", time, user=user, event=name, traits=traits, country=country))
    return rows
