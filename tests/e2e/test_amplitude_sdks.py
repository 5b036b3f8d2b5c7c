"""The real Amplitude SDKs, pointed at a running collector: what they sent is what the lake holds, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.e2e import driver
from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import needs_browser, needs_node
from tests.e2e.proxy import Fault, Proxy

THEN = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
PYTHON, NODE = "amplitude_send.py", "amplitude_send.mjs"
BOTH = [pytest.param(PYTHON, id="python"), pytest.param(NODE, id="node", marks=needs_node)]

Row = dict[str, Any]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


def send(script: str, url: str, key: str, pace: str, patience: int = 60) -> Any:
    if script == PYTHON:
        return driver.python(script, url, key, pace, str(patience))
    return driver.node(script, url, key, pace)


def summary(row: Row) -> tuple[str, ...]:
    return tuple(row[name] or "" for name in ("kind", "event", "user_id", "anonymous_id", "account_id"))


@pytest.mark.parametrize(
    ("script", "path", "faults"),
    [
        pytest.param(PYTHON, "/2/httpapi", [], id="python"),
        pytest.param(PYTHON, "/batch", ["full", "full"], id="python in a storm"),  # both give up what a cut connection held
        pytest.param(NODE, "/batch", [], id="node", marks=needs_node),
        pytest.param(NODE, "/2/httpapi", ["full", "full"], id="node in a storm", marks=needs_node),
    ],
)
def test_a_servers_sdk(collector: Collecting, script: str, path: str, faults: list[Fault]) -> None:
    with Proxy(collector.url, list(faults)) as proxy:
        sent = send(script, proxy.url + path, collector.key, "once")
    bad = sent["made"].pop(2)
    rows = collector.stored(sent["made"])
    assert collector.rejected([bad]) == {bad: "illegal_id"}
    assert set(sent["told"].values()) == {200} and len(sent["told"]) == 7
    answers = proxy.attempts("insert_id")
    assert {answer[-1] for answer in answers.values()} == {200}
    assert max(map(len, answers.values())) == 1 + len(faults)  # none comes again unless we failed it
    assert [summary(row) for row in rows] == [
        ("identify", "$identify", "user-1", "dev-1", ""),
        ("track", "Signed Up", "user-1", "dev-1", ""),
        ("track", "Visited", "", "dev-2", "acme"),
        ("track", "revenue_amount", "user-1", "", ""),
        ("group", "$group", "", "$company_acme", "acme"),
        ("group", "$group", "user-1", "", "acme"),
    ]
    assert [row["properties"] for row in rows] == [
        {"email": "zoë@example.com", "name": "Zoë 🦔", "trial": None, "$add": {"logins": 1}, "$setOnce": {"first": "a"}},
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
def test_a_wrong_key_is_refused_once(collector: Collecting, script: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url + "/2/httpapi", "jw_nobodys", "once", patience=2)
    assert set(map(tuple, proxy.attempts("insert_id").values())) == {(400,)}
    assert set(sent["told"].values()) == (set() if script == PYTHON else {400})


@pytest.mark.parametrize("script", BOTH)
def test_a_batch_that_is_too_large_comes_again_in_parts(collector: Collecting, script: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url + "/2/httpapi", collector.key, "large")
    assert set(sent["told"].values()) == {200}
    assert len(collector.stored(sent["made"])) == 90
    assert {exchange.status for exchange in proxy.posts()} == {413, 200}
    assert all(answer.count(200) == 1 for answer in proxy.attempts("insert_id").values())


@needs_node
def test_events_sent_while_the_collector_restarts_are_there_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool, Proxy("") as proxy:
        with collecting(tmp_path) as before:
            proxy.upstream = before.url
            url = proxy.url + "/2/httpapi"
            sending = [pool.submit(send, script, url, before.key, "slow") for script in (PYTHON, NODE)]
            deadline = monotonic() + 30
            while len([post for post in proxy.posts() if post.status == 200]) < 10 and monotonic() < deadline:
                sleep(0.02)
        with collecting(tmp_path) as after:
            proxy.upstream = after.url
            sent = [future.result() for future in sending]
            assert len(after.stored([event_id for each in sent for event_id in each["made"]])) == 80
    assert {code for each in sent for code in each["told"].values()} == {200}
    assert 502 in {status for answer in proxy.attempts("insert_id").values() for status in answer}  # while it was away


@needs_node
@needs_browser
@pytest.mark.parametrize(
    ("query", "faults"),
    [({}, []), ({"transport": "beacon"}, []), ({"wait": "3000"}, ["full", "lost"])],
    ids=["calm", "beacon", "storm"],
)
def test_the_browsers_sdk(collector: Collecting, tmp_path: Path, query: dict[str, str], faults: list[Fault]) -> None:
    with Proxy(collector.url, list(faults)) as proxy:
        where = {"url": f"{proxy.url}/2/httpapi", "key": collector.key, "utm_source": "news"}
        sent = driver.browser("amplitude.html", tmp_path / "profile", **where, **query)
    wired = {event["insert_id"]: event for post in proxy.posts() for event in json.loads(post.body)["events"]}
    assert set(wired) == {event["insert_id"] for event in sent["made"]}
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
    answers = proxy.attempts("insert_id")
    assert {answer[-1] for answer in answers.values()} == {200}
    assert max(map(len, answers.values())) == 1 + len(faults)
