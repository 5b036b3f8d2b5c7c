"""Real requests of real SDKs, replayed: every id that was sent comes out, once and in order."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ingest.protocols import decode
from tests.ingest.asgi import KEYS, Door

CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"
FILES = (
    "segment-node.jsonl",
    "segment-browser.jsonl",
    "rudder-node.jsonl",
    "amplitude-node.jsonl",
    "snowplow-node.jsonl",
    "mixpanel-node.jsonl",
    "posthog-js.jsonl",
)

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="shared/captures does not stand beside this clone")


def requests(name: str) -> list[tuple[dict[str, Any], list[str | None] | None]]:
    expected = json.loads((CAPTURES / "EXPECTED.json").read_text())[name]["rows"]
    captured = [json.loads(line) for line in (CAPTURES / name).read_text().splitlines()]
    return [(request, row["ids"]) for request, row in zip(captured, expected, strict=True)]


def named(ids: list[str | None]) -> list[str]:
    """What an event without an id is called by a flush that mints its place."""
    return [str(place) if event_id is None else event_id for place, event_id in enumerate(ids)]


@pytest.mark.parametrize("name", FILES)
def test_every_event_of_a_captured_request_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("WRITEKEY_TEST", "AMP_API_KEY", "shop-ü", "MP_TOKEN", "phc_TESTTOKEN"):
        monkeypatch.setitem(KEYS, key, KEYS["jw_web"])
    door = Door()
    for request, ids in requests(name):
        before = len(door.log.records)
        headers = {key: value for key, value in request["headers"] if key.lower() != "host"}
        body = base64.b64decode(request["body_base64"])
        reply = door.send(request["method"], request["path"], body, headers, request["query"])
        assert reply.status == 200, request["path"]
        results = [decode(record, str) for record in door.log.records[before:]]
        assert [call.event_id for calls, _ in results for call in calls] == named(ids or [])
        assert [reject for _, rejects in results for reject in rejects] == []
    assert len(door.log.records) == sum(ids is not None for _, ids in requests(name))


def test_a_captured_browser_event_is_read_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEYS, "WRITEKEY_TEST", KEYS["jw_web"])
    door = Door()
    request = next(request for request, ids in requests("segment-browser.jsonl") if ids and request["path"] == "/v1/p")
    door.post("/v1/p", base64.b64decode(request["body_base64"]), key="WRITEKEY_TEST")
    (call,), _ = decode(door.log.records[0], str)
    sent = request["decoded"]
    assert (call.kind, call.event, call.anonymous_id, call.user_id) == ("page", sent["name"], sent["anonymousId"], None)
    assert (call.page_path, call.utm_source, call.utm_campaign) == ("/docs", "newsletter", "spring")
    assert (call.library, call.device, call.os, call.browser) == ("analytics.js/next-1.84.3", "desktop", "Linux", "Chrome")
    assert json.loads(call.properties) == sent["properties"]
    assert json.loads(call.context) == sent["context"]


def test_a_captured_posthog_session_is_one_person_from_visitor_to_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEYS, "phc_TESTTOKEN", KEYS["jw_web"])
    door = Door()
    for request, ids in requests("posthog-js.jsonl")[1:5]:
        if ids:
            door.send("POST", request["path"], base64.b64decode(request["body_base64"]))
    calls = [call for record in door.log.records for call in decode(record, str)[0]]
    device = "01a2008c-bc9e-7dd2-af32-c8e94f045966"
    assert [(call.kind, call.event, call.user_id, call.anonymous_id, call.account_id) for call in calls] == [
        ("page", "$page", "user-1", None, "acme"),
        ("identify", "$identify", "user-1", device, None),
        ("track", "order completed", None, device, None),
        ("group", "$group", "user-1", None, "acme"),
        ("track", "after identify", "user-1", None, "acme"),
        ("alias", "$alias", "user-1", None, "acme"),
    ]
    page, identify, track, group, _, alias = calls
    url = "http://127.0.0.1:18500/docs?utm_source=newsletter&utm_campaign=spring"
    assert (page.page_url, page.page_path, page.page_referrer) == (url, "/docs", None)
    assert (page.utm_source, page.utm_campaign, page.utm_medium) == ("newsletter", "spring", None)
    assert (page.device, page.os, page.browser, page.library) == ("desktop", "Linux", "Chrome", "web/1.449.2")
    assert page.session_id == "01a2008c-bcc1-7341-acc3-0642cfd8273a"
    traits = json.loads(identify.properties)
    assert (traits["email"], traits["$set_once"]["first"]) == ("zoë@example.com", "x")
    assert json.loads(track.properties)["emoji"] == "🦔 café" and json.loads(track.properties)["revenue"] == 59.97
    assert json.loads(group.properties) == {"name": "Acme GmbH"}
    assert alias.previous_id == "alias-1"
    assert track.original_time == 1_795_305_553_066_000
