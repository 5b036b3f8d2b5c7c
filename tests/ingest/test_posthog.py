"""PostHog's requests at the door: under every name and in every wrapping, whose they are, and what comes of them."""

import base64
import gzip
import json
import zlib
from typing import Any
from urllib.parse import quote, urlencode

import brotli
import lzstring
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest.protocols import decode
from ingest.protocols.call import Call, Made, Reject, received
from ingest.protocols.posthog import MAX_BODY_BYTES, claims
from tests.ingest.asgi import KEYS, RECEIVED, Door, Reply

EVENT = {"event": "Größe 🦔", "distinct_id": "user-1", "uuid": "u-1", "properties": {"n": 1, "token": "jw_web"}}
JSON = json.dumps(EVENT, ensure_ascii=False).encode()
BATCH = {"api_key": "jw_web", "batch": [EVENT]}
PATHS = ("/batch", "/e", "/capture", "/track", "/engage", "/i/v0/e", "/i/v0/ai/batch")
V1 = "/i/v1/analytics/events"
OK = {"status": "Ok"}


def found(door: Door) -> tuple[list[Call], list[Reject]]:
    decoded = [decode(record, lambda number: f"minted-{number}") for record in door.log.records]
    return [call for calls, _ in decoded for call in calls], [reject for _, rejects in decoded for reject in rejects]


def one(event: dict[str, Any], path: str = "/e/", query: str = "", **envelope: Any) -> Call:
    door = Door()
    reply = door.send("POST", path, json.dumps({"api_key": "jw_web", "batch": [event], **envelope}).encode(), {}, query)
    assert (reply.status, reply.json) == (200, OK)
    (call,), _ = found(door)
    return call


def event(name: str = "x", distinct_id: Any = "user-1", /, **properties: Any) -> dict[str, Any]:
    return {"event": name, "distinct_id": distinct_id, "properties": properties}


def who(call: Call) -> tuple[str, str | None, str | None, str | None]:
    return call.kind, call.user_id, call.anonymous_id, call.previous_id


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", PATHS)
def test_an_event_is_taken_at_every_path_by_post_and_get(path: str, slash: str) -> None:
    door = Door()
    replies = [
        door.send("POST", path + slash, JSON),
        door.send("GET", path + slash, query=urlencode({"data": JSON, "ip": "1", "ver": "1.2"})),
        door.send("POST", path + slash, f"data={quote(base64.b64encode(JSON).decode())}".encode(), query="beacon=1"),
        door.send("OPTIONS", path + slash),
    ]
    assert [(reply.status, reply.body) for reply in replies] == [(200, b'{"status":"Ok"}')] * 3 + [(200, b"")]
    calls, rejects = found(door)
    assert [(call.event_id, call.event, call.user_id) for call in calls] == [("u-1", "Größe 🦔", "user-1")] * 3
    assert rejects == []


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(JSON),
        zlib.compress(JSON),
        zlib.compress(JSON)[2:-4],
        zstandard.compress(JSON),
        brotli.compress(JSON),
        lzstring.LZString().compressToBase64(json.dumps(EVENT)).encode(),
        b"compression=lz64&data=" + quote(lzstring.LZString().compressToBase64(json.dumps(EVENT))).encode(),
        b"data=" + quote(base64.b64encode(gzip.compress(JSON))).encode() + b"&compression=gzip-js",
        base64.b64encode(zstandard.compress(JSON)),
    ],
    ids=["gzip", "deflate", "bare deflate", "zstd", "br", "lz64", "lz64 form", "gzip-js form", "zstd as base64"],
)
def test_a_body_is_read_in_every_encoding_whatever_its_headers_say(body: bytes) -> None:
    door = Door()
    assert door.send("POST", "/e/", body, {"content-type": "text/plain"}).status == 200
    (call,), _ = found(door)
    assert (call.event, json.loads(call.properties)) == ("Größe 🦔", EVENT["properties"])


@pytest.mark.parametrize(
    "body",
    [
        {**EVENT, "api_key": "jw_web"},
        {**EVENT, "token": "jw_web"},
        {**EVENT, "$token": "jw_web"},
        EVENT,
        [EVENT, EVENT],
        {"batch": [EVENT], "token": "jw_web"},
        {"batch": [EVENT]},
    ],
)
def test_the_token_is_found_in_every_place(body: object) -> None:
    door = Door()
    assert door.post("/e/", body, key=None).status == 200
    assert {record.project for record in door.log.records} == {"default"}


def test_two_tokens_in_one_list_and_an_unknown_one_are_401(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEYS, "jw_other", KEYS["jw_web"])
    door = Door()
    two = [{**EVENT, "properties": {"token": token}} for token in ("jw_web", "jw_other")]
    replies = [door.post("/e/", body, key=None) for body in (two, {"batch": two}, {**BATCH, "api_key": "nobody"}, [])]
    assert [reply.status for reply in replies] == [401] * 4 and replies[0].json["detail"]
    assert door.log.records == []


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("user-1", "user-1"), (42, "42"), (4.5, "4.5"), ([True], "[true]"), ({"a": 1}, '{"a":1}'), ("x" * 300, "x" * 200)],
)
def test_a_distinct_id_of_any_type_is_a_text(sent: object, expected: str) -> None:
    assert one(event("x", sent)).user_id == expected
    assert one({"event": "x", "$distinct_id": sent}).user_id == expected
    assert one({"event": "x", "properties": {"distinct_id": sent}}).user_id == expected


@pytest.mark.parametrize(
    ("marks", "anonymous"),
    [
        ({}, False),
        ({"$is_identified": False}, True),
        ({"$is_identified": True, "$process_person_profile": False}, False),
        ({"$device_id": "id-1"}, True),
        ({"$device_id": "another"}, False),
        ({"$device_id": "id-1", "$user_id": "id-1"}, False),
        ({"$device_id": "id-1", "$is_identified": True}, False),
        ({"$process_person_profile": False}, True),
        ({"$process_person_profile": True}, False),
        ({"$anon_distinct_id": "before"}, False),
    ],
)
def test_an_id_is_anonymous_only_by_its_own_marks(marks: dict[str, Any], anonymous: bool) -> None:
    call = one(event("x", "id-1", **marks))
    assert (call.user_id, call.anonymous_id) == ((None, "id-1") if anonymous else ("id-1", None))


def test_visitors_without_cookies_are_told_apart_by_address_and_browser() -> None:
    door = Door()
    for agent in ("Firefox/1", "Firefox/1", "Chrome/2"):
        door.post("/e/", {**event("x", "$posthog_cookieless"), "api_key": "jw_web"}, user_agent=agent)
    calls, _ = found(door)
    first, again, another = (call.anonymous_id for call in calls)
    assert first == again != another and {call.user_id for call in calls} == {None}


def test_calls_about_people_and_groups_become_ours() -> None:
    identify = one(
        {
            **event("$identify", "user-1", **{"$anon_distinct_id": "dev-1"}),
            "$set": {"a": 1, "b": 2},
            "$set_once": {"b": 1, "c": 3},
        }
    )
    assert who(identify) == ("identify", "user-1", "dev-1", None)
    assert json.loads(identify.properties) == {"a": 1, "b": 2, "$set_once": {"b": 1, "c": 3}}
    assert json.loads(identify.context)["properties"]["$set_once"] == {"b": 1, "c": 3}
    person = one(event("$set", "dev-1", **{"$set": {"a": 1}, "$unset": ["z"], "$is_identified": False}))
    assert who(person) == ("identify", None, "dev-1", None) and json.loads(person.properties) == {"a": 1, "z": None}
    alias = one(event("$create_alias", "user-1", alias="old"))
    assert who(alias) == who(one(event("$merge_dangerously", "user-1", alias="old"))) == ("alias", "user-1", None, "old")
    named = one(event("$create_alias", "dev-1", alias="user-1", **{"$device_id": "dev-1"}))
    assert who(named) == ("alias", "user-1", "dev-1", "dev-1")
    of_group: dict[str, Any] = {"$group_type": "company", "$group_key": 7, "$group_set": {"name": "Acme"}}
    group = one(event("$groupidentify", "user-1", **of_group))
    assert (*who(group), group.account_id) == ("group", "user-1", None, None, "7")
    assert json.loads(group.properties) == {"name": "Acme"}
    assert who(one(event("$groupidentify", "$company_7", **of_group))) == ("group", None, "$company_7", None)
    engaged = one({"$distinct_id": "user-1", "$set": {"a": 1}}, "/engage")
    assert (who(engaged)[:2], json.loads(engaged.properties)) == (("identify", "user-1"), {"a": 1})


SAID = {"$set": {"plan": "pro"}, "$set_once": {"plan": "free", "first": 1}, "$unset": ["old"]}


def test_any_event_may_say_what_its_person_is_like() -> None:
    door = Door()
    sent = [
        {**event("paid", "user-1", **SAID), "uuid": "t"},
        {**event("$pageview", "user-1"), **SAID, "uuid": "p"},
        event("paid", "dev-1", **SAID, **{"$process_person_profile": False}),
        event("paid", "user-1", **{"$set": {}}),
    ]
    door.post("/e", {"api_key": "jw_web", "batch": sent})
    calls, rejects = found(door)
    told = [(call.kind, call.event_id, call.user_id, type(call) is Made) for call in calls]
    assert told == [
        ("track", "t", "user-1", False),
        ("identify", "t:set", "user-1", True),
        ("page", "p", "user-1", False),
        ("identify", "p:set", "user-1", True),
        ("track", "minted-2", None, False),
        ("track", "minted-3", "user-1", False),
    ]
    assert json.loads(calls[1].properties) == {"plan": "pro", "old": None, "$set_once": {"plan": "free", "first": 1}}
    assert (calls[1].time, calls[1].session_id) == (calls[0].time, calls[0].session_id)
    assert (received(calls), rejects) == (4, [])


def test_pages_screens_sessions_and_groups_are_read_into_columns() -> None:
    url = "https://a.example/docs?utm_source=news"
    page = one(
        event("$pageview", **{"$current_url": url, "$pathname": "/docs", "$referrer": "https://b.example", "title": "Docs"})
    )
    assert (page.kind, page.event, page.page_url, page.page_path) == ("page", "$page", url, "/docs")
    assert (page.page_referrer, page.utm_source, json.loads(page.context)["page"]["title"]) == (
        "https://b.example",
        "news",
        "Docs",
    )
    screen = one(event("$screen", **{"$screen_name": "Home", "$session_id": "s-1", "$app_version": 3, "$os": "iOS"}))
    assert (screen.kind, screen.event, screen.session_id, screen.app_version) == ("screen", "Home", "s-1", "3")
    track = one(
        event(**{"$groups": {"company": "acme"}, "$lib": "posthog-ios", "$lib_version": "3", "$device_type": "Mobile"})
    )
    assert (track.account_id, track.library, track.device) == ("acme", "posthog-ios/3", "mobile")


def test_times_follow_the_senders_clock_or_ours() -> None:
    second = 1_000_000
    then = "2026-09-21T13:13:20Z"  # an hour before it is received
    assert one({**event(), "timestamp": then}).time == RECEIVED - 3_600 * second
    behind = {"sent_at": "2026-09-21T13:13:20Z"}
    assert one({**event(), "timestamp": then}, **behind).time == RECEIVED
    assert one({**event(), "timestamp": then}, query="_=1789996400000").time == RECEIVED
    assert one({**event(**{"$ignore_sent_at": True}), "timestamp": then}, **behind).time == RECEIVED - 3_600 * second
    assert one({**event(), "timestamp": then, "offset": 2_000}, **behind).time == RECEIVED - 2 * second
    assert one({**event(), "timestamp": "2026-09-23T14:13:20Z"}).time == RECEIVED
    assert one({**event(), "timestamp": "never"}).time == RECEIVED


def test_an_event_without_a_uuid_has_its_insert_id_or_one_of_ours() -> None:
    assert one(event(**{"$insert_id": "ins-1"})).event_id == "ins-1"
    assert one(event()).event_id == "minted-0"


def test_a_bad_event_does_not_touch_the_others() -> None:
    door = Door()
    bad: list[object] = [{"distinct_id": "a", "uuid": "b1"}, {"event": "x"}, event("x", "undefined"), 7, "text"]
    reply = door.post("/batch/", {"api_key": "jw_web", "batch": [*bad, EVENT]}, key=None)
    assert (reply.status, reply.json) == (200, OK)
    calls, rejects = found(door)
    assert [call.event_id for call in calls] == ["u-1"]
    assert [reject.reason for reject in rejects] == [
        "missing_event",
        "missing_identity",
        "illegal_id",
        "not_an_object",
        "not_an_object",
    ]


def test_all_of_it_works_below_the_operators_prefix() -> None:
    door = Door(prefix="/x7k")
    assert door.send("POST", "/x7k/e/", JSON).json == OK
    assert v1(door, [V1_EVENT], path="/x7k" + V1).json["results"] == {"u-1": {"result": "ok"}}
    assert door.send("GET", "/x7k/array/jw_web/config").json["token"] == "jw_web"
    assert door.send("POST", "/x7k/flags/", b"{}").json["flags"] == {}
    assert len(door.log.records) == 2


def test_recordings_are_taken_and_thrown_away() -> None:
    door = Door()
    assert door.post("/s/", {**BATCH, "batch": [{**EVENT, "event": "$snapshot"}]}, key=None).json == OK
    assert door.post("/s/", {**BATCH, "api_key": "nobody"}, key=None).status == 401
    assert door.log.records == []


def test_a_body_that_cannot_be_read_is_400_and_one_that_is_too_large_413() -> None:
    door = Door(max_body_bytes=100)
    assert door.post("/e/", b"what?").status == door.post("/e/", b'{"batch":7}').status == 400
    large = b'{"api_key":"jw_web","batch":[' + b" " * MAX_BODY_BYTES + b"]}"
    for reply in (door.post("/e/", large, key=None), door.post("/batch/", large, key=None)):
        assert reply.status == 413 and reply.json["detail"].startswith("too_large")
    assert door.post("/batch/", b'{"batch":[{"type":"track","messageId":"m"}' + b" " * 100).status == 400  # Segment's


SEGMENT = {"type": "track", "event": "x", "userId": "u", "messageId": "m"}


@pytest.mark.parametrize(
    ("path", "body", "family"),
    [
        ("/batch", BATCH, "posthog"),
        ("/batch", {"api_key": "k", "batch": []}, "posthog"),
        ("/batch", {"batch": [{**EVENT, "type": "identify", "library": "posthog-node"}], "api_key": "k"}, "posthog"),
        ("/batch", {"batch": [SEGMENT], "writeKey": "k"}, "v1"),
        ("/batch", {"batch": [SEGMENT]}, "v1"),
        ("/batch", {"batch": [SEGMENT], "api_key": "k"}, "v1"),
        ("/batch", [EVENT], "posthog"),
        ("/batch", {"batch": [{"event": "x", "properties": {"distinct_id": "u", "token": "k"}}]}, "posthog"),
        ("/batch", {"batch": [7, EVENT], "$token": "k"}, "posthog"),
        ("/batch", {"api_key": "k", "events": [{"event_type": "x", "user_id": "user-1"}]}, "amplitude"),
        ("/track", {"event": "x", "properties": {"token": "k", "distinct_id": "u", "$insert_id": "i"}}, "mixpanel"),
        ("/track", {"event": "x", "properties": {"token": "k", "distinct_id": "u", "$lib": "web"}}, "posthog"),
        ("/track", {"event": "x", "distinct_id": "u", "$token": "k"}, "posthog"),
        ("/engage", {"$token": "k", "$distinct_id": "u", "$set": {"a": 1}}, "mixpanel"),
        ("/engage", {"api_key": "k", "$distinct_id": "u", "$set": {"a": 1}}, "posthog"),
    ],
)
def test_a_shared_paths_bodies_are_told_apart(path: str, body: object, family: str) -> None:
    door = Door()
    assert door.post(path, body).status == 200
    assert [record.path.split("/")[1] for record in door.log.records] == [family]


AMPLITUDE = {"api_key": "k", "events": [{"event_type": "x", "user_id": "u"}]}
MIXPANEL = {"event": "x", "properties": {"token": "k", "distinct_id": "u", "$insert_id": "i", "mp_lib": "node", "time": 1}}


@pytest.mark.parametrize(
    "body",
    [
        AMPLITUDE,
        MIXPANEL,
        [MIXPANEL],
        {"event": "x", "properties": {"token": "k", "distinct_id": "u", "time": 1}},
        {"$token": "k", "$distinct_id": "u", "$set": {"a": 1}},
        [{"$token": "k", "$distinct_id": "u", "$set": {"a": 1}}],
        SEGMENT,
        [],
        {},
        7,
    ],
)
def test_what_bears_another_familys_marks_is_not_claimed(body: object) -> None:
    assert not claims(json.dumps(body).encode())
    assert not claims(json.dumps(body).encode()[:-1])  # nor the beginning of it


@pytest.mark.parametrize(
    "body",
    [
        {"event": "x", "properties": {"token": "k", "distinct_id": "u", "$lib": "web"}},
        {"api_key": "k", "event": "x", "properties": {"distinct_id": "u"}},
        {"token": "k", "event": "x", "properties": {"distinct_id": "u"}},
        {"$distinct_id": "u", "$set": {"a": 1}, "properties": {}},
    ],
)
def test_what_bears_our_marks_is_claimed(body: object) -> None:
    assert claims(json.dumps(body).encode())
    assert claims(json.dumps(body).encode()[:-1])


def v1(door: Door, batch: object, token: str = "jw_web", encode: Any = bytes, path: str = V1) -> Reply:
    body = encode(json.dumps({"created_at": "2026-09-21T14:13:20Z", "batch": batch}).encode())
    headers = {
        "authorization": f"Bearer {token}",
        "posthog-sdk-info": "posthog-python/7.91.1",
        "posthog-request-id": "r-1",
        "posthog-attempt": "1",
        "posthog-request-timestamp": "2026-09-21T13:13:20Z",
    }
    return door.send("POST", path, body, headers)


V1_EVENT = {
    "event": "x",
    "uuid": "u-1",
    "distinct_id": "user-1",
    "timestamp": "2026-09-21T13:13:19Z",
    "session_id": "s-1",
    "window_id": "w-1",
    "options": {"process_person_profile": False},
    "properties": {"n": 1},
}


@pytest.mark.parametrize("encode", [bytes, gzip.compress, zlib.compress, zstandard.compress, brotli.compress])
def test_v1_tells_what_became_of_each_event(encode: Any) -> None:
    door = Door()
    bad = {**V1_EVENT, "uuid": "u-2", "distinct_id": "undefined"}
    reply = v1(door, [V1_EVENT, bad], encode=encode)
    assert (reply.status, reply.headers["posthog-request-id"]) == (200, "r-1")
    assert reply.json == {"results": {"u-1": {"result": "ok"}, "u-2": {"result": "drop", "details": "illegal_id"}}}
    assert "retry-after" not in reply.headers
    (call,), (reject,) = found(door)
    assert (call.event_id, call.anonymous_id, call.session_id, call.library) == (
        "u-1",
        "user-1",
        "s-1",
        "posthog-python/7.91.1",
    )
    assert call.time == RECEIVED - 1_000_000  # the sender's clock is an hour behind
    assert json.loads(call.properties) == {
        "n": 1,
        "$session_id": "s-1",
        "$window_id": "w-1",
        "$process_person_profile": False,
        "$lib": "posthog-python",
        "$lib_version": "7.91.1",
    }
    assert (reject.event_id, reject.reason) == ("u-2", "illegal_id")


def test_v1s_errors_have_its_own_fields() -> None:
    door = Door()
    wrong, broken = v1(door, [V1_EVENT], "nobody"), v1(door, 7)
    assert (wrong.status, wrong.json["error"]) == (401, "invalid_api_token")
    assert (broken.status, broken.json["error"]) == (400, "request_parsing_error")
    for reply in (wrong, broken):
        assert reply.headers["posthog-request-id"] == "r-1"
        assert {"error", "error_description", "error_uri"} <= reply.json.keys()


def test_sdks_hear_of_no_flags_and_where_to_send() -> None:
    door = Door()
    config = door.send("GET", "/array/jw_web/config").json
    assert config["analytics"]["endpoint"] == "/i/v0/e/" and config["sessionRecording"] is False
    script = door.send("GET", "/array/jw_web/config.js")
    assert script.headers["content-type"] == "application/javascript" and b'["jw_web"]={"config":{' in script.body
    assert door.send("GET", "/array/nobody/config").status == 401
    for path, query in (("/flags/", "v=2"), ("/flags/", "v=4"), ("/decide/", "v=3")):
        flags = door.send("POST", path, b"{}", {}, query).json
        assert (flags["featureFlags"], flags["flags"], flags["errorsWhileComputingFlags"]) == ({}, {}, False)
    assert door.send("OPTIONS", "/flags/").status == 200
    assert door.log.records == []


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
FIELDS = ("event", "uuid", "distinct_id", "$distinct_id", "timestamp", "offset", "sent_at", "session_id", "options", "$set")
NAMES = ("$identify", "$create_alias", "$groupidentify", "$pageview", "$screen", "$set", "$unset", "x")
PROPERTIES = ("distinct_id", "$device_id", "$anon_distinct_id", "alias", "$group_type", "$group_key", "$group_set", "$lib")
MARKS = (*PROPERTIES, "$set", "$set_once", "$unset", "$groups", "$current_url", "$os", "$is_identified", "$session_id")
EVENTS = st.builds(
    lambda fields, name, properties: {**fields, "event": name, "properties": properties},
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    st.sampled_from(NAMES) | VALUES,
    st.dictionaries(st.sampled_from(MARKS), VALUES, max_size=5) | VALUES,
)


@given(st.lists(EVENTS | VALUES, max_size=4), st.sampled_from(["/e", "/engage", V1]))
def test_every_event_ends_as_one_call_or_one_reject_whatever_is_in_it(batch: list[object], path: str) -> None:
    door = Door()
    reply = door.post(path, {"api_key": "jw_web", "batch": batch, "sent_at": batch and batch[0]})
    assert reply.status == 200
    calls, rejects = found(door)
    assert received(calls) + len(rejects) == len(batch)
    claims(json.dumps(batch).encode())


def test_the_configuration_does_not_name_surveys_whose_script_an_sdk_would_ask_for() -> None:
    assert "surveys" not in Door().send("GET", "/array/jw_web/config").json
