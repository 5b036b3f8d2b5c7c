"""The real Segment SDKs, pointed at a running collector: what they sent is what the lake holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.actor import actor_id
from tests.e2e import driver
from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import Chromium, needs_browser, needs_node

THEN = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)

Row = dict[str, Any]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    """One for all SDKs of this file; each has a source of its own by the events' library."""
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


def stored(collector: Collecting, made: list[Row]) -> list[Row]:
    """The rows of the calls that an SDK made, in its order; fails where one is missing or there twice."""
    ids = [call["messageId"] for call in made]
    assert len(set(ids)) == len(ids)
    rows = [row for row in collector.rows("events", ids) if row["event_id"] in ids]
    assert sorted(row["event_id"] for row in rows) == sorted(ids)
    return sorted(rows, key=lambda row: ids.index(row["event_id"]))


def summary(row: Row) -> tuple[str, ...]:
    return tuple(row[name] or "" for name in ("kind", "event", "user_id", "anonymous_id", "account_id", "previous_id"))


def check_times(rows: list[Row], made: list[Row]) -> None:
    for row, call in zip(rows, made, strict=True):
        assert row["original_time"] == datetime.fromisoformat(call["timestamp"]), call
        assert row["time"] == row["original_time"]  # the clocks here are right
        assert abs((row["received_at"] - row["sent_at"]).total_seconds()) < 60


@pytest.mark.parametrize("encoding", ["plain", "gzip"])
def test_the_python_sdk(collector: Collecting, encoding: str) -> None:
    made = driver.python("segment_send.py", collector.url, collector.key, encoding)
    rows = stored(collector, made)
    assert [summary(row) for row in rows] == [
        ("identify", "$identify", "user-1", "anon-1", "", ""),
        ("track", "Signed Up", "user-1", "", "", ""),
        ("track", "Project Created", "42", "", "", ""),
        ("track", "Visited", "", "anon-2", "", ""),
        ("group", "$group", "user-1", "", "acme", ""),
        ("page", "Getting started", "user-1", "", "", ""),
        ("screen", "Home", "user-1", "", "", ""),
        ("alias", "$alias", "user-1", "", "", "user-0"),
    ]
    assert [row["properties"] for row in rows] == [
        {"email": "zoë@example.com", "name": "Zoë 🦔"},
        {"plan": "pro", "price": 19.99, "tags": ["a", None], "emoji": "🦔 café"},
        {"n": 1},
        {"n": 2},
        {"name": "Acme GmbH"},
        {"url": "https://a.example/docs?utm_source=news", "path": "/docs", "name": "Getting started", "category": "Docs"},
        {"name": "Home", "category": "App"},
        {},
    ]
    assert rows[0]["original_time"] == rows[1]["original_time"] == rows[1]["time"] == THEN
    check_times(rows, made)
    assert [row["actor_id"] for row in rows[:4:3]] == [actor_id("user", "user-1"), actor_id("anonymous", "anon-2")]
    assert {row["library"] for row in rows} == {"analytics-python/2.4.0"}
    assert (rows[5]["page_path"], rows[5]["utm_source"]) == ("/docs", "news")


@needs_node
def test_the_node_sdk(collector: Collecting) -> None:
    made = driver.node("segment_send.mjs", collector.url, collector.key, "once")
    rows = stored(collector, made)
    assert [summary(row) for row in rows] == [
        ("identify", "$identify", "user-1", "anon-1", "", ""),
        ("track", "Signed Up", "user-1", "", "", ""),
        ("track", "Project Created", "user-1", "", "acme", ""),
        ("track", "Visited", "", "anon-2", "", ""),
        ("group", "$group", "user-1", "", "acme", ""),
        ("page", "Getting started", "user-1", "", "", ""),
        ("screen", "Home", "user-1", "", "", ""),
        ("alias", "$alias", "user-1", "", "", "user-0"),
    ]
    assert [row["properties"] for row in rows] == [
        {"email": "zoë@example.com", "name": "Zoë 🦔"},
        {"plan": "pro", "price": 19.99, "emoji": "🦔 café"},
        {},
        {"n": 2, "deep": {"a": [1, [2]]}},
        {"name": "Acme GmbH"},
        {"path": "/docs", "name": "Getting started", "category": "Docs"},
        {"name": "Home", "category": "App"},
        {},
    ]
    assert rows[0]["original_time"] == THEN
    check_times(rows, made)
    assert {row["library"] for row in rows} == {"@segment/analytics-node/3.1.0"}


@needs_browser
@pytest.mark.parametrize("delivery", [{}, {"batching": "1"}])
def test_the_browser_sdk_in_a_real_browser(collector: Collecting, chromium: Chromium, delivery: dict[str, str]) -> None:
    query = {"url": collector.url, "key": collector.key, "utm_source": "news", "utm_medium": "email", **delivery}
    page = chromium.open("segment.html", **query)
    made = page.told()
    rows = stored(collector, made)
    assert page.close() == []
    anonymous = made[0]["anonymousId"]
    assert [summary(row)[:4] for row in rows] == [
        ("page", "Getting started", "", anonymous),
        ("identify", "$identify", "user-1", anonymous),
        ("track", "Signed Up", "user-1", anonymous),
        ("group", "$group", "user-1", anonymous),
        ("screen", "Home", "user-1", anonymous),
        ("alias", "$alias", "user-1", anonymous),  # this SDK overwrites the new id with the one it knows
    ]
    assert (rows[3]["account_id"], rows[5]["previous_id"]) == ("acme", "user-1")
    assert rows[0]["properties"] == made[0]["properties"]
    assert rows[0]["properties"].items() >= {"name": "Getting started", "category": "Docs", "section": "x"}.items()
    assert rows[1]["properties"] == {"email": "zoë@example.com", "name": "Zoë 🦔"}
    assert rows[2]["properties"] == {"plan": "pro", "price": 19.99, "emoji": "🦔 café"}
    assert rows[3]["properties"] == {"name": "Acme GmbH"}
    check_times(rows, made)
    for row in rows:
        assert row["library"].startswith("analytics.js/next-")
        assert (row["page_url"], row["page_path"], row["utm_source"], row["utm_medium"]) == (
            page.url,
            "/segment.html",
            "news",
            "email",
        )
        assert (row["device"], row["os"], row["browser"], row["bot"]) == ("desktop", "Linux", "Chrome", False)


def test_nothing_of_all_that_was_rejected(collector: Collecting) -> None:
    assert collector.rows("rejected", []) == []
