"""The real Mixpanel SDKs, pointed at a running collector: what they sent is what the lake holds, whatever happens."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.body import unwrapped
from tests.e2e import driver
from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import Chromium, needs_browser, needs_node
from tests.e2e.proxy import Exchange, Proxy
from tests.patience import eventually

THEN = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
PYTHON, NODE = "mixpanel_send.py", "mixpanel_send.mjs"

Row = dict[str, Any]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture
def user() -> str:
    """Of this test alone: updates of people and groups have no ids to find them by."""
    return f"user-{uuid.uuid4().hex[:8]}"


def send(script: str, url: str, key: str, pace: str, user: str) -> Any:
    return (driver.python if script.endswith(".py") else driver.node)(script, url, key, pace, user)


def of(collector: Collecting, user: str, ids: list[str]) -> dict[str, list[Row]]:
    """All that is there of a user by the events' names, once these ids are; each event there once."""
    collector.stored(ids)
    named: dict[str, list[Row]] = {}
    for row in collector.rows("events", ids):
        if row["user_id"] == user or row["account_id"] == user:
            named.setdefault(row["event"], []).append(row)
    return named


def sent_in(exchange: Exchange) -> list[Row]:
    content = unwrapped(exchange.body, 10_000_000)
    assert isinstance(content, bytes)
    read = json.loads(content.decode("utf-8", "surrogatepass"))
    return read if isinstance(read, list) else [read]


@pytest.mark.parametrize(
    ("script", "pace"),
    [
        pytest.param(PYTHON, "once", id="python"),
        pytest.param(PYTHON, "buffered", id="python-buffered"),
        pytest.param(NODE, "once", id="node", marks=needs_node),
    ],
)
def test_a_servers_sdk(collector: Collecting, user: str, script: str, pace: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(script, proxy.url, collector.key, pace, user)
    node = script == NODE
    signed_up, visited, ghost, imported, *others = sent["made"]
    assert sent["errors"] == []
    named = of(collector, user, [signed_up, imported, *others])
    assert {event: len(rows) for event, rows in named.items()} == {
        "Signed Up": 1, "$identify": 3, "$group": 1, "Imported": 1, "$alias": 1, **({"Bulk": 2} if node else {"Done": 1}),
    }  # fmt: skip
    assert collector.rejected([ghost]) == {ghost: "illegal_id"}
    (row,), (visit,) = named["Signed Up"], collector.stored([visited])
    assert (row["event_id"], row["kind"], row["time"], row["original_time"]) == (signed_up, "track", THEN, THEN)
    assert row["properties"].items() >= {"price": 19.99, "tags": ["a", "b"], "emoji": "🦔 café"}.items()
    assert row["library"] == ("node/0.24.0" if node else "python/5.4.1")
    assert (visit["anonymous_id"], visit["user_id"], visit["utm_source"], visit["page_path"]) == (
        "dev-1",
        None,
        "news",
        "/docs",
    )
    assert sorted([json.dumps(each["properties"]) for each in named["$identify"]]) == sorted(
        json.dumps(traits)
        for traits in (
            {"$email": "zoë@example.com", "$name": "Zoë 🦔"}, {"trial": None}, {"$add": {"logins": 1}}
        )
    )  # fmt: skip
    (group,), (alias,) = named["$group"], named["$alias"]
    assert (group["account_id"], group["anonymous_id"], group["properties"]) == (
        user,
        f"$company_{user}",
        {"name": "Acme GmbH"},
    )
    assert alias["previous_id"] == f"{user}-2"
    assert named["Imported"][0]["time"] == THEN.replace(microsecond=0)
    if pace == "once":  # none comes again
        assert len(proxy.posts()) == (1 if node else 10)


def test_a_body_that_is_too_large_is_refused_once_and_the_sdk_says_so(collector: Collecting, user: str) -> None:
    with Proxy(collector.url) as proxy:
        sent = send(PYTHON, proxy.url, collector.key, "many", user)
    assert [exchange.status for exchange in proxy.posts()] == [413]
    assert "too_large" in sent["errors"][0]


def all_sent(proxy: Proxy) -> bool:
    paths = {post.path.split("/")[1] for post in proxy.posts()}
    return paths >= {"track", "engage", "groups"} and len(wired_in(proxy)) >= 5


def wired_in(proxy: Proxy) -> list[Row]:
    """The events that came and were taken."""
    return [event for post in proxy.posts() if "/track" in post.path and post.status == 200 for event in sent_in(post)]


@needs_browser
@pytest.mark.parametrize("query", [{}, {"single": "1", "transport": "sendBeacon"}], ids=["xhr", "beacon"])
def test_the_browsers_sdk(collector: Collecting, chromium: Chromium, user: str, query: dict[str, str]) -> None:
    with Proxy(collector.url) as proxy:
        where = {"url": proxy.url, "key": collector.key, "user": user, "utm_source": "news"}
        device = chromium.visit("mixpanel.html", lambda _: all_sent(proxy), **where, **query)["device"]
    wired = wired_in(proxy)
    ids = {event["event"]: event["properties"]["$insert_id"] for event in wired}
    assert len(wired) == len(ids) == 5  # none came twice
    ghost = ids.pop("Ghost Seen")
    rows = dict(zip(ids, collector.stored(list(ids.values())), strict=True))
    assert collector.rejected([ghost]) == {ghost: "illegal_id"}
    assert {name: (row["kind"], row["user_id"], row["anonymous_id"]) for name, row in rows.items()} == {
        "$mp_web_page_view": ("page", None, device),
        "Visited": ("track", None, device),
        "$identify": ("identify", user, device),
        "Signed Up": ("track", user, device),
    }
    assert rows["Signed Up"]["properties"].items() >= {"plan": "pro", "price": 19.99, "emoji": "🦔 café"}.items()
    row = rows["Visited"]
    assert (row["page_path"], row["utm_source"], row["browser"], row["library"]) == (
        "/mixpanel.html",
        "news",
        "Chrome",
        "web/2.83.0",
    )
    for event in (event for event in wired if event["event"] in rows):
        stored = rows[event["event"]]
        assert stored["original_time"].timestamp() == pytest.approx(event["properties"]["time"], abs=0.001)
        assert stored["time"] == stored["original_time"]
    profile = {"$email": "zoë@example.com", "$name": "Zoë 🦔"}

    def updated() -> bool:  # these have no ids that could be waited for
        named = of(collector, user, [])
        traits = [{name: row["properties"].get(name) for name in profile} for row in named["$identify"]]
        return profile in traits and "$group" in named

    eventually(updated, "the person's traits and the group's are in the lake")
    named = of(collector, user, [])
    assert [(each["account_id"], each["properties"]) for each in named["$group"]] == [(user, {"name": "Acme GmbH"})]
    assert {exchange.status for exchange in proxy.posts()} == {200}
