"""The real RudderStack SDKs, pointed at a running collector: what they sent is what the lake holds, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.actor import actor_id
from tests.e2e import driver
from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import Chromium, needs_browser, needs_node
from tests.e2e.proxy import Proxy

THEN = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
BOTH = [pytest.param("rudder_send.py", id="python"), pytest.param("rudder_send.mjs", id="node", marks=needs_node)]

Row = dict[str, Any]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


def send(script: str, url: str, key: str, pace: str) -> Any:
    return (driver.python if script.endswith(".py") else driver.node)(script, url, key, pace)


def good_and_bad(made: list[Row]) -> tuple[list[str], list[str]]:
    ids = [call["messageId"] for call in made]
    bad = [call["messageId"] for call in made if call["userId" if "userId" in call else "anonymousId"] == "undefined"]
    return [event_id for event_id in ids if event_id not in bad], bad


def summary(row: Row) -> tuple[str, ...]:
    return tuple(row[name] or "" for name in ("kind", "event", "user_id", "anonymous_id", "account_id", "previous_id"))


@pytest.mark.parametrize("script", BOTH)
def test_a_servers_sdk(collector: Collecting, script: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url, collector.key, "once")
    good, bad = good_and_bad(sent["made"])
    rows = collector.stored(good)
    assert sent["errors"] == []
    assert collector.rejected(bad) == dict.fromkeys(bad, "illegal_id") and len(bad) == 1
    assert set(map(tuple, proxy.attempts("messageId").values())) == {(200,)}
    node = script.endswith(".mjs")
    assert [summary(row) for row in rows] == [
        ("identify", "$identify", "user-1", "anon-1", "", ""),
        ("track", "Signed Up", "user-1", "", "", ""),
        ("track", "Project Created", "42", "", "acme" if node else "", ""),
        ("track", "Visited", "", "anon-2", "", ""),
        ("group", "$group", "user-1", "", "acme", ""),
        ("page", "Getting started", "user-1", "", "", ""),
        ("screen", "Home", "user-1", "", "", ""),
        ("alias", "$alias", "user-1", "", "", "user-0"),
    ]
    assert [row["properties"] for row in rows] == [
        {"email": "zoë@example.com", "name": "Zoë 🦔"},
        {"plan": "pro", "price": 19.99, "emoji": "🦔 café", **({} if node else {"tags": ["a", None]})},
        {} if node else {"n": 1},
        {"n": 2, **({"deep": {"a": [1, [2]]}} if node else {})},
        {"name": "Acme GmbH"},
        {"path": "/docs", "name": "Getting started", "category": "Docs"}
        | ({} if node else {"url": "https://a.example/docs?utm_source=news"}),
        {"name": "Home", "category": "App"},
        {},
    ]
    assert rows[0]["original_time"] == rows[0]["time"] == THEN
    assert all(abs((row["received_at"] - row["sent_at"]).total_seconds()) < 60 for row in rows)
    assert all(row["time"] == row["original_time"] for row in rows)  # the clocks here are right
    assert [row["actor_id"] for row in rows[:4:3]] == [actor_id("user", "user-1"), actor_id("anonymous", "anon-2")]
    assert {row["library"] for row in rows} == {"analytics-node/3.0.13" if node else "analytics-python/2.1.9"}


@pytest.mark.parametrize("script", BOTH)
def test_a_batch_may_be_as_large_as_the_sdk_makes_it(collector: Collecting, script: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url, collector.key, "many")
    ids = [call["messageId"] for call in sent["made"]]
    fitting = [call["messageId"] for call in sent["made"] if call["event"] == "Filled"]
    assert set(map(tuple, proxy.attempts("messageId").values())) == {(200,)}
    assert len(collector.stored(fitting)) == len(fitting) >= 11
    assert set(collector.rejected(set(ids) - set(fitting)).values()) == ({"too_large"} if script.endswith(".py") else set())


def ids(sent: dict[str, list[Row]]) -> set[str]:
    return {message["messageId"] for message in sent["made"]}


@needs_browser
@pytest.mark.parametrize("query", [{}, {"beacon": "1"}], ids=["xhr", "beacon"])
def test_the_browsers_sdk(collector: Collecting, chromium: Chromium, query: dict[str, str]) -> None:
    with Proxy(collector.url) as proxy:
        where = {"url": proxy.url, "key": collector.key, "utm_source": "news", "utm_campaign": "spring"}
        sent = chromium.visit("rudder.html", lambda sent: ids(sent) <= proxy.attempts("messageId").keys(), **where, **query)
    *made, _ = sent["made"]  # the last is by "undefined"
    rows = collector.stored([message["messageId"] for message in made])
    anonymous = made[0]["anonymousId"]
    assert [summary(row) for row in rows] == [
        ("page", "Getting started", "", anonymous, "", ""),
        ("identify", "$identify", "user-1", anonymous, "", ""),
        ("track", "Signed Up", "user-1", anonymous, "", ""),
        ("group", "$group", "user-1", anonymous, "acme", ""),
        ("alias", "$alias", "user-2", anonymous, "", "user-1"),
    ]
    assert rows[0]["properties"] == made[0]["properties"]
    assert rows[0]["properties"].items() >= {"name": "Getting started", "category": "Docs", "section": "x"}.items()
    assert [row["properties"] for row in rows[1:4]] == [
        {"email": "zoë@example.com", "name": "Zoë 🦔"},
        {"plan": "pro", "price": 19.99, "emoji": "🦔 café"},
        {"name": "Acme GmbH"},
    ]
    for row, message in zip(rows, made, strict=True):
        assert row["time"] == row["original_time"] == datetime.fromisoformat(message["originalTimestamp"])
        assert (row["session_id"], row["library"]) == (
            str(message["context"]["sessionId"]),
            "RudderLabs JavaScript SDK/3.34.1",
        )
        assert (row["page_path"], row["page_referrer"]) == ("/rudder.html", None)
        assert (row["utm_source"], row["utm_campaign"], row["browser"]) == ("news", "spring", "Chrome")
    assert set(map(tuple, proxy.attempts("messageId").values())) == {(200,)}
    assert {exchange.path.partition("?")[0] for exchange in proxy.posts()} == (
        {"/beacon/v1/batch"}
        if "beacon" in query
        else {f"/v1/{kind}" for kind in ("page", "identify", "track", "group", "alias")}
    )
