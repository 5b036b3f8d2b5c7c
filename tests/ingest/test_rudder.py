"""RudderStack at the door and in the flush: paths, its own words, merges, pixels, configuration."""

import base64
import gzip
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import LogFull
from ingest.protocols import decode
from ingest.protocols.call import Call
from tests.ingest.asgi import RECEIVED, Door, basic

EXAMPLES = int(os.environ.get("JCURVE_TEST_DECODER_EXAMPLES", "60"))
TRACK = {"channel": "server", "userId": "u1", "event": "Signed Up", "messageId": "m1"}
BATCH = {"batch": [{"type": "track", **TRACK}]}


def calls(door: Door) -> list[Call]:
    results = [decode(record, "minted-{}".format) for record in door.log.records]
    assert [reject for _, rejects in results for reject in rejects] == []
    return [call for found, _ in results for call in found]


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/v1/track", "/rudder/track"),
        ("/v1/identify/", "/rudder/identify"),
        ("/v1/group", "/rudder/group"),
        ("/v1/page", "/rudder/page"),
        ("/v1/screen", "/rudder/screen"),
        ("/v1/alias", "/rudder/alias"),
        ("/v1/merge", "/rudder/merge"),
        ("/v1/batch", "/rudder/batch"),
        ("/v1/import", "/rudder/import"),
        ("/v1/batch/v1/batch", "/rudder/batch"),
        ("/beacon/v1/batch", "/rudder/batch"),
    ],
)
def test_an_event_that_names_its_channel_is_answered_ok(path: str, logged: str) -> None:
    door = Door()
    reply = door.post(path, BATCH if logged.endswith(("batch", "import")) else TRACK)
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"ok", "text/plain; charset=utf-8")
    assert [record.path for record in door.log.records] == [logged]


@pytest.mark.parametrize(
    "body",
    [
        {"userId": "u1", "event": "E"},
        {"userId": "u1", "event": "E", "properties": {"channel": "email"}},
        {"batch": [{"type": "track", "userId": "u1", "event": "E", "properties": {"channel": "email"}}]},
        {"batch": [], "channel": "email"},
    ],
)
def test_a_channel_elsewhere_is_anybodys(body: object) -> None:
    door = Door()
    assert door.post("/v1/batch", body).body == b'{"success":true}'
    assert [record.path for record in door.log.records] == ["/v1/batch"]


def test_a_beacon_has_its_key_in_the_query_and_says_it_is_text() -> None:
    door = Door()
    headers = {"content-type": "text/plain;charset=UTF-8", "origin": "https://shop.example"}
    reply = door.send("POST", "/beacon/v1/batch", json.dumps(BATCH).encode(), headers, "writeKey=jw_web")
    assert (reply.status, reply.body) == (200, b"ok")
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
    assert [call.event_id for call in calls(door)] == ["m1"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"channel":"server","event":', 400, "invalid json\n"),
        (b'["channel"]', 400, "event is not a valid rudder event\n"),
        (b'{"channel":"server","x":"' + b"x" * 40_000 + b'"}', 413, "request size exceeds max limit\n"),
        (gzip.compress(b'{"channel":"server","x":"' + b"x" * 8_600_000 + b'"}'), 413, "request size exceeds max limit\n"),
        (b'{"channel":"server","x":"' + b"x" * 8_600_000 + b'"}', 413, "request size exceeds max limit\n"),
    ],
)
def test_a_body_that_cannot_be_taken_is_told_so_in_its_words_and_kept(body: bytes, status: int, words: str) -> None:
    door = Door()
    reply = door.post("/v1/track", body)
    assert (reply.status, reply.body.decode()) == (status, words)
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    (record,) = door.log.records
    assert record.path.startswith("/rudder/track#") and body.startswith(record.body)
    assert decode(record, str)[0] == []


def test_a_batch_may_be_larger_than_the_operators_limit_for_others() -> None:
    door = Door(max_body_bytes=100_000)
    items = [{"type": "track", **TRACK, "messageId": f"m{at}", "properties": {"x": "x" * 20_000}} for at in range(150)]
    assert door.post("/v1/batch", {"batch": items}).status == 200
    assert len(calls(door)) == 150
    others = {"batch": [{key: value for key, value in item.items() if key != "channel"} for item in items]}
    assert door.post("/v1/batch", others).status == 400


def test_a_bad_event_does_not_fail_its_batch() -> None:
    door = Door()
    bad = [{"type": "track", "channel": "web", "event": "E", "messageId": "m2"}, 7]
    assert door.post("/v1/batch", {"batch": [*BATCH["batch"], *bad]}).body == b"ok"
    found, rejects = decode(door.log.records[0], str)
    assert [call.event_id for call in found] == ["m1"]
    assert [(reject.reason, reject.event_id) for reject in rejects] == [("missing_identity", "m2"), ("not_an_object", None)]


@pytest.mark.parametrize(
    ("key", "body", "words"),
    [
        ("jw_unknown", BATCH, b"invalid write key\n"),
        (None, {**BATCH, "writeKey": "jw_unknown"}, b"invalid write key\n"),
        (None, BATCH, b"failed to read writekey from header\n"),
    ],
)
def test_a_wrong_key_is_a_401_in_words_that_phones_look_for(key: str | None, body: object, words: bytes) -> None:
    door = Door()
    reply = door.post("/v1/batch", body, key=key)
    assert (reply.status, reply.body, door.log.records) == (401, words, [])
    unclaimed = door.post("/v1/batch", {"batch": []}, key="jw_unknown")
    assert "invalid write key" in unclaimed.json["message"].lower()


def test_no_room_is_a_503_that_its_python_sdk_can_read() -> None:
    door = Door()
    door.log.fault = LogFull("The disk is full", retry_after=2.5)
    reply = door.post("/v1/batch", BATCH)
    assert (reply.status, reply.json["code"], reply.json["message"]) == (503, 503, "The disk is full")


def test_a_visitor_without_a_referrer_has_none_whatever_the_sdk_calls_it() -> None:
    door = Door()
    page = {"url": "https://a.example/docs", "path": "/docs", "referrer": "$direct"}
    door.post("/v1/page", {"channel": "web", "anonymousId": "a1", "context": {"page": page}})
    (call,) = calls(door)
    assert (call.page_path, call.page_referrer) == ("/docs", None)
    assert json.loads(call.context)["page"] == page


def test_headers_say_when_and_by_whom_where_the_event_does_not() -> None:
    door = Door()
    headers = {"sentat": "2026-09-21T14:13:10Z", "anonymousid": base64.b64encode("añon".encode()).decode()}
    door.post("/v1/track", {"channel": "web", "event": "E"}, **headers)
    door.post(
        "/v1/track", {"channel": "web", "event": "E", "anonymousId": "a1", "sentAt": "2026-09-21T14:13:19Z"}, **headers
    )
    door.post("/v1/track", {"channel": "web", "event": "E", "userId": "u1"}, anonymousid="not base64!")
    first, second, third = calls(door)
    assert (first.anonymous_id, first.sent_at) == ("añon", RECEIVED - 10_000_000)
    assert (second.anonymous_id, second.sent_at) == ("a1", RECEIVED - 1_000_000)
    assert (third.anonymous_id, third.user_id) == (None, "u1")


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (
            {"mergeProperties": [{"type": "anonymousId", "value": "a1"}, {"type": "userId", "value": "u1"}]},
            ("identify", "u1", "a1", None),
        ),
        (
            {"mergeProperties": [{"type": "email", "value": "ada@example.com"}, {"type": "mobile", "value": "+49151"}]},
            ("alias", "ada@example.com", None, "+49151"),
        ),
        ({"userId": "u1", "previousId": "u0"}, ("alias", "u1", None, "u0")),
    ],
)
def test_a_merge_makes_one_person_of_two_ids(sent: dict[str, Any], found: tuple[str | None, ...]) -> None:
    door = Door()
    door.post("/v1/merge", {"messageId": "m1", **sent})
    door.post("/v1/batch", {"batch": [{"type": "merge", "channel": "server", "messageId": "m1", **sent}]})
    for call in calls(door):
        assert (call.kind, call.user_id, call.anonymous_id, call.previous_id) == found


def test_a_merge_of_nothing_is_rejected_alone() -> None:
    door = Door()
    for body in ({}, {"mergeProperties": 7}, {"mergeProperties": [{"type": "email", "value": {"a": 1}}]}):
        assert door.post("/v1/merge", body).body == b"ok"
    reasons = [decode(record, str)[1][0].reason for record in door.log.records]
    assert reasons == ["missing_identity", "unreadable", "unreadable"]


def test_a_pixel_is_an_event_made_of_its_query_and_always_answered_by_a_gif() -> None:
    door = Door()
    query = (
        "writeKey=jw_web&anonymousId=%22a1%22&userId=u1&event=Mail+Opened&messageId=m1&properties.campaign=welcome"
        "&properties%5Bstep%5D=2&context.page.path=%2Fdocs&properties.deep.er=x&name=&originalTimestamp=2026-09-21T14:00:00Z"
    )
    replies = [
        door.send("GET", "/pixel/v1/track", query=query, headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64)"}),
        door.send("GET", "/pixel/v1/page/", query="writeKey=jw_web&anonymousId=a1&name=Landing"),
        door.send("GET", "/pixel/v1/page", query="writeKey=jw_unknown&anonymousId=a1"),
        door.send("GET", "/pixel/v1/page"),
    ]
    assert {(reply.status, reply.headers["content-type"], len(reply.body), reply.body[:6]) for reply in replies} == {
        (200, "image/gif", 43, b"GIF89a")
    }
    track, page = calls(door)
    assert (track.kind, track.event, track.event_id, track.user_id, track.anonymous_id) == (
        "track",
        "Mail Opened",
        "m1",
        "u1",
        "a1",
    )
    assert json.loads(track.properties) == {"campaign": "welcome", "step": "2", "deep": {"er": "x"}}
    assert (track.page_path, track.original_time) == ("/docs", RECEIVED - 800_000_000)
    assert (page.kind, page.event, page.anonymous_id, page.time) == ("page", "Landing", "a1", RECEIVED)


def test_keys_of_a_pixel_that_contradict_each_other_or_go_too_deep_do_not_stop_it() -> None:
    door = Door()
    deep = ".".join("a" * 40)
    query = f"writeKey=jw_web&userId=u1&event=E&properties=x&properties.a=1&.=2&{deep}=3"
    door.send("GET", "/pixel/v1/track", query=query)
    (call,) = calls(door)
    assert (call.event, json.loads(call.properties)) == ("E", {"a": "1"})


def test_the_configuration_is_for_known_keys_and_names_no_destinations() -> None:
    door = Door()
    asked = {"authorization": basic("jw_web:"), "origin": "https://shop.example"}
    reply = door.send("GET", "/sourceConfig/", headers=asked, query="p=npm&v=3.34.1&build=modern&writeKey=jw_web")
    source = reply.json["source"]
    assert (reply.status, source["writeKey"], source["enabled"], source["destinations"]) == (200, "jw_web", True, [])
    assert (source["id"], source["config"]) == ("jcurve", {})
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
    assert door.send("GET", "/sourceConfig", query="writeKey=jw_web").status == 200
    wrong = door.send("GET", "/sourceConfig", query="writeKey=jw_unknown")
    assert (wrong.status, wrong.body) == (401, b"invalid write key\n")
    assert door.send("POST", "/sourceConfig/").status == 405


def test_the_probe_for_ad_blockers_and_the_preflight_are_answered() -> None:
    door = Door()
    probe = door.send("HEAD", "/sourceConfig/", query="view=ad", headers={"origin": "https://shop.example"})
    assert (probe.status, probe.body) == (200, b"")
    for path in ("/sourceConfig/", "/v1/track", "/v1/merge", "/beacon/v1/batch"):
        asked = {"origin": "https://shop.example", "access-control-request-headers": "anonymousid,authorization,sentat"}
        reply = door.send("OPTIONS", path, headers=asked)
        assert (reply.status, reply.headers["access-control-allow-headers"]) == (200, "anonymousid,authorization,sentat")


def test_all_of_it_is_there_below_a_prefix_too() -> None:
    door = Door(prefix="/x7k")
    assert door.send("GET", "/x7k/sourceConfig/", query="writeKey=jw_web").status == 200
    assert door.post("/x7k/v1/batch", BATCH).body == b"ok"
    assert door.send("GET", "/x7k/pixel/v1/page", query="writeKey=jw_web&anonymousId=a1").body[:3] == b"GIF"
    assert [record.path for record in door.log.records] == ["/rudder/batch", "/rudder/pixel/page"]


def test_the_small_pages_of_its_server_are_there() -> None:
    door = Door()
    assert door.send("GET", "/version").json == {"Version": "0.1.0"}
    assert door.send("GET", "/robots.txt").body == b"User-agent: *\nDisallow: /\n"
    assert door.send("GET", "/v1/merge").status == 405
    assert door.send("PUT", "/pixel/v1/page").status == 405


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["merge", "anonymousId"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "value", "a"]), inner),
    max_leaves=8,
)
BODIES = VALUES | st.dictionaries(
    st.sampled_from(["batch", "channel", "type", "mergeProperties", "userId", "anonymousId", "event", "sentAt"]), VALUES
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(["/v1/merge", "/v1/batch", "/v1/track", "/beacon/v1/batch"]),
    st.binary(max_size=60) | BODIES.map(lambda body: json.dumps(body).encode()),
)
def test_no_bytes_bring_the_door_or_the_decoder_down(path: str, body: bytes) -> None:
    door = Door()
    assert door.post(path, body).status in (200, 400)
    (record,) = door.log.records
    found, rejects = decode(record, "minted-{}".format)
    assert len(found) + len(rejects) == 1 or b"batch" in body


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(alphabet="abc.[]=&%2\"'\u00e9+", max_size=40))
def test_any_query_of_a_pixel_is_one_event_or_one_reject(query: str) -> None:
    door = Door()
    door.send("GET", "/pixel/v1/track", query=f"writeKey=jw_web&{query}")
    found, rejects = decode(door.log.records[0], "minted-{}".format)
    assert len(found) + len(rejects) == 1
