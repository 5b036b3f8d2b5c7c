"""Numbers that were worked out on paper before there was an engine: a funnel of ten users, shares of a path, intervals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from funnels.adhoc import funnel
from funnels.request import parse
from funnels.stats import ratio, wilson
from tests.transforms.world import Row, call, lake_of

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
NAMES = {"s": "Signed Up", "a": "Activated", "p": "Paid"}

# Days of sign-up, activation and payment. u7 activates at the last instant of a window, pays a second later; u8 does both
# within one second, the payment stored first; u9 is a bot; the window of u10 is open until day 64.
USERS: dict[str, list[tuple[str, timedelta]]] = {
    "u1": [("s", 0 * DAY), ("a", 1 * DAY), ("p", 10 * DAY)],
    "u2": [("s", 0 * DAY), ("a", 3 * DAY), ("p", 20 * DAY)],
    "u3": [("s", 0 * DAY), ("p", 2 * DAY), ("a", 4 * DAY)],
    "u4": [("s", 0 * DAY)],
    "u5": [("a", 0 * DAY), ("s", 1 * DAY), ("a", 5 * DAY), ("p", 6 * DAY)],
    "u6": [("s", 0 * DAY), ("s", 30 * DAY), ("a", 31 * DAY), ("p", 40 * DAY)],
    "u7": [("s", 0 * DAY), ("a", 14 * DAY), ("p", 14 * DAY + SECOND)],
    "u8": [("s", 0 * DAY), ("p", 1 * DAY), ("a", 1 * DAY)],
    "u9": [("s", 0 * DAY), ("a", 1 * DAY), ("p", 2 * DAY)],
    "u10": [("s", 50 * DAY), ("a", 51 * DAY)],
}


def ten_users() -> list[Row]:
    return [
        call(f"{user} {number}", START + after, user=user, event=NAMES[step]) | ({"bot": True} if user == "u9" else {})
        for user, events in USERS.items()
        for number, (step, after) in enumerate(events)
    ]


def ask(folder: Path, **changes: object) -> Any:
    body = {
        "steps": [{"event": name} for name in NAMES.values()],
        "from": "2026-01-01",
        "to": "2026-03-02",
        "window": "14d",
        "as_of": "2026-03-02",  # day 60
        **changes,
    }
    until = START + 100 * DAY
    return funnel(lake_of(folder, ten_users()), "default", parse(body), complete_until=until, manifest=None)


@pytest.mark.parametrize(
    ("reentry", "reached", "overall", "stepwise"),
    [("first", [8, 6, 3], [1, 0.75, 0.375], [None, 0.75, 0.5]), ("any", [8, 7, 4], [1, 0.875, 0.5], [None, 0.875, 4 / 7])],
)
def test_ten_users_by_first_entry_and_by_any(
    tmp_path: Path, reentry: str, reached: list[int], overall: list[float], stepwise: list[float | None]
) -> None:
    """The mature figures: of those whose window is over on day 60."""
    found = ask(tmp_path, reentry=reentry, to="2026-02-16")  # day 46 = day 60 - the window
    assert [step["reached"] for step in found["steps"]] == reached
    assert [step["from_start"] for step in found["steps"]] == overall
    assert [step["from_previous"] for step in found["steps"]] == stepwise
    assert (found["pending"], found["data"]["bots_left_out"]) == (0, 3)


def test_whoever_still_has_time_is_pending_and_no_part_of_the_mature_figures(tmp_path: Path) -> None:
    found = ask(tmp_path)
    assert [step["reached"] for step in found["steps"]] == [9, 8, 4]
    assert [found[state] for state in ("entrants", "converted", "pending", "excluded", "lost")] == [9, 4, 1, 0, 4]
    assert found["mature"] == {"entrants": 8, "converted": 4, "conversion": 0.5, "to": "2026-02-16T00:00:00Z"}


def test_a_path_of_five_steps_has_two_rates_at_each(tmp_path: Path) -> None:
    """Aware 1000, appeal 400, ask 200, act 50, advocate 10: a hundredth of it, with Kotler's PAR and BAR of all."""
    counts = {"aware": 100, "appeal": 40, "ask": 20, "act": 5, "advocate": 1}
    rows = [
        call(f"{person} {name}", START + number * DAY, user=str(person), event=name)
        for number, (name, count) in enumerate(counts.items())
        for person in range(count)
    ]
    body = {"steps": [{"event": name} for name in counts], "from": "2026-01-01", "to": "2026-02-01", "window": "14d"}
    found: Any = funnel(lake_of(tmp_path, rows), "default", parse(body), complete_until=START + 100 * DAY, manifest=None)
    assert [step["from_previous"] for step in found["steps"]] == [None, 0.4, 0.5, 0.25, 0.2]
    assert [step["from_start"] for step in found["steps"]][-2:] == [0.05, 0.01]  # PAR, BAR


def test_the_intervals_and_shares_of_the_definition_s_example() -> None:
    assert [[round(end, 3) for end in wilson(reached, 1000) or []] for reached in (1000, 420)] == [[0.996, 1], [0.39, 0.451]]
    assert [round(ratio(*shares) or 0, 4) for shares in ((41, 1000), (40, 850), (12, 230))] == [0.041, 0.0471, 0.0522]
