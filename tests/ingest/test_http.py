"""The door: paths, keys, statuses, cross-origin rules, limits."""

import gzip
from typing import Any

import msgspec
import pytest

from ingest.errors import LogFull
from ingest.protocols import decode
from tests.ingest.asgi import Door, Message, basic, exchange

TRACK = {"userId": "u1", "event": "Signed Up", "messageId": "m1"}
BATCH = {"batch": [{"type": "track", **TRACK}]}


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/v1/track", "/v1/track"),
        ("/v1/track/", "/v1/track"),
        ("//v1//track", "/v1/track"),
        ("/v1/identify", "/v1/identify"),
        ("/v1/group", "/v1/group"),
        ("/v1/page", "/v1/page"),
        ("/v1/screen", "/v1/screen"),
        ("/v1/alias", "/v1/alias"),
        ("/v1/batch", "/v1/batch"),
        ("/v1/import", "/v1/import"),
        ("/v1/t", "/v1/track"),
        ("/v1/i", "/v1/identify"),
        ("/v1/g", "/v1/group"),
        ("/v1/p", "/v1/page"),
        ("/v1/s", "/v1/screen"),
        ("/v1/a", "/v1/alias"),
        ("/v1/b", "/v1/batch"),
        ("/v1/batch/b", "/v1/batch"),
        ("/v1/batch/v1/batch", "/v1/batch"),
        ("/batch", "/v1/batch"),
        ("/b", "/v1/batch"),
        ("/b/", "/v1/batch"),
    ],
)
def test_every_path_an_sdk_may_use_stores_the_event_under_one_name(path: str, logged: str) -> None:
    door = Door()
    reply = door.post(path, BATCH if logged in ("/v1/batch", "/v1/import") else TRACK)
    assert (reply.status, reply.body) == (200, b'{"success":true}')
    assert [record.path for record in door.log.records] == [logged]


def test_a_prefix_of_the_operators_choice_leads_to_the_same_place() -> None:
    door = Door(prefix="/x7k")
    assert [door.post(path, TRACK).status for path in ("/x7k/v1/t", "/x7k/v1/track/", "/v1/track")] == [200, 200, 200]
    assert {record.path for record in door.log.records} == {"/v1/track"}
    assert door.send("OPTIONS", "/x7k/v1/t").status == 200
    hosts = [api_host(door, "/x7k"), api_host(door)]
    assert hosts == [("http", "here:8123/x7k/v1"), ("http", "here:8123/v1")]
    assert door.post("/x7kv1/t", TRACK).status == 404


def test_a_record_says_who_sent_it() -> None:
    door = Door()
    door.post("/v1/track", TRACK, user_agent="analytics-node-next/latest")
    (record,) = door.log.records
    assert (record.project, record.source, record.ip) == ("default", "web", "192.0.2.7")
    assert record.user_agent == "analytics-node-next/latest"
    assert record.body == b'{"userId":"u1","event":"Signed Up","messageId":"m1"}'


@pytest.mark.parametrize(
    ("headers", "body", "query"),
    [
        ({"authorization": basic("jw_web:")}, {}, ""),
        ({"authorization": basic("jw_web")}, {}, ""),
        ({"authorization": basic("jw_web:password")}, {}, ""),
        ({"authorization": basic("jw_web:").rstrip("=")}, {}, ""),
        ({"authorization": "Bearer jw_web"}, {}, ""),
        ({"authorization": "bearer  jw_web "}, {}, ""),
        ({}, {"writeKey": "jw_web"}, ""),
        ({}, {"api_key": "jw_web"}, ""),
        ({}, {"token": "jw_web"}, ""),
        ({}, {"$token": "jw_web"}, ""),
        ({}, {"properties": {"token": "jw_web"}}, ""),
        ({}, {"properties": ["token"]}, "token=jw_web"),
        ({}, {}, "writeKey=jw_web"),
        ({"authorization": "Bearer an-oauth-token"}, {"writeKey": "jw_web"}, ""),
        ({"authorization": basic("nobody:")}, {"writeKey": 7}, "ip=0&writeKey=jw_web"),
        ({"authorization": basic("jr_read:")}, {"writeKey": "jw_web"}, ""),
    ],
)
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_the_key_is_found_in_every_place_an_sdk_puts_it(
    path: str, headers: dict[str, str], body: dict[str, object], query: str
) -> None:
    door = Door()
    content = msgspec.json.encode({**(TRACK if path == "/v1/track" else BATCH), **body})
    assert door.send("POST", path, content, headers, query).status == 200
    assert len(door.log.records) == 1


def test_the_key_is_found_in_the_events_of_a_batch() -> None:
    door = Door()
    for carried in ({"writeKey": "jw_web"}, {"properties": {"token": "jw_web"}}):
        assert door.post("/v1/b", {"batch": [{**TRACK, "type": "track", **carried}]}, key=None).status == 200
    assert len(door.log.records) == 2


@pytest.mark.parametrize("key", [None, "jw_unknown", "jr_read", ""])
def test_without_a_write_key_nothing_is_stored(key: str | None) -> None:
    door = Door()
    reply = door.post("/v1/track", TRACK, key=key)
    assert reply.status == 401
    assert door.log.records == []
    assert reply.json["code"] == 401 and reply.json["status"] == 0
    assert reply.json["message"] == reply.json["error"] == reply.json["detail"]
    assert "write key" in reply.json["message"]


def test_gzip_is_known_by_its_bytes_whatever_the_headers_say() -> None:
    door = Door()
    assert door.post("/v1/batch", gzip.compress(b'{"batch":[]}'), content_type="text/plain").status == 200
    assert door.post("/v1/batch", b'{"batch":[]}', content_encoding="gzip").status == 200
    assert [record.body for record in door.log.records] == [b'{"batch":[]}', b'{"batch":[]}']


@pytest.mark.parametrize("body", [b"", b"hello", b'{"event":', b"{}x", gzip.compress(b"{}" * 99)[:-9], b"\x00\xff"])
def test_an_unreadable_body_is_refused_and_kept(body: bytes) -> None:
    door = Door()
    reply = door.post("/v1/track", body)
    assert reply.status == 400
    assert set(reply.json) == {"code", "status", "message", "error", "detail"}
    assert reply.json["message"].startswith("unreadable")
    (record,) = door.log.records
    assert record.path.startswith("/v1/track#unreadable#") and record.body == body
    calls, (reject,) = decode(record, str)
    assert calls == [] and (reject.reason, reject.raw) == ("unreadable", body)
    assert f"unreadable: {reject.detail}" == reply.json["message"]  # what the sender was told is what is kept


def test_an_unreadable_body_without_any_key_is_refused_but_a_wrong_key_comes_first() -> None:
    assert Door().post("/v1/track", b"hello", key=None).status == 400
    assert Door().post("/v1/track", b"hello", key="jw_unknown").status == 401


def test_a_body_that_is_no_object_is_refused_and_kept() -> None:
    door = Door()
    assert door.post("/v1/track", b"[1]").status == 400
    assert door.post("/v1/batch", b'"text"').status == 400
    assert (
        door.post("/v1/batch", {"batch": {"type": "track"}}).json["message"].startswith("unreadable: batch must be a list")
    )
    rejects = [decode(record, str)[1][0] for record in door.log.records]
    assert [reject.reason for reject in rejects] == ["not_an_object", "unreadable", "unreadable"]
    assert rejects[2].detail.startswith("batch must be a list of events (Expected `array | null`, got `object`")


@pytest.mark.parametrize("parts", [1, 7])
def test_a_body_over_the_limit_is_refused_and_its_beginning_kept(parts: int) -> None:
    door = Door(max_body_bytes=1_000)
    body = b'{"batch":[' + b" " * 2_000 + b"]}"
    reply = door.send("POST", "/v1/batch", body, {"authorization": basic("jw_web:")}, parts=parts)
    assert (reply.status, reply.json["message"][:9]) == (400, "too_large")
    (record,) = door.log.records
    assert (record.path.partition("#too_large#")[0], record.body) == ("/v1/batch", body[:1_000])
    assert decode(record, str)[1][0].detail == "a body of more than 1000 bytes; send fewer events at once"


def test_a_gzip_bomb_is_refused_before_it_is_inflated() -> None:
    door = Door()
    bomb = gzip.compress(b'{"batch":[' + b" " * 50_000_000 + b"]}", 9)
    assert len(bomb) < 100_000
    assert door.post("/v1/batch", bomb).status == 400
    assert [(record.path.rpartition("#")[0], record.body) for record in door.log.records] == [("/v1/batch#too_large", bomb)]


def test_a_single_event_over_the_limit_is_refused() -> None:
    door = Door()
    fits = {**TRACK, "properties": {"note": "x" * 32_000}}
    over = {**TRACK, "properties": {"note": "x" * 33_000}}
    assert door.post("/v1/track", fits).status == 200
    assert door.post("/v1/track", over).status == 400
    first, second = door.log.records
    told = f"an event of {len(second.body)} bytes; at most 32768 are taken"
    assert (first.path, second.path) == ("/v1/track", f"/v1/track#too_large#{told}")


def test_an_event_over_the_limit_within_a_batch_is_rejected_alone() -> None:
    door = Door()
    good = {"type": "track", **TRACK}
    over = {**good, "messageId": "m2", "properties": {"note": "x" * 33_000}}
    assert door.post("/v1/batch", {"batch": [good, over]}).status == 200
    calls, rejects = decode(door.log.records[0], str)
    assert [call.event_id for call in calls] == ["m1"]
    assert [(reject.reason, reject.event_id, len(reject.raw) > 33_000) for reject in rejects] == [("too_large", "m2", True)]


def test_a_log_that_cannot_store_is_a_503_with_a_time_to_come_again() -> None:
    door = Door()
    door.log.fault = LogFull("The disk is full", retry_after=2.5)
    reply = door.post("/v1/track", TRACK, origin="https://app.example")
    assert (reply.status, reply.headers["retry-after"], reply.json["code"]) == (503, "3", 503)
    assert reply.headers["access-control-allow-origin"] == "https://app.example"


def test_metrics_of_the_browser_sdk_are_taken_and_thrown_away() -> None:
    door = Door()
    assert door.post("/v1/m", {"series": [], "writeKey": "jw_web"}, key=None).status == 200
    assert door.log.records == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/track", "/v1/b", "/v1/m", "/b/"])
def test_events_are_taken_by_post_only(method: str, path: str) -> None:
    reply = Door().send(method, path)
    assert (reply.status, reply.headers["allow"]) == (405, "POST, OPTIONS")
    assert (reply.body == b"") == (method == "HEAD")


@pytest.mark.parametrize("path", ["/v1/t", "/v1/batch/", "/v1/m", "/v1/projects/jw_web/settings"])
def test_a_preflight_gets_back_what_it_asks_for(path: str) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    reply = Door().send("OPTIONS", path, headers=asked)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["access-control-allow-origin"] == "https://app.example"
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert reply.headers["access-control-allow-headers"] == "authorization,content-type"
    assert reply.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    assert reply.headers["access-control-max-age"] == "7200"
    assert reply.headers["vary"] == "Origin"
    assert "access-control-allow-private-network" not in reply.headers


def test_a_public_page_may_reach_a_collector_in_a_private_network() -> None:
    asked = {"origin": "https://app.example", "access-control-request-private-network": "true"}
    assert Door().send("OPTIONS", "/v1/t", headers=asked).headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize(("key", "body", "status"), [("jw_web", b"{}", 200), ("nobody", b"{}", 401), ("jw_web", b"?", 400)])
def test_answers_and_errors_alike_name_the_origin(key: str, body: bytes, status: int) -> None:
    reply = Door().post("/v1/track", body, key=key, origin="null")
    assert reply.status == status
    assert reply.headers["access-control-allow-origin"] == "null"
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert reply.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/jw_web/settings",
        "/v1/projects/jw_web/settings/",
        "/projects/jw_web/settings",
        "/v1/projects/projects/jw_web/settings",
    ],
)
def test_the_browser_sdk_learns_where_to_send_from_its_settings(path: str) -> None:
    reply = Door().send("GET", path, headers={"origin": "https://app.example"})
    assert reply.status == 200
    integration = reply.json["integrations"]["Segment.io"]
    assert (integration["apiKey"], integration["apiHost"], integration["protocol"]) == ("jw_web", "here:8123/v1", "http")
    assert reply.json["plan"]["track"]["__default"] == {"enabled": True, "integrations": {}}
    assert reply.headers["access-control-allow-origin"] == "https://app.example"


def api_host(door: Door, prefix: str = "", **headers: str) -> tuple[str, str]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    integration = door.send("GET", f"{prefix}/v1/projects/jw_web/settings", headers=given).json["integrations"]["Segment.io"]
    return integration["protocol"], integration["apiHost"]


def test_the_public_url_stands_above_what_a_request_says() -> None:
    door = Door(public_url="https://events.example.com/jcurve/", trust_proxy=True)
    assert api_host(door, x_forwarded_host="other.example") == ("https", "events.example.com/jcurve/v1")


def test_a_proxy_is_believed_only_if_it_is_ours() -> None:
    said = {"x_forwarded_proto": "https", "x_forwarded_host": "events.example.com, inner", "x_forwarded_prefix": "/e/"}
    assert api_host(Door(), **said) == ("http", "here:8123/v1")
    assert api_host(Door(trust_proxy=True), **said) == ("https", "events.example.com/e/v1")


@pytest.mark.parametrize(
    ("forwarded", "ip"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:5000, 10.0.0.1", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
    ],
)
def test_the_senders_address_comes_from_a_trusted_proxy(forwarded: str, ip: str) -> None:
    for door, expected in ((Door(trust_proxy=True), ip), (Door(), "192.0.2.7")):
        door.post("/v1/track", TRACK, x_forwarded_for=forwarded)
        assert door.log.records[0].ip == expected


@pytest.mark.parametrize("key", ["jw_unknown", "jr_read"])
def test_an_unknown_key_has_no_settings(key: str) -> None:
    assert Door().send("GET", f"/v1/projects/{key}/settings").status == 401
    assert Door().send("POST", "/v1/projects/jw_web/settings").status == 405


def test_health_tells_alive_and_ready_tells_able_to_store() -> None:
    door = Door()
    assert (door.send("GET", "/health").status, door.send("GET", "/ready/").status) == (200, 200)
    door.log.fault = LogFull("The disk is full")
    door.keys.fault = "no keys"
    assert door.send("GET", "/health").json == {"status": "alive"}
    assert (door.send("GET", "/ready").status, door.send("GET", "/ready").json["message"]) == (503, "The disk is full")
    door.log.fault = None
    assert door.send("GET", "/ready").json["message"] == "no keys"


def test_a_sender_that_hangs_up_leaves_nothing() -> None:
    door = Door()
    scope: Message = {
        "type": "http",
        "method": "POST",
        "path": "/v1/track",
        "headers": [],
        "query_string": b"",
        "client": None,
    }
    begun: Message = {"type": "http.request", "body": b'{"userId":', "more_body": True}
    assert (exchange(door.app, scope, [begun]), door.log.records) == ([], [])


def test_a_server_may_start_and_stop_it() -> None:
    signals: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    assert [message["type"] for message in exchange(Door().app, {"type": "lifespan"}, signals)] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_what_is_no_sdks_goes_to_the_fallback() -> None:
    async def pages(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    door = Door(fallback=pages)
    assert [door.send("GET", path).body for path in ("/", "/api/status", "/docs")] == [b"/", b"/api/status", b"/docs"]
    assert Door().send("GET", "/api/status").status == 404
    unknown = door.send("POST", "/v1/merges", headers={"origin": "https://shop.example"})
    assert (unknown.status, unknown.json["code"]) == (404, 404)
    assert unknown.headers["access-control-allow-origin"] == "https://shop.example"


@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/v3/events", "/", "/t"])
def test_an_sdk_that_posts_where_nothing_is_can_read_that(path: str) -> None:
    async def pages(scope: Message, receive: Any, send: Any) -> None:
        raise AssertionError("asked for a page")

    door, page = Door(fallback=pages), {"origin": "https://shop.example", "access-control-request-headers": "x-a"}
    preflight, reply = door.send("OPTIONS", path, headers=page), door.post(path, BATCH, **page)
    assert (preflight.status, preflight.headers["access-control-allow-headers"]) == (200, "x-a")
    assert (reply.status, {"code", "message", "error", "detail"} <= set(reply.json)) == (404, True)
    for one in (preflight, reply):
        assert one.headers["access-control-allow-origin"] == "https://shop.example"


def test_options_of_the_whole_server_are_answered() -> None:
    assert Door().send("OPTIONS", "*", headers={"origin": "https://shop.example"}).status == 200


def test_no_answer_is_a_redirect() -> None:
    paths = ["/v1/track/", "/v1/batch//", "/V1/track", "/v1", "/v1/", "/projects/jw_web/settings/", "/"]
    statuses = {Door().send(method, path).status for method in ("GET", "POST", "OPTIONS") for path in paths}
    assert not any(300 <= status < 400 for status in statuses)
