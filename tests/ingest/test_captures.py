"""Real requests of real SDKs, replayed: every id that was sent comes out, once and in order."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ingest.protocols import decode
from tests.ingest.asgi import KEYS, Door

CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"
FILES = ("segment-node.jsonl", "segment-browser.jsonl", "rudder-node.jsonl", "amplitude-node.jsonl")

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="shared/captures does not stand beside this clone")


def requests(name: str) -> list[tuple[dict[str, Any], list[str] | None]]:
    expected = json.loads((CAPTURES / "EXPECTED.json").read_text())[name]["rows"]
    captured = [json.loads(line) for line in (CAPTURES / name).read_text().splitlines()]
    return [(request, row["ids"]) for request, row in zip(captured, expected, strict=True)]


@pytest.mark.parametrize("name", FILES)
def test_every_event_of_a_captured_request_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("WRITEKEY_TEST", "AMP_API_KEY"):
        monkeypatch.setitem(KEYS, key, KEYS["jw_web"])
    door = Door()
    for request, ids in requests(name):
        before = len(door.log.records)
        headers = {key: value for key, value in request["headers"] if key.lower() != "host"}
        body = base64.b64decode(request["body_base64"])
        reply = door.send(request["method"], request["path"], body, headers, request["query"])
        assert reply.status == 200, request["path"]
        results = [decode(record, str) for record in door.log.records[before:]]
        assert [call.event_id for calls, _ in results for call in calls] == (ids or [])
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
