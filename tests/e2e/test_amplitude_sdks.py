"""The real Amplitude SDKs, pointed at a running collector: what they sent is what the lake holds, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e import driver
from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import Chromium, needs_browser, needs_node
from tests.e2e.proxy import Proxy
from tests.patience import PATIENCE

THEN = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
PYTHON, NODE = "amplitude_send.py", "amplitude_send.mjs"
BOTH = [pytest.param(PYTHON, id="python"), pytest.param(NODE, id="node", marks=needs_node)]

Row = dict[str, Any]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


def send(script: str, url: str, key: str, pace: str) -> Any:
    if script == PYTHON:
        return driver.python(script, url, key, pace, f"{PATIENCE:.0f}")
    return driver.node(script, url, key, pace)


def summary(row: Row) -> tuple[str, ...]:
    return tuple(row[name] or "" for name in ("kind", "event", "user_id", "anonymous_id", "account_id"))


@pytest.mark.parametrize(
    ("script", "path"),
    [pytest.param(PYTHON, "/2/httpapi", id="python"), pytest.param(NODE, "/batch", id="node", marks=needs_node)],
)
def test_a_servers_sdk(collector: Collecting, script: str, path: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url + path, collector.key, "once")
    bad = sent["made"].pop(2)
    rows = collector.stored(sent["made"])
    assert collector.rejected([bad]) == {bad: "illegal_id"}
    assert set(sent["told"].values()) == {200} and len(sent["told"]) == 7
    assert set(map(tuple, proxy.attempts("insert_id").values())) == {(200,)}
    assert [summary(row) for row in rows] == [
        ("identify", "$identify", "user-1", "dev-1", ""),
        ("track", "Signed Up", "user-1", "dev-1", ""),
        ("track", "Visited", "", "dev-2", "acme"),
        ("track", "revenue_amount", "user-1", "", ""),
        ("group", "$group", "", "$company_acme", "acme"),
        ("group", "$group", "user-1", "", "acme"),
    ]
    assert [row["properties"] for row in rows] == [
        {"email": "zoë@example.com", "name": "Zoë 🦔", "trial": None, "$add": {"logins": 1}, "$set_once": {"first": "a"}},
        {"plan": "pro", "price": 19.99, "tags": ["a", "b"], "emoji": "🦔 café"},
        {"n": 2},
        {"$price": 3.99, "$productId": "p", "$quantity": 3},
        {"name": "Acme GmbH"},
        {},
    ]
    assert rows[0]["original_time"] == rows[0]["time"] == THEN
    assert all(row["time"] == row["original_time"] for row in rows)  # the clocks here are right
    assert all(abs((row["received_at"] - row["time"]).total_seconds()) < 60 for row in rows[1:])
    assert rows[1]["session_id"] == "1743298200000"
    assert {row["library"] for row in rows} == {"amplitude-python/1.3.0" if script == PYTHON else "amplitude-node-ts/1.5.73"}


@pytest.mark.parametrize("script", BOTH)
def test_a_batch_that_is_too_large_comes_again_in_parts(collector: Collecting, script: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url + "/2/httpapi", collector.key, "many")
    assert set(sent["told"].values()) == {200}
    assert len(collector.stored(sent["made"])) == 90
    assert {exchange.status for exchange in proxy.posts()} == {413, 200}
    assert all(answer.count(200) == 1 for answer in proxy.attempts("insert_id").values())


def ids(sent: dict[str, list[Row]]) -> set[str]:
    return {event["insert_id"] for event in sent["made"]}


@needs_browser
@pytest.mark.parametrize("query", [{}, {"transport": "beacon"}], ids=["fetch", "beacon"])
def test_the_browsers_sdk(collector: Collecting, chromium: Chromium, query: dict[str, str]) -> None:
    with Proxy(collector.url) as proxy:
        where = {"url": f"{proxy.url}/2/httpapi", "key": collector.key, "utm_source": "news"}
        sent = chromium.visit(
            "amplitude.html", lambda sent: ids(sent) <= proxy.attempts("insert_id").keys(), **where, **query
        )
    wired = {event["insert_id"]: event for post in proxy.posts() for event in json.loads(post.body)["events"]}
    assert set(wired) == ids(sent)
    made = {event_id: event for event_id, event in wired.items() if event.get("user_id") != "undefined"}
    rows = collector.stored(list(made))
    device = sent["device"]
    assert sent["told"] == [200] * 6
    assert len(made) == len(sent["made"]) - 1 == len(rows)
    named = {row["event"]: row for row in rows}
    assert set(named) == {
        "$identify", "$group", "session_start", "[Amplitude] Page Viewed", "Visited", "Signed Up", "revenue_amount",
    }  # fmt: skip
    assert {(row["anonymous_id"], row["session_id"]) for row in rows} == {(device, str(sent["session"]))}
    assert (named["Signed Up"]["user_id"], named["$group"]["account_id"]) == ("user-1", "acme")
    assert named["Signed Up"]["properties"].items() >= {"plan": "pro", "price": 19.99, "emoji": "🦔 café"}.items()
    traits = [row["properties"] for row in rows if row["event"] == "$identify"]
    assert {"email": "zoë@example.com", "name": "Zoë 🦔"} in traits
    page = named["[Amplitude] Page Viewed"]
    assert (page["page_path"], page["utm_source"], page["browser"], page["library"]) == (
        "/amplitude.html", "news", "Chrome", "amplitude-ts/2.47.1",
    )  # fmt: skip
    for row in rows:
        assert row["original_time"].timestamp() * 1000 == pytest.approx(made[row["event_id"]]["time"], abs=0.01)
        assert row["time"] == row["original_time"]
        if row["kind"] == "track":
            assert row["properties"] == made[row["event_id"]].get("event_properties", {})
    assert set(map(tuple, proxy.attempts("insert_id").values())) == {(200,)}
