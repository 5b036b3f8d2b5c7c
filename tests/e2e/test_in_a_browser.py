"""What SDKs do in a browser alone: they are left in mid-sentence and come back, compress in their own ways, ask for settings
and flags, set cookies, listen to clicks; and a page's console holds no complaint of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import Chromium, Page, needs_browser
from tests.e2e.proxy import Proxy
from tests.e2e.test_every_sdk import numbers, until

pytestmark = needs_browser


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


def opened(chromium: Chromium, page: str, proxy: Proxy, key: str, options: dict[str, Any], **query: str) -> Page:
    path = "/2/httpapi" if page == "amplitude.html" else ""
    return chromium.open(
        page, url=proxy.url + path, key=key, pace="idle", options=json.dumps(options).replace("HERE", proxy.url), **query
    )


def tick(page: Page, *wanted: int) -> None:
    page.run(f"{list(wanted)}.forEach((n) => window.tick(n, 'user-1', ''))")


def taken(proxy: Proxy, *wanted: int) -> bool:
    answers = proxy.ticks()
    return all(200 in answers.get(number, ()) for number in wanted)


LEAVING = [  # the last: whether it keeps what it has not sent in memory alone, and sends that when its page is left
    pytest.param("posthog.html", {"request_queue_config": {"flush_interval_ms": 5_000}}, {}, True, id="posthog"),
    pytest.param("amplitude.html", {"flushIntervalMillis": 1_000}, {}, False, id="amplitude"),
    pytest.param("mixpanel.html", {"batch_flush_interval_ms": 60_000}, {}, False, id="mixpanel"),
    pytest.param(
        "rudder.html", {"beaconQueueOptions": {"flushQueueInterval": 60_000}}, {"beacon": "1"}, False, id="rudder beacon"
    ),
    pytest.param("rudder.html", {}, {}, False, id="rudder"),
    pytest.param("segment.html", {}, {"batching": "1"}, True, id="segment batching"),
    pytest.param("segment.html", {}, {}, False, id="segment"),
    pytest.param("snowplow.html", {}, {}, False, id="snowplow"),
]


def written_down(page: Page) -> list[int]:
    """The numbers of the events that its SDK has put where they outlive the page."""
    script = r"""[...Object.values(localStorage).join().matchAll(/"n\\*":(\d+)/g)].map((found) => Number(found[1]))"""
    return list(page.run(script))


@pytest.mark.parametrize(("page", "options", "query", "in_memory"), LEAVING)
def test_what_was_done_last_before_a_page_is_left_is_there_once_at_the_latest_when_its_visitor_comes_back(
    collector: Collecting, chromium: Chromium, page: str, options: dict[str, Any], query: dict[str, str], in_memory: bool
) -> None:
    """Before it was sent or written down it is in the page's memory alone, and lost with it."""
    with Proxy(collector.url) as proxy:
        visit = opened(chromium, page, proxy, collector.key, options, **query)
        visit.told()
        tick(visit, 0, 1)
        if in_memory:
            visit.run("Promise.all(window.ticked ?? [])")
        else:
            assert until(lambda: {0, 1} <= {*written_down(visit), *proxy.ticks()})
        visit.leave()
        visit.come_back()
        visit.told()
        tick(visit, 2)
        assert until(lambda: taken(proxy, 0, 1)), proxy.ticks()
        visit.close()
    ids = proxy.ids()
    assert numbers(collector, ids) == list(ids)  # once, though mixpanel-browser and others send some again


@pytest.mark.parametrize(
    ("options", "without", "sent_as"),
    [
        pytest.param({}, "", "gzip", id="compressed by the browser"),
        pytest.param({}, "CompressionStream", "gzip", id="compressed by itself"),
        pytest.param({"disable_compression": True}, "", "json", id="not compressed"),
        pytest.param({"api_transport": "XHR"}, "fetch", "gzip", id="by XHR"),
    ],
)
def test_posthogs_ways_of_writing_a_body_come_to_the_same(
    collector: Collecting, chromium: Chromium, options: dict[str, Any], without: str, sent_as: str
) -> None:
    with Proxy(collector.url) as proxy:
        page = opened(chromium, "posthog.html", proxy, collector.key, options, without=without)
        page.told()
        tick(page, 0, 1)
        assert until(lambda: taken(proxy, 0, 1))
        tick(page, 2)
        page.leave()  # this one goes by beacon
        assert until(lambda: taken(proxy, 2))
        assert page.close() == []
    events = [exchange for exchange in proxy.seen if exchange.ticks]
    assert all(answer == [200] for answer in proxy.ticks().values())
    assert {exchange.packed for exchange in events[:1]} == {sent_as == "gzip"}
    ids = proxy.ids()
    assert numbers(collector, ids) == [0, 1, 2]


def named(collector: Collecting, event: str) -> list[dict[str, Any]]:
    return [row for row in collector.rows("events", []) if row["event"] == event]


ALL_ON: list[tuple[str, dict[str, Any], str]] = [  # and what its user's click becomes
    ("posthog.html", {"autocapture": True, "capture_pageview": True, "capture_pageleave": True}, "$autocapture"),
    ("mixpanel.html", {"autocapture": True, "flags": True, "remote_settings_mode": "strict"}, "$mp_click"),
    (
        "amplitude.html",
        {
            "autocapture": {"elementInteractions": True},
            "remoteConfig": {"fetchRemoteConfig": True, "serverUrl": "HERE/config"},
        },
        "[Amplitude] Element Clicked",
    ),
]


def click_until(page: Page, heard: Callable[[], bool]) -> int:
    """How many clicks it took: an SDK may not listen yet when the first comes, and tells nobody when it does."""
    for clicks in range(1, 60):
        page.run("document.getElementById('buy').click()")
        if until(heard, 5.0):
            return clicks
    raise AssertionError("nobody listens to clicks")


@pytest.mark.parametrize(("page", "options", "event"), ALL_ON, ids=["posthog", "mixpanel", "amplitude"])
def test_what_an_sdk_hears_of_by_itself_is_there_and_nothing_is_missing_to_it(
    collector: Collecting, chromium: Chromium, page: str, options: dict[str, Any], event: str
) -> None:
    with Proxy(collector.url) as proxy:
        visit = opened(chromium, page, proxy, collector.key, options)
        visit.told()
        visit.run("document.body.append(Object.assign(document.createElement('button'), {id: 'buy', textContent: 'Buy'}))")
        clicks = click_until(visit, lambda: bool(named(collector, event)))
        assert visit.close() == []
    found = named(collector, event)
    assert {row["page_path"] for row in found} == {f"/{page}"}
    assert 1 <= len(found) <= clicks
    assert all(exchange.status == 200 for exchange in proxy.seen)


def test_snowplows_visitor_has_a_cookie_of_the_collector_and_is_known_by_it_on_the_next_page(
    collector: Collecting, chromium: Chromium
) -> None:
    with Proxy(collector.url) as proxy:
        page = opened(chromium, "snowplow.html", proxy, collector.key, {"anonymousTracking": True})
        page.told()
        tick(page, 0)
        assert until(lambda: page.run("told.good") == 1)  # with the answer came the cookie
        page.come_back()
        page.told()
        tick(page, 1)
        assert until(lambda: taken(proxy, 1))
        assert page.close() == []
    first, second = [exchange for exchange in proxy.seen if exchange.ticks]
    assert "sp=" not in first.headers.get("Cookie", "")
    visitor = second.headers["Cookie"].partition("sp=")[2].partition(";")[0]
    ids = proxy.ids()
    assert {row["anonymous_id"] for row in collector.stored([ids[0], ids[1]])} == {visitor}


def test_snowplows_device_and_session_go_on_over_pages(collector: Collecting, chromium: Chromium) -> None:
    with Proxy(collector.url) as proxy:
        page = opened(chromium, "snowplow.html", proxy, collector.key, {})
        for number in (0, 1):
            page.told()
            tick(page, number)
            assert until(lambda: page.run("told.good") == 1)  # or it would send it again
            page.come_back()
        assert page.close() == []
    rows = collector.stored(list(proxy.ids().values()))
    assert len({(row["anonymous_id"], row["session_id"]) for row in rows}) == 1
    assert rows[0]["session_id"] is not None


def test_rudders_pixel_is_a_picture_to_the_browser_and_an_event_to_us(collector: Collecting, chromium: Chromium) -> None:
    with Proxy(collector.url) as proxy:
        page = opened(chromium, "rudder.html", proxy, collector.key, {})
        page.told()
        query = f"writeKey={collector.key}&anonymousId=reader-1&event=Mail+Opened&messageId=pixel-1"
        address = f"{proxy.url}/pixel/v1/track?{query}"
        page.run(f"void (window.picture = new Image()).setAttribute('src', '{address}')")
        assert page.run("picture.decode().then(() => picture.width)") == 1
        assert page.close() == []
    (row,) = collector.stored(["pixel-1"])
    assert (row["event"], row["anonymous_id"], row["browser"]) == ("Mail Opened", "reader-1", "Chrome")
