"""The real PostHog SDKs, pointed at a running collector: what they sent is what the lake holds, whatever happens."""

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
from tests.patience import eventually

THEN = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
SCRIPTS = ("posthog_send.py", "posthog_send.mjs")
SERVERS = [
    pytest.param(script, mode, id=f"{script.rpartition('.')[2]}-{mode}", marks=[needs_node] if script == SCRIPTS[1] else [])
    for script in SCRIPTS
    for mode in ("v0", "v1")
]

Row = dict[str, Any]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


def send(script: str, url: str, key: str, pace: str, mode: str) -> Any:
    return (driver.python if script.endswith(".py") else driver.node)(script, url, key, pace, mode)


def summary(row: Row) -> tuple[str, ...]:
    return tuple(row[name] or "" for name in ("kind", "event", "user_id", "anonymous_id", "account_id", "previous_id"))


@pytest.mark.parametrize(("script", "mode"), SERVERS)
def test_a_servers_sdk(collector: Collecting, script: str, mode: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url, collector.key, "once", mode)
    good = [event_id for number, event_id in enumerate(sent["made"]) if number != 2]
    rows = collector.stored(good)
    assert collector.rejected([sent["made"][2]]) == {sent["made"][2]: "illegal_id"}
    assert len(sent["errors"]) == (1 if mode == "v1" else 0)  # v1's answer names the bad one, and the SDK says so
    answers = proxy.attempts("uuid")
    assert answers.keys() == set(sent["made"])
    assert set(map(tuple, answers.values())) == {(200,)}
    assert {exchange.path for exchange in proxy.posts()} == {"/batch/" if mode == "v0" else "/i/v1/analytics/events"}
    assert [summary(row) for row in rows] == [
        ("identify", "$identify", "user-1", "anon-1", "", ""),
        ("track", "Signed Up", "user-1", "", "", ""),
        ("track", "Project Created", "42", "", "acme", ""),
        ("track", "Visited", "", "anon-2", "", ""),
        ("identify", "$identify", "user-1", "", "", ""),
        ("group", "$group", "user-1", "", "acme", ""),
        ("page", "$page", "user-1", "", "", ""),
        ("screen", "Home", "user-1", "", "", ""),
        ("alias", "$alias", "user-1", "", "", "user-0"),
    ]
    signed_up = {"plan": "pro", "price": 19.99, "tags": ["a", None], "emoji": "🦔 café"}
    assert {name: rows[1]["properties"][name] for name in signed_up} == signed_up
    assert [rows[number]["properties"] for number in (0, 4, 5)] == [
        {"email": "zoë@example.com"},
        {"name": "Zoë 🦔"},
        {"name": "Acme GmbH"},
    ]
    assert rows[0]["original_time"] == rows[0]["time"] == rows[1]["time"] == THEN
    assert all(abs((row["received_at"] - row["sent_at"]).total_seconds()) < 60 for row in rows)
    assert all(row["time"] == row["original_time"] for row in rows)  # the clocks here are right
    assert [row["actor_id"] for row in rows[2:4]] == [actor_id("user", "42"), actor_id("anonymous", "anon-2")]
    library = "posthog-python" if script.endswith(".py") else "posthog-node"
    assert {row["library"].partition("/")[0] for row in rows} == {library}
    assert (rows[6]["page_url"], rows[6]["utm_source"]) == ("https://a.example/docs?utm_source=news", "news")
    assert rows[7]["session_id"] == "s-1"


@needs_node
def test_a_batch_that_is_too_large_is_sent_in_halves_and_nothing_of_it_is_lost(collector: Collecting) -> None:
    with Proxy(collector.url) as proxy:
        sent = send("posthog_send.mjs", proxy.url, collector.key, "many", "v0")
    assert [post.status for post in proxy.posts()] == [413, 200, 200]
    assert collector.rejected(sent["made"]) == dict.fromkeys(sent["made"], "too_large")  # each is over an event's limit
    assert len(sent["made"]) == 20


@needs_browser
def test_the_browsers_sdk(collector: Collecting, chromium: Chromium) -> None:
    with Proxy(collector.url) as proxy:
        query = {"url": proxy.url, "key": collector.key, "utm_source": "news", "utm_campaign": "spring"}
        page = chromium.open("posthog.html", **query)
        sent = page.told()
        eventually(lambda: answered(proxy, sent["made"]), "its queue is empty")
        eventually(lambda: "/flags/" in paths(proxy), "it asks for its flags")
        made, anonymous = page.run("window.left()"), sent["anonymous"]
        eventually(lambda: answered(proxy, made), "the beacon arrives")
        assert page.close() == []
    rows = collector.stored([event["uuid"] for event in made])
    assert [summary(row) for row in rows] == [
        ("page", "$page", "", anonymous, "", ""),
        ("track", "Signed Up", "", anonymous, "", ""),
        ("identify", "$identify", "user-1", anonymous, "", ""),
        ("group", "$group", "user-1", "", "acme", ""),
        ("track", "Project Created", "user-1", "", "acme", ""),
        ("alias", "$alias", "user-1", "", "acme", "user-0"),
        ("track", "Left", "user-1", "", "acme", ""),
    ]
    assert (rows[2]["properties"]["email"], rows[2]["properties"]["$set_once"]["first"]) == ("zoë@example.com", "x")
    assert rows[3]["properties"] == {"name": "Acme GmbH"}
    for number in (0, 1, 4, 5, 6):
        assert rows[number]["properties"].items() >= made[number]["properties"].items()
    for row, event in zip(rows, made, strict=True):
        assert row["time"] == row["original_time"] == datetime.fromisoformat(event["timestamp"])
        assert (row["session_id"], row["library"]) == (sent["session"], "web/1.449.2")
        assert (row["page_path"], row["page_referrer"]) == ("/posthog.html", None)
        assert (row["utm_source"], row["utm_campaign"]) == ("news", "spring")
        assert (row["device"], row["os"], row["browser"], row["bot"]) == ("desktop", "Linux", "Chrome", False)
    answers = [proxy.attempts("uuid")[event["uuid"]] for event in made]
    assert answers == [[200]] * len(made)
    assert paths(proxy) == {"/flags/", "/e/", "/i/v0/e/"}


def answered(proxy: Proxy, made: list[dict[str, Any]]) -> bool:
    return {event["uuid"] for event in made} <= proxy.attempts("uuid").keys()


def paths(proxy: Proxy) -> set[str]:
    return {exchange.path.partition("?")[0] for exchange in proxy.posts()}
