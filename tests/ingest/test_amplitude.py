"""Amplitude at the door and in the flush: whose body, the answers its SDKs act on, identifies, groups, devices."""

import gzip
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.actor import actor_id
from ingest.errors import LogFull
from ingest.protocols import decode
from ingest.protocols.call import Call, Reject
from ingest.record import Record
from tests.ingest.asgi import RECEIVED, Door

EXAMPLES = int(os.environ.get("JCURVE_TEST_DECODER_EXAMPLES", "60"))
EVENT = {"event_type": "Signed Up", "user_id": "user-1", "device_id": "dev-1", "insert_id": "i1", "time": 1_789_999_990_000}
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1"


def body(*events: object, **fields: object) -> dict[str, object]:
    return {"api_key": "jw_web", "events": list(events), **fields}


def decoded(*events: object, **fields: object) -> tuple[list[Call], list[Reject]]:
    content = json.dumps(body(*events, **fields)).encode()
    return decode(Record(RECEIVED, "default", "web", "/amplitude/httpapi", "192.0.2.7", "", content), "minted-{}".format)


def one(**fields: object) -> Call:
    (call,), rejects = decoded({**EVENT, **fields})
    assert rejects == []
    return call


def properties(**fields: object) -> Any:
    return json.loads(one(**fields).properties)


@pytest.mark.parametrize(("path", "logged"), [("/2/httpapi", "/amplitude/httpapi"), ("/batch/", "/amplitude/batch")])
def test_the_answer_counts_what_came(path: str, logged: str) -> None:
    door = Door()
    sent = json.dumps(body(EVENT, 7)).encode()
    reply = door.post(path, sent, key=None, content_type="text/plain")
    told = reply.json
    assert (reply.status, set(told)) == (200, {"code", "events_ingested", "payload_size_bytes", "server_upload_time"})
    assert (told["code"], told["events_ingested"], told["payload_size_bytes"]) == (200, 2, len(sent))
    assert told["server_upload_time"] > 1_790_000_000_000
    assert [record.path for record in door.log.records] == [logged]


@pytest.mark.parametrize(
    "sent",
    [
        {"batch": [{"type": "track", "userId": "u", "event": "E", "properties": {"events": []}}]},
        {"writeKey": "w", "batch": [], "events": []},
    ],
)
def test_a_batch_of_others_is_theirs(sent: dict[str, object]) -> None:
    door = Door()
    assert door.post("/batch", {"api_key": "jw_web", **sent}, key=None).json == {"success": True}
    assert [record.path for record in door.log.records] == ["/v1/batch"]


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/2/httpapi", b'{"api_key":"jw_web","events":', 400),
        ("/2/httpapi", b'{"api_key":"jw_web"}', 400),
        ("/2/httpapi", b'{"api_key":"jw_web","events":7}', 400),
        ("/2/httpapi", b"[1]", 400),
        ("/2/httpapi", b'{"api_key":"jw_web","events":["' + b"x" * 1_100_000 + b'"]}', 413),
        ("/batch", b'{"api_key":"jw_web","events":["' + b"x" * 21_000_000 + b'"]}', 413),
    ],
)
def test_a_body_that_cannot_be_taken_is_never_sent_again_as_it_is_and_kept(path: str, content: bytes, status: int) -> None:
    door = Door()
    reply = door.post(path, content)
    assert (reply.status, reply.json["code"]) == (status, status)
    assert ("missing_field" in reply.json) == (status == 400)
    (record,) = door.log.records
    assert content.startswith(record.body) and decode(record, str)[0] == []


def test_a_gzipped_body_and_a_path_below_a_prefix_are_taken() -> None:
    door = Door(prefix="/x7k")
    sent = gzip.compress(json.dumps(body(EVENT)).encode())
    assert door.post("/x7k/2/httpapi", sent, key=None, content_type="application/json").json["events_ingested"] == 1
    assert [call.event_id for call in decode(door.log.records[0], str)[0]] == ["i1"]


def test_batches_may_be_larger_at_batch() -> None:
    door = Door()
    events = [{**EVENT, "insert_id": f"i{at}", "event_properties": {"x": "x" * 20_000}} for at in range(100)]
    assert door.post("/batch", body(*events), key=None).json["events_ingested"] == 100
    assert len(decode(door.log.records[0], str)[0]) == 100


@pytest.mark.parametrize(
    ("key", "error"),
    [("jw_unknown", "Invalid API key: jw_unknown"), ("jr_read", "Invalid API key: jr_read"), ("", "Missing API key: ")],
)
def test_a_wrong_key_is_a_400_that_stops_its_sdks(key: str, error: str) -> None:
    door = Door()
    for path in ("/2/httpapi", "/batch"):
        reply = door.post(path, {"api_key": key, "events": [EVENT]}, key=None)
        assert (reply.status, reply.json["code"]) == (400, 400)
        assert reply.json["error"].startswith(error)
    assert door.log.records == []


def test_no_room_is_a_503() -> None:
    door = Door()
    door.log.fault = LogFull("The disk is full", retry_after=2.5)
    reply = door.post("/2/httpapi", body(EVENT))
    assert (reply.status, reply.json["code"], reply.headers["retry-after"]) == (503, 503, "3")


def test_a_browsers_event_fills_the_columns() -> None:
    call = one(
        session_id=1_789_999_000_000,
        platform="Web",
        language="de-DE",
        ip="$remote",
        user_agent=PHONE,
        os_name="Mobile Safari",
        library="amplitude-ts/2.47.1",
        app_version="2.1",
        country="DE",
        groups={"company": ["acme", "b"], "team": 7},
        event_id=12,
        event_properties={
            "[Amplitude] Page Location": "https://a.example/docs?utm_source=news",
            "[Amplitude] Page URL": "https://a.example/docs",
            "[Amplitude] Page Path": "/docs",
            "referrer": "https://b.example/",
        },
    )
    assert (call.kind, call.event, call.event_id, call.user_id, call.anonymous_id) == (
        "track",
        "Signed Up",
        "i1",
        "user-1",
        "dev-1",
    )
    assert (call.time, call.original_time, call.actor_id) == (
        RECEIVED - 10_000_000,
        RECEIVED - 10_000_000,
        actor_id("user", "user-1"),
    )
    assert (call.session_id, call.account_id, call.library) == ("1789999000000", "acme", "amplitude-ts/2.47.1")
    assert (call.page_url, call.page_path) == ("https://a.example/docs?utm_source=news", "/docs")
    assert (call.page_referrer, call.utm_source) == ("https://b.example/", "news")
    assert (call.device, call.os, call.browser) == ("mobile", "iOS", "Safari")
    assert (call.locale, call.app_version, call.country) == ("de-DE", "2.1", "DE")
    assert json.loads(call.context).items() >= {"platform": "Web", "os_name": "Mobile Safari"}.items()
    assert json.loads(call.context)["groups"] == {"company": ["acme", "b"], "team": 7}


def test_a_phone_says_what_it_is() -> None:
    call = one(platform="iOS", os_name="ios", os_version="17.5", device_model="iPhone 15", carrier="Telekom", session_id=-1)
    assert (call.device, call.os, call.session_id) == ("mobile", "ios", None)
    assert json.loads(call.context) == {
        "os": {"name": "ios", "version": "17.5"},
        "device": {"model": "iPhone 15", "type": "iOS"},
        "platform": "iOS",
        "carrier": "Telekom",
    }


def test_a_device_without_a_user_is_anonymous() -> None:
    call = one(user_id=None)
    assert (call.user_id, call.anonymous_id, call.actor_id) == (None, "dev-1", actor_id("anonymous", "dev-1"))


def test_a_device_that_an_event_names_beside_its_user_becomes_that_users() -> None:
    call = one()
    assert (call.kind, call.user_id, call.anonymous_id, call.previous_id) == ("track", "user-1", "dev-1", "dev-1")
    assert [one(user_id=None).previous_id, one(device_id=None).previous_id] == [None, None]


def test_an_event_without_an_insert_id_gets_one_and_a_copy_keeps_its_own() -> None:
    bare = {"event_type": "E", "user_id": "u"}
    calls, _ = decoded(bare, EVENT, EVENT, client_upload_time="2026-09-21T14:13:19Z")
    assert [call.event_id for call in calls] == ["minted-0", "i1", "i1"]
    assert {call.sent_at for call in calls} == {RECEIVED - 1_000_000}
    assert (calls[0].time, calls[0].original_time) == (RECEIVED, None)


def test_a_clock_that_is_an_hour_slow_is_put_right() -> None:
    slow = 1_789_999_990_000 - 3_600_000
    (call,), _ = decoded({**EVENT, "time": slow}, client_upload_time="2026-09-21T13:13:20Z")
    assert call.time == RECEIVED - 10_000_000


@pytest.mark.parametrize(
    ("sent", "traits"),
    [
        ({"$set": {"plan": "pro"}, "$unset": {"trial": "-"}}, {"plan": "pro", "trial": None}),
        (
            {"$setOnce": {"first": 1}, "$add": {"logins": 1}, "$append": {"tags": "a"}, "$set": {}},
            {"$set_once": {"first": 1}, "$add": {"logins": 1}, "$append": {"tags": "a"}},
        ),
        ({"plan": "pro"}, {"plan": "pro"}),
        ({"$clearAll": "-"}, {"$clearAll": "-"}),
        ({"$set": 7}, {"$set": 7}),
    ],
)
def test_an_identify_sets_traits_and_keeps_its_other_operations(sent: object, traits: object) -> None:
    call = one(event_type="$identify", user_properties=sent)
    assert (call.kind, call.event, json.loads(call.properties)) == ("identify", "$identify", traits)
    assert (call.user_id, call.anonymous_id) == ("user-1", "dev-1")


def test_user_properties_of_another_event_are_its_contexts_traits() -> None:
    call = one(user_properties={"$set": {"plan": "pro"}}, event_properties={"n": 1})
    assert (call.kind, json.loads(call.properties)) == ("track", {"n": 1})
    assert json.loads(call.context)["traits"] == {"plan": "pro"}


def test_a_group_identify_describes_the_group() -> None:
    group = {"event_type": "$groupidentify", "groups": {"company": "acme"}, "group_properties": {"$set": {"name": "Acme"}}}
    call = one(**group)
    assert (call.kind, call.account_id, call.user_id, json.loads(call.properties)) == (
        "group",
        "acme",
        "user-1",
        {"name": "Acme"},
    )
    nobodys = one(**group, user_id=None, device_id=None)
    assert (nobodys.kind, nobodys.account_id, nobodys.anonymous_id) == ("group", "acme", "$company_acme")


def test_who_is_put_into_a_group_belongs_to_it() -> None:
    joined = one(event_type="$identify", groups={"company": "acme"}, user_properties={"$set": {"company": "acme"}})
    assert (joined.kind, joined.account_id, json.loads(joined.properties)) == ("group", "acme", {})
    assert json.loads(joined.context)["traits"] == {"company": "acme"}
    both = one(event_type="$identify", groups={"company": "acme"}, user_properties={"$set": {"plan": "pro"}})
    assert (both.kind, both.account_id, json.loads(both.properties)) == ("identify", "acme", {"plan": "pro"})


def test_revenue_is_a_property_wherever_it_stands() -> None:
    within = {"$price": 3.99, "$quantity": 3, "$productId": "p"}
    assert properties(event_type="revenue_amount", event_properties=within) == within
    beside = properties(price=3.99, quantity=3, productId="p", revenue=11.97, event_properties={"price": 1, "n": 2})
    assert beside == {"price": 1, "n": 2, "quantity": 3, "productId": "p", "revenue": 11.97}


@pytest.mark.parametrize(
    ("bad", "reason", "event_id"),
    [
        (7, "not_an_object", None),
        ({"user_id": "u", "insert_id": "i2"}, "missing_event", "i2"),
        ({"event_type": "E", "insert_id": "i2"}, "missing_identity", "i2"),
        ({"event_type": "E", "user_id": "undefined", "insert_id": "i2"}, "illegal_id", "i2"),
        ({"event_type": "E", "user_id": {"a": 1}, "insert_id": "i2"}, "illegal_id", "i2"),
        ({**EVENT, "insert_id": "i2", "event_properties": {"x": "x" * 1_100_000}}, "too_large", "i2"),
        ({"event_type": "$groupidentify", "user_id": "u", "insert_id": "i2", "groups": 7}, "missing_group", "i2"),
    ],
)
def test_a_bad_event_is_rejected_alone(bad: object, reason: str, event_id: str | None) -> None:
    (call,), (reject,) = decoded(EVENT, bad)
    assert (call.event_id, reject.reason, reject.event_id) == ("i1", reason, event_id)


def test_fields_of_any_shape_are_kept_or_ignored_but_never_stop_an_event() -> None:
    call = one(time="x", session_id={"a": 1}, groups=7, library=7, platform=[], event_properties=[1], user_properties="x")
    assert (call.original_time, call.account_id, call.library, json.loads(call.properties)) == (
        None,
        None,
        None,
        {"$value": [1]},
    )
    assert one(event_properties={"[Amplitude] Page URL": 7}).page_url is None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["undefined", "Web", "-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["$set", "$unset", "$add", "a", ""]), inner),
    max_leaves=8,
)
NAMES = (
    "event_type user_id device_id insert_id time session_id groups group_properties user_properties event_properties "
    "platform os_name device_model app_version country language ip library price revenue app page traits context"
)
EVENTS = VALUES | st.dictionaries(st.sampled_from(NAMES.split()), VALUES).map(lambda some: {"user_id": "u", **some})


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(EVENTS, max_size=4), st.dictionaries(st.sampled_from(["client_upload_time", "options", "batch"]), VALUES))
def test_every_event_ends_as_one_call_or_one_reject(events: list[object], envelope: dict[str, object]) -> None:
    calls, rejects = decoded(*events, **envelope)
    assert len(calls) + len(rejects) == len(events)
    for call in calls:
        assert isinstance(json.loads(call.properties), dict) and isinstance(json.loads(call.context), dict)
        assert call.event_id and call.event and (call.user_id or call.anonymous_id)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(["/2/httpapi", "/batch"]), st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode())
)
def test_no_bytes_bring_the_door_down_or_vanish(path: str, content: bytes) -> None:
    door = Door()
    assert door.post(path, content).status in (200, 400)
    assert len(door.log.records) == 1


def test_a_page_that_asks_for_its_remote_configuration_hears_that_there_is_none() -> None:
    door = Door()
    assert door.send("GET", "/config/jw_web", query="config_group=browser").json == {"configs": {}}
    assert door.send("POST", "/config/jw_web", query="config_group=browser").status == 405
    assert door.send("GET", "/config/jw_web").status == 404  # somebody else's
