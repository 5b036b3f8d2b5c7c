"""Mixpanel at the door and in the flush: its wrappings, its answers, whose a shared path's body is, who is who."""

import base64
import json
import os
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import LogFull
from ingest.protocols import decode, mixpanel, mixpanel_seen
from ingest.protocols.call import Call, Reject
from ingest.record import Record
from tests.ingest.asgi import RECEIVED, Door, basic

EXAMPLES = int(os.environ.get("JCURVE_TEST_DECODER_EXAMPLES", "60"))
WITHIN = {"token": "jw_web", "distinct_id": "u1", "time": 1_789_999_990, "$insert_id": "i1", "plan": "pro"}
EVENT = {"event": "Signed Up", "properties": WITHIN}
UPDATE = {"$token": "jw_web", "$distinct_id": "u1", "$set": {"plan": "pro"}}
GROUP = {"$token": "jw_web", "$group_key": "company", "$group_id": "acme", "$set": {"name": "Acme GmbH"}}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def decoded(*events: object, at: str = "track", kept: str = "") -> tuple[list[Call], list[Reject]]:
    record = Record(RECEIVED, "default", "web", f"/mixpanel/{at}{kept}", "192.0.2.7", "", json.dumps(events).encode())
    return decode(record, "minted-{}".format)


def one(event: object, at: str = "track") -> Call:
    (call,), rejects = decoded(event, at=at)
    assert rejects == []
    return call


def tracked(**within: object) -> Call:
    return one(
        {
            "event": "Signed Up",
            "properties": {name: value for name, value in {**WITHIN, **within}.items() if value is not None},
        }
    )


def base64ed(document: object) -> bytes:
    return base64.b64encode(json.dumps(document).encode())


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([EVENT]).encode(),
        json.dumps(EVENT).encode(),
        b"data=" + quote(json.dumps(EVENT)).encode() + b"&ip=0",
        b"data=" + quote(base64ed([EVENT])).encode(),
        b"ip=0&data=" + quote(base64ed(EVENT)).encode(),
        base64ed(EVENT),
        json.dumps(EVENT).encode() + b"\n" + json.dumps(EVENT).encode(),
    ],
)
@pytest.mark.parametrize("path", ["/track", "/track/", "/import"])
def test_events_come_in_every_wrapping(path: str, body: bytes) -> None:
    door = Door()
    assert door.send("POST", path, body).status == 200
    calls, rejects = decode(door.log.records[0], str)
    assert {(call.kind, call.event, call.user_id, call.event_id) for call in calls} == {("track", "Signed Up", "u1", "i1")}
    assert rejects == []


@pytest.mark.parametrize(("path", "sent"), [("/track", EVENT), ("/engage/", UPDATE), ("/groups", GROUP), ("/import", EVENT)])
def test_a_get_carries_its_event_in_the_query(path: str, sent: object) -> None:
    door = Door()
    query = urlencode({"ip": 0, "verbose": 0, "data": base64ed(sent).decode()})
    reply = door.send("GET", path, query=query)
    assert (reply.status, reply.body) == (200, b"1")
    assert [len(decode(record, str)[0]) for record in door.log.records] == [1]


@pytest.mark.parametrize("path", ["/track", "/engage", "/groups"])
def test_the_answer_is_1_or_in_words_if_asked_for_in_query_or_form(path: str) -> None:
    door, sent = Door(), {"/track": EVENT, "/engage": UPDATE, "/groups": GROUP}[path]
    form = b"data=" + quote(json.dumps(sent)).encode()
    assert door.send("POST", path, form, FORM).body == b"1"
    for reply in (
        door.send("POST", path, form + b"&verbose=1&ip=0"),
        door.send("POST", path, form, query="verbose=1&ip=1&_=1790000000000"),
    ):
        assert (reply.status, reply.json) == (200, {"status": 1, "error": None})


def test_an_import_tells_how_many_were_stored() -> None:
    reply = Door().post("/import", [EVENT, EVENT])
    assert (reply.status, reply.json) == (200, {"code": 200, "num_records_imported": 2, "status": "OK"})


def test_a_strict_import_names_the_bad_events_and_keeps_the_good_ones() -> None:
    door = Door()
    bad = {"event": "", "properties": {"token": "jw_web", "distinct_id": "u1", "$insert_id": "bad"}}
    body = json.dumps([EVENT, bad, EVENT]).encode()
    reply = door.send("POST", "/import", body, {"authorization": basic("jw_web:")}, "strict=1&project_id=7")
    assert (reply.status, reply.json["code"], reply.json["num_records_imported"]) == (400, 400, 2)
    (failed,) = reply.json["failed_records"]
    assert (failed["index"], failed["insert_id"], failed["field"]) == (1, "bad", "missing_event")
    calls, rejects = decode(door.log.records[0], str)
    assert ([call.event_id for call in calls], [reject.event_id for reject in rejects]) == (["i1", "i1"], ["bad"])
    fine = door.send("POST", "/import", json.dumps([EVENT]).encode(), query="strict=1")
    assert (fine.status, fine.json["num_records_imported"], fine.json["status"]) == (200, 1, "OK")


@pytest.mark.parametrize(
    ("sent", "mine"),
    [
        (EVENT, True),
        ([{"event": "Bulk", "properties": {"token": "t", "distinct_id": "u"}}], True),
        ({"$token": "t", "$distinct_id": "u", "$add": {"n": 1}}, True),
        ([GROUP], True),
        ({"event": "E", "api_key": "phc", "distinct_id": "u", "properties": {"$lib": "web"}}, False),
        ({"event": "E", "properties": {"token": "phc", "distinct_id": "u", "$lib": "web"}}, False),
        ([{"event": "E", "uuid": "x", "properties": {"token": "phc"}}], False),
        ({"event": "$identify", "$set": {}, "distinct_id": "u", "token": "phc"}, False),
        ({"type": "track", "event": "E", "userId": "u", "writeKey": "w", "properties": {}}, False),
        ([], False),
        (7, False),
    ],
)
def test_whose_a_body_is_tells_where_its_token_stands(sent: object, mine: bool) -> None:
    assert mixpanel.claims(json.dumps(sent).encode()) is mine


@pytest.mark.parametrize(
    ("path", "sent", "logged"),
    [
        ("/track", EVENT, "/mixpanel/track"),
        ("/track", {"event": "E", "api_key": "jw_web", "distinct_id": "u"}, "/posthog/events"),
        ("/engage", [UPDATE], "/mixpanel/engage"),
        ("/engage", {"api_key": "jw_web", "$distinct_id": "u", "$set": {"plan": "pro"}}, "/posthog/engage"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_posthogs_bodies_at_the_same_paths_are_posthogs(method: str, path: str, sent: object, logged: str) -> None:
    door, form = Door(), b"data=" + quote(base64ed(sent)).encode()
    reply = door.send(method, path, form if method == "POST" else b"", query=form.decode() if method == "GET" else "")
    assert reply.status == 200
    assert [record.path for record in door.log.records] == [logged]


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"", 400), (b"7", 400), (b'[{"x":"' + b"x" * 10_500_000, 413)]
)
def test_a_body_that_cannot_be_taken_is_refused_for_good_and_kept(content: bytes, status: int) -> None:
    door = Door()
    reply = door.send("POST", "/track", content, query="token=jw_web&verbose=1")
    assert (reply.status, reply.json["status"]) == (status, 0)
    assert reply.json["error"]
    (record,) = door.log.records
    calls, (reject,) = decode(record, str)
    assert calls == [] and content.startswith(reject.raw)


def test_an_unknown_token_is_refused_in_words_its_sdks_show() -> None:
    door = Door()
    reply = door.post("/track", {"event": "E", "properties": {"token": "nobody"}}, key=None)
    assert (reply.status, reply.json["status"]) == (401, 0)
    assert "Invalid write key" in reply.json["error"]
    assert door.log.records == []


def test_without_room_it_is_asked_to_send_again() -> None:
    door = Door()
    door.log.fault = LogFull("The disk is full", retry_after=2)
    reply = door.post("/track", EVENT, key=None)
    assert (reply.status, reply.headers["retry-after"], reply.json["status"]) == (503, "2", 0)


def test_a_bad_event_does_not_take_the_good_ones_with_it() -> None:
    bad = [
        {"event": "E", "properties": {**WITHIN, "distinct_id": ["u"]}},
        {"properties": WITHIN},
        7,
        {"event": "E", "properties": {}},
    ]
    calls, rejects = decoded(EVENT, *bad)
    assert [call.event_id for call in calls] == ["i1"]
    assert [reject.reason.value for reject in rejects] == [
        "illegal_id",
        "missing_event",
        "not_an_object",
        "missing_identity",
    ]


def test_an_event_is_read_in_full() -> None:
    page = {
        "$current_url": "https://a.example/docs?x=1",
        "$referrer": "https://g.example/",
        "utm_source": "news",
        "utm_campaign": "c",
    }
    call = tracked(**page, **{"$os": "Mac OS X", "mp_lib": "web", "$lib_version": "2.83.0", "$app_version_string": "7"})
    assert (call.event_id, call.kind, call.event, call.time) == ("i1", "track", "Signed Up", 1_789_999_990_000_000)
    assert (call.page_url, call.page_path, call.page_referrer) == (page["$current_url"], "/docs", "https://g.example/")
    assert (call.utm_source, call.utm_campaign, call.library) == ("news", "c", "web/2.83.0")
    assert (call.os, call.app_version) == ("Mac OS X", "7")
    properties = json.loads(call.properties)
    assert properties.items() >= {"plan": "pro", "$insert_id": "i1", "$os": "Mac OS X"}.items()
    assert "jw_web" not in call.properties.decode() + call.context.decode()


def test_a_page_view_is_a_page_call() -> None:
    assert one({"event": "$mp_web_page_view", "properties": WITHIN}).kind == "page"


@pytest.mark.parametrize(
    ("time", "micros"),
    [
        (1_789_999_990, 1_789_999_990_000_000),
        (1_789_999_990_123, 1_789_999_990_123_000),
        (1_789_999_990.5, 1_789_999_990_500_000),
        (None, RECEIVED),
    ],
)
def test_times_are_seconds_or_milliseconds(time: float | None, micros: int) -> None:
    assert tracked(time=time).time == micros


def test_an_event_without_an_id_is_named_by_its_place() -> None:
    assert [call.event_id for call in decoded(UPDATE, UPDATE, at="engage")[0]] == ["minted-0", "minted-1"]


@pytest.mark.parametrize(
    ("ids", "user", "anonymous"),
    [
        ({"distinct_id": "u1"}, "u1", None),
        ({"distinct_id": 42}, "42", None),
        ({"distinct_id": "$device:d1"}, None, "d1"),
        ({"distinct_id": "$device:d1", "$device_id": "d1"}, None, "d1"),
        ({"distinct_id": "d1", "$device_id": "d1"}, None, "d1"),
        ({"distinct_id": "u1", "$device_id": "d1"}, "u1", "d1"),
        ({"distinct_id": "x", "$device_id": "d1", "$user_id": "u1"}, "u1", "d1"),
    ],
)
def test_who_it_was(ids: dict[str, Any], user: str | None, anonymous: str | None) -> None:
    call = tracked(**ids)
    assert (call.user_id, call.anonymous_id) == (user, anonymous)
    assert call.previous_id == ("d1" if "$user_id" in ids and "$device_id" in ids else None)  # both named: one person


@pytest.mark.parametrize(
    ("event", "within", "told"),
    [
        ("$identify", {"distinct_id": "u1", "$anon_distinct_id": "$device:d1"}, ("identify", "u1", "d1", None)),
        ("$identify", {"$identified_id": "u1", "$anon_id": "d1"}, ("identify", "u1", "d1", None)),
        ("$create_alias", {"distinct_id": "u1", "alias": "u2"}, ("alias", "u1", None, "u2")),
        ("$create_alias", {"distinct_id": "$device:d1", "alias": "u2"}, ("identify", "u2", "d1", None)),
        ("$merge", {"$distinct_ids": ["u1", "u2"]}, ("alias", "u1", None, "u2")),
    ],
)
def test_two_ids_of_one_person(event: str, within: dict[str, Any], told: tuple[str | None, ...]) -> None:
    call = one({"event": event, "properties": {"token": "jw_web", **within}})
    assert (call.kind, call.user_id, call.anonymous_id, call.previous_id) == told


@pytest.mark.parametrize(
    ("operation", "traits"),
    [
        ({"$set": {"plan": "pro", "$email": "zoë@a.example"}}, {"plan": "pro", "$email": "zoë@a.example"}),
        ({"$unset": ["trial"]}, {"trial": None}),
        ({"$add": {"logins": 1}}, {"$add": {"logins": 1}}),
        ({"$set_once": {"first": "a"}}, {"$set_once": {"first": "a"}}),
        ({"$append": {"l": 1}, "$union": {"m": [2]}}, {"$append": {"l": 1}, "$union": {"m": [2]}}),
        ({"$delete": ""}, {"$delete": ""}),
    ],
)
def test_updates_of_people_and_groups_are_identify_and_group_events(operation: dict[str, Any], traits: object) -> None:
    person = one(
        {"$token": "jw_web", "$distinct_id": "$device:d1", "$time": 1_789_999_990_000, "$ip": 0, **operation}, "engage"
    )
    assert (person.kind, person.user_id, person.anonymous_id, person.time) == ("identify", None, "d1", 1_789_999_990_000_000)
    assert json.loads(person.properties) == traits
    group = one({**GROUP, "$set": {}, **operation}, "groups")
    assert (group.kind, group.account_id, group.anonymous_id) == ("group", "acme", "$company_acme")
    assert json.loads(group.properties) == traits


def test_halves_of_an_emoji_become_one_again() -> None:
    content = (
        json.dumps([{"event": "E", "properties": {**WITHIN, "emoji": "HERE"}}])
        .encode()
        .replace(b"HERE", b"\xed\xa0\xbe\xed\xb6\x94")
    )
    door = Door()
    assert door.send("POST", "/track", b"data=" + quote(base64.b64encode(content)).encode()).body == b"1"
    (call,), _ = decode(door.log.records[0], str)
    assert json.loads(call.properties)["emoji"] == "🦔"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)
NAMES = [
    "distinct_id",
    "$device_id",
    "$user_id",
    "time",
    "$insert_id",
    "$current_url",
    "alias",
    "$distinct_ids",
    "$set",
    "$unset",
    "$group_id",
    "$group_key",
]
WITHINS = st.dictionaries(st.sampled_from([*NAMES, "$distinct_id", "$os", "utm_source"]), JSON)
EVENTS = st.fixed_dictionaries(
    {"event": st.sampled_from(["E", "$identify", "$merge", "$create_alias"]) | JSON, "properties": WITHINS | JSON}
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(EVENTS | WITHINS | JSON, max_size=4), st.sampled_from(["track", "engage", "groups", "import"]))
def test_every_event_ends_as_one_call_or_one_reject(events: list[object], at: str) -> None:
    calls, rejects = decoded(*events, at=at)
    assert len(calls) + len(rejects) == len(events)
    assert mixpanel.claims(json.dumps(events).encode()) in (True, False)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('{"a":1,"token":"jw_web","b":2}', {"a": 1, "b": 2}),
        ('{"token":"jw_web","b":2}', {"b": 2}),
        ('{"token":"jw_web"}', {}),
        ('{"a":1,"token":"jw_web"}', {"a": 1}),
        ('{ "a" : 1 , "token" : "jw_web" }', {"a": 1}),
        ('{"a":{"token":"jw_web"},"token":"jw_web"}', {"a": {"token": "jw_web"}}),
        ('{"a":{"token":"jw_web"},"tok\\u0065n":"jw_web"}', {"a": {"token": "jw_web"}}),
        ('{"a":"x,\\"token\\":\\"jw_web\\"","token":"jw_web"}', {"a": 'x,"token":"jw_web"'}),
        ('{"token":"jw_web","token":"jw_other"}', {}),
        ('{"token":["jw_web"],"a":1}', {"a": 1}),
        ('{"token":null}', {}),
        ("{}", {}),
    ],
)
def test_the_write_key_alone_is_taken_out_of_the_properties(sent: str, kept: dict[str, object]) -> None:
    seen, _ = mixpanel_seen.read(sent.encode())
    assert json.loads(mixpanel_seen.without_token(sent.encode(), seen.token)) == kept


def test_a_page_that_asks_for_remote_settings_hears_that_no_sessions_are_recorded() -> None:
    door = Door()
    asked = "mp_lib=web&sdk_config=1"
    assert door.send("GET", "/settings/", query=asked).json() == {"sdk_config": {"config": {"record_sessions_percent": 0}}}
    assert door.send("OPTIONS", "/settings/", query=asked).status == 200
    assert door.send("POST", "/settings/", query=asked).status == 405
    assert door.send("GET", "/settings").status == 404  # somebody else's
