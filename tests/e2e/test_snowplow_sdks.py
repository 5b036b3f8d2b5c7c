"""The real Snowplow trackers, pointed at a running collector: what they sent is what the lake holds, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e import driver
from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import Chromium, needs_browser, needs_node
from tests.e2e.proxy import Proxy
from tests.patience import PATIENCE, eventually

THEN = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
PYTHON, NODE = "snowplow_send.py", "snowplow_send.mjs"
BOTH = [pytest.param(PYTHON, id="python"), pytest.param(NODE, id="node", marks=needs_node)]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


def send(script: str, url: str, key: str, pace: str) -> Any:
    return (driver.python if script.endswith(".py") else driver.node)(script, url, key, pace, f"{PATIENCE:.0f}")


@pytest.mark.parametrize("pace", ["once", "pixel"])
@pytest.mark.parametrize("script", BOTH)
def test_a_servers_tracker(collector: Collecting, script: str, pace: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url, collector.key, pace)
    *good, bad = sent["made"]
    rows = collector.stored(good)
    assert sent["left"] == 0
    assert collector.rejected([bad]) == {bad: "illegal_id"}
    assert {answer[-1] for answer in proxy.attempts("eid").values()} == ({200} if pace == "once" else set())
    assert len(proxy.seen) == (7 if pace == "pixel" else 1)  # none comes again
    assert [(row["kind"], row["event"]) for row in rows] == [
        ("page", "$page"), ("track", "page_ping"), ("track", "add"), ("track", "order"),
        ("identify", "$identify"), ("track", "screen_view"),
    ]  # fmt: skip
    assert {(row["user_id"], row["anonymous_id"], row["session_id"], row["locale"]) for row in rows} == {
        ("user-1", "dev-1", "s1", "de")
    }
    assert [row["properties"] for row in rows] == [
        {"url": "https://a.example/docs?utm_source=news", "title": "Docs – «start»", "referrer": "https://g.example/"},
        {"minXOffset": 10, "maxYOffset": 200},
        {"category": "shop", "action": "add", "label": "Zoë 🦔", "property": "pcs", "value": 2.5},
        {"price": 19.99, "tags": ["a", "b"], "emoji": "🦔 café"},
        {"email": "zoë@example.com"},
        {"id": "a0b1", "name": "Home"},
    ]
    assert (rows[0]["page_path"], rows[0]["utm_source"], rows[0]["page_referrer"]) == ("/docs", "news", "https://g.example/")
    assert [entity["data"] for entity in rows[0]["context"]["contexts"]] == [{"plan": "pro", "name": "Zoë 🦔"}]
    assert rows[3]["time"] == rows[3]["original_time"] == THEN
    for row in rows:
        assert row["time"] == row["original_time"]  # the clocks here are right
        assert row["library"] == ("snowplow-node/4.8.0" if script == NODE else "snowplow-py/1.1.0")
        assert row["sent_at"] is None or row["sent_at"] >= row["original_time"]


@pytest.mark.parametrize("script", BOTH)
def test_a_body_that_is_too_large_is_kept_and_never_comes_again(collector: Collecting, script: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url, collector.key, "many")
    *over, fitting = sent["made"]
    assert sent["left"] == 0
    assert proxy.attempts("eid") == {event_id: [200] for event_id in sent["made"]}
    assert len(collector.stored([fitting])) == 1

    def kept() -> list[bytes]:  # a body has no id that could be waited for
        return [row["raw"] for row in collector.rows("rejected", []) if over[0].encode() in row["raw"]]

    eventually(lambda: bool(kept()), "the body is in the lake")
    assert [len(raw) for raw in kept()] == [2_000_000]


def ids_of(proxy: Proxy) -> list[str]:
    """The events that a page sent, by either method, in their order."""
    pixels = [parse_qs(urlsplit(exchange.path).query).get("eid", []) for exchange in proxy.seen if exchange.method == "GET"]
    posted = [exchange.values("eid") for exchange in proxy.posts()]
    return list(dict.fromkeys(event_id for ids in (*pixels, *posted) for event_id in ids))


@needs_browser
@pytest.mark.parametrize("query", [{}, {"method": "get"}], ids=["post", "get"])
def test_the_browsers_tracker(collector: Collecting, chromium: Chromium, query: dict[str, str]) -> None:
    with Proxy(collector.url) as proxy:
        where = {"url": proxy.url, "key": collector.key, "utm_source": "news"}
        sent = chromium.visit("snowplow.html", lambda sent: bool(sent["good"] == 5), **where, **query)
    rows = collector.stored(ids_of(proxy))
    assert sent["good"] == 5
    assert [(row["kind"], row["event"], row["user_id"]) for row in rows] == [
        ("page", "$page", None), ("track", "visited", None), ("identify", "$identify", "user-1"),
        ("track", "add", "user-1"), ("track", "order", "user-1"),
    ]  # fmt: skip
    assert [row["properties"] for row in rows[1:]] == [
        {"n": 1},
        {"email": "zoë@example.com"},
        {"category": "shop", "action": "add", "label": "Zoë 🦔", "value": 2.5},
        {"price": 19.99, "emoji": "🦔 café"},
    ]
    for row in rows:
        assert (row["anonymous_id"], row["session_id"]) == (sent["device"], sent["session"])
        assert (row["page_path"], row["utm_source"], row["browser"]) == ("/snowplow.html", "news", "Chrome")
        assert (row["library"], row["time"]) == ("snowplow-js/4.10.1", row["original_time"])
    assert set(map(tuple, proxy.attempts("eid").values())) <= {(200,)}


@needs_browser
def test_who_is_anonymous_by_choice_leaves_events_and_nothing_else(collector: Collecting, chromium: Chromium) -> None:
    with Proxy(collector.url) as proxy:
        where = {"url": proxy.url, "key": collector.key, "anonymous": "1"}
        chromium.visit("snowplow.html", lambda sent: bool(sent["good"] == 5), **where)
    rows = collector.stored(ids_of(proxy))
    assert [(row["user_id"], row["anonymous_id"]) for row in rows] == [(None, row["event_id"]) for row in rows]
    assert len(rows) == 5
    assert {row["session_id"] for row in rows} == {None}
