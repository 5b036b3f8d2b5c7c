"""The real PostHog SDKs, pointed at a running collector: what they sent is what the lake holds, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from ingest.actor import actor_id
from tests.e2e import driver
from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import needs_browser, needs_node
from tests.e2e.proxy import Fault, Proxy

THEN = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
STORM: list[Fault] = ["full", "lost"]  # each of the first two POSTs goes wrong
SCRIPTS = ("posthog_send.py", "posthog_send.mjs")
SERVERS = [
    pytest.param(script, mode, id=f"{script.rpartition('.')[2]}-{mode}", marks=[needs_node] if script == SCRIPTS[1] else [])
    for script in SCRIPTS
    for mode in ("v0", "v1")
]

Row = dict[str, Any]
Run = tuple[Any, Proxy]  # what the SDK says that it sent, and what passed by
Runs = dict[tuple[str, str, str], Future[Run]]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def runs(collector: Collecting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Of each SDK in each mode and weather, at the same time: nearly all of it is their waiting to try again."""
    has_node = driver.NODE is not None and (driver.SDKS / "node_modules").is_dir()
    senders = [(script, mode) for script in SCRIPTS[: 2 if has_node else 1] for mode in ("v0", "v1")]
    pages = [("posthog.html", "v0")] if has_node and driver.CHROMIUM else []
    cases = [(*each, weather) for weather in ("storm", "calm", "wrong key") for each in (*pages, *senders)]
    profiles = tmp_path_factory.mktemp("profiles")
    with ThreadPoolExecutor(4) as pool:
        yield {case: pool.submit(run, collector, profiles / str(n), *case) for n, case in enumerate(cases)}


def run(collector: Collecting, profile: Path, script: str, mode: str, weather: str) -> Run:
    with Proxy(collector.url, list(STORM) if weather == "storm" else []) as proxy:
        key = "jw_nobodys" if weather == "wrong key" else collector.key
        if not script.endswith(".html"):
            return send(script, proxy.url, key, "once", mode), proxy
        query = {"url": proxy.url, "key": key, "utm_source": "news", "utm_campaign": "spring"}
        return driver.browser(script, profile, **query, wait="5000" if weather == "storm" else "1200"), proxy


def send(script: str, url: str, key: str, pace: str, mode: str) -> Any:
    return (driver.python if script.endswith(".py") else driver.node)(script, url, key, pace, mode)


def summary(row: Row) -> tuple[str, ...]:
    return tuple(row[name] or "" for name in ("kind", "event", "user_id", "anonymous_id", "account_id", "previous_id"))


@needs_node
def test_events_sent_while_the_collector_restarts_are_there_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool, Proxy("") as proxy:
        with collecting(tmp_path) as before:
            proxy.upstream = before.url
            sending = [
                pool.submit(send, script, proxy.url, before.key, "slow", mode) for script in SCRIPTS for mode in ("v0", "v1")
            ]
            deadline = monotonic() + 30
            while len([post for post in proxy.posts() if post.status == 200]) < 6 and monotonic() < deadline:
                sleep(0.02)
        with collecting(tmp_path) as after:
            proxy.upstream = after.url
            sent = [future.result() for future in sending]
            ids = [event_id for each in sent for event_id in each["made"]]
            assert len(after.stored(ids)) == 80
    answers = proxy.attempts("uuid")
    assert {answer[-1] for answer in answers.values()} == {200}
    assert 502 in {status for answer in answers.values() for status in answer}  # some came while it was away


@pytest.mark.parametrize("weather", ["calm", "storm"])
@pytest.mark.parametrize(("script", "mode"), SERVERS)
def test_a_servers_sdk(collector: Collecting, runs: Runs, script: str, mode: str, weather: str) -> None:
    sent, proxy = runs[script, mode, weather].result()
    good = [event_id for number, event_id in enumerate(sent["made"]) if number != 2]
    rows = collector.stored(good)
    assert collector.rejected([sent["made"][2]]) == {sent["made"][2]: "illegal_id"}
    assert len(sent["errors"]) == (1 if mode == "v1" else 0)  # v1's answer names the bad one, and the SDK says so
    answers = proxy.attempts("uuid")
    assert answers.keys() == set(sent["made"])
    assert set(map(tuple, answers.values())) == {
        (503, 0, 200) if weather == "storm" else (200,)
    }  # none again unless we failed it
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


@pytest.mark.parametrize(("script", "mode"), SERVERS)
def test_a_wrong_key_is_refused_once_and_the_sdk_says_so(runs: Runs, script: str, mode: str) -> None:
    sent, proxy = runs[script, mode, "wrong key"].result()
    assert set(map(tuple, proxy.attempts("uuid").values())) == {(401,)}
    assert sent["errors"]


@needs_node
def test_a_batch_that_is_too_large_is_sent_in_halves_and_nothing_of_it_is_lost(collector: Collecting) -> None:
    with Proxy(collector.url) as proxy:
        sent = send("posthog_send.mjs", proxy.url, collector.key, "large", "v0")
    assert [post.status for post in proxy.posts()] == [413, 200, 200]
    assert collector.rejected(sent["made"]) == dict.fromkeys(sent["made"], "too_large")  # each is over an event's limit
    assert len(sent["made"]) == 30


@needs_node
@needs_browser
@pytest.mark.parametrize("weather", ["calm", "storm"])
def test_the_browsers_sdk(collector: Collecting, runs: Runs, weather: str) -> None:
    sent, proxy = runs["posthog.html", "v0", weather].result()
    made, anonymous = sent["made"], sent["anonymous"]
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
    assert rows[2]["properties"].items() >= {"email": "zoë@example.com", "first": "x"}.items()
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
    assert {answer[-1] for answer in answers} == {200}
    assert all(len(answer) == 1 or answer[0] in (503, 0) for answer in answers)  # none again unless we failed it
    assert any(len(answer) > 1 for answer in answers) == (weather == "storm")
    assert {exchange.path.partition("?")[0] for exchange in proxy.posts()} == {"/flags/", "/e/", "/i/v0/e/"}


@needs_node
@needs_browser
def test_a_browser_with_a_wrong_key_is_refused_and_does_not_insist(runs: Runs) -> None:
    _, proxy = runs["posthog.html", "v0", "wrong key"].result()
    assert set(map(tuple, proxy.attempts("uuid").values())) == {(401,)}
