"""Real SDKs of every family whose source is switched off: each says or sends an event once, and lets it be."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.processes import jcurve
from tests.e2e import driver
from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import needs_browser, needs_node
from tests.e2e.proxy import Proxy

SENDERS = {  # script -> path behind the host, what it is told beside host and key, the answer
    "send.py": ("", ("plain",), 401),
    "send.mjs": ("", (), 401),
    "rudder_send.py": ("", ("once",), 404),
    "rudder_send.mjs": ("", ("once",), 404),
    "amplitude_send.py": ("/2/httpapi", ("once", "2"), 400),
    "amplitude_send.mjs": ("/2/httpapi", ("once",), 400),
    "posthog_send.py": ("", ("once", "v0"), 401),
    "posthog_send.mjs": ("", ("once", "v0"), 401),
    "mixpanel_send.py": ("", ("once", "user"), 401),
    "snowplow_send.py": ("", ("once", "1"), 401),
    "snowplow_send.mjs": ("", ("once", "1"), 401),
}
IDS = ("messageId", "insert_id", "uuid", "eid")


@pytest.fixture(scope="module")
def off(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    """A collector whose one source was switched off while it ran."""
    with collecting(tmp_path_factory.mktemp("data")) as running:
        event = {"event": "Before", "userId": "u1"}
        assert httpx.post(f"{running.url}/v1/track", json=event, auth=(running.key, "")).status_code == 200
        jcurve("sources", "set", "default", "--off", data=running.data)
        deadline = time.monotonic() + 30
        while httpx.post(f"{running.url}/v1/track", json=event, auth=(running.key, "")).status_code != 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield running


@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=needs_node if name.endswith(".mjs") else ()) for name in SENDERS]
)
def test_nothing_is_sent_twice(off: Collecting, script: str) -> None:
    path, told, status = SENDERS[script]
    with Proxy(off.url) as proxy:
        (driver.python if script.endswith(".py") else driver.node)(script, proxy.url + path, off.key, *told)
    events = [exchange for exchange in proxy.posts() if "flags" not in exchange.path]
    assert events and {exchange.status for exchange in events} == {status}
    assert max(Counter(exchange.body for exchange in events).values()) == 1
    ids = Counter(one for exchange in events for name in IDS for one in _ids(exchange.body, name))
    assert set(ids.values()) <= {1}


@needs_browser
@needs_node
def test_rudderstacks_sdk_for_browsers_does_not_even_begin(off: Collecting, tmp_path: Path) -> None:
    with Proxy(off.url) as proxy:
        driver.browser("rudder.html", tmp_path / "profile", url=proxy.url, key=off.key, wait="1500")
    assert any("/sourceConfig" in exchange.path and exchange.status == 200 for exchange in proxy.seen)
    assert proxy.posts() == []


def _ids(body: bytes, name: str) -> list[str]:
    """Values of a field in a list of events."""
    content = json.loads(body) if body[:1] in (b"{", b"[") else []
    events = content if isinstance(content, list) else content.get("batch") or content.get("events") or content.get("data")
    return [event[name] for event in events or [content] if isinstance(event, dict) and name in event]
