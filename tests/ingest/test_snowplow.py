"""Snowplow at the door and in the flush: its paths, its keys, its cookie, answers that end its retries, its events."""

import base64
import json
import os
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import LogFull
from ingest.protocols import decode
from ingest.protocols.call import Call, Reject
from ingest.record import Record
from tests.ingest.asgi import RECEIVED, Door

EXAMPLES = int(os.environ.get("JCURVE_TEST_DECODER_EXAMPLES", "60"))
TP2 = "/com.snowplowanalytics.snowplow/tp2"
EVENT = {
    "e": "pv",
    "eid": "e1",
    "aid": "jw_web",
    "duid": "d1",
    "dtm": "1789999990000",
    "url": "https://a.example/docs?utm_source=x",
}
ORDER = {"schema": "iglu:com.acme/order/jsonschema/1-0-0", "data": {"revenue": 59.97, "emoji": "🦔 café", "none": None}}
WRAPPED = {"schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0", "data": ORDER}
VISITOR = "0b0f6d2e-6c4f-4d8e-9d25-0f8a8b8e3c11"


def body(*events: object) -> bytes:
    return json.dumps(
        {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": events}
    ).encode()


def decoded(*events: object, kept: str = "") -> tuple[list[Call], list[Reject]]:
    record = Record(RECEIVED, "default", "web", f"/snowplow/tp2{kept}", "192.0.2.7", "", body(*events))
    return decode(record, "minted-{}".format)


def one(kept: str = "", **fields: object) -> Call:
    event = {name: value for name, value in {**EVENT, **fields}.items() if value is not None}
    (call,), rejects = decoded(event, kept=kept)
    assert rejects == []
    return call


def base64url(document: object, padded: bool = False) -> str:
    encoded = base64.urlsafe_b64encode(json.dumps(document, ensure_ascii=False).encode()).decode()
    return encoded if padded else encoded.rstrip("=")


@pytest.mark.parametrize("path", [TP2, "/com.acme/v1", f"{TP2}/", f"/jw_web{TP2}", "/acme/track", "/jw_web/my-own/path"])
def test_events_posted_to_any_vendors_path_are_taken(path: str) -> None:
    door = Door()
    reply = door.send("POST", path, body({**EVENT, "aid": "shop" if "jw_" in path else "jw_web"}))
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"ok", "text/plain; charset=utf-8")
    assert [record.path.partition("?")[0] for record in door.log.records] == [
        "/snowplow/tp2" if "." in path else "/snowplow/chosen"
    ]


def test_what_is_no_event_of_its_is_not_taken_at_a_path_of_the_users_own_but_kept() -> None:
    door = Door()
    assert door.post("/V1/track", {"event": "Paid", "userId": "u"}).status == 404
    assert [record.path.partition("#")[0] for record in door.log.records] == ["/snowplow/chosen"]
    assert door.send("POST", "/V1/track", b'{"event":"Paid","userId":"u"}').status == 404
    assert door.send("GET", "/acme/track").status == 404
    assert len(door.log.records) == 1


@pytest.mark.parametrize(
    "path", ["/api/v1", "/docs/tp2", "/.well-known/security.txt", "/web/app.js", "/people/ada@a.example"]
)
def test_paths_of_others_are_not_its_own(path: str) -> None:
    door = Door()
    assert door.send("POST", path, body(EVENT)).status == 404
    assert door.log.records == []


@pytest.mark.parametrize("path", ["/i", "/ice.png", "/jw_web/i"])
def test_a_pixel_carries_its_event_in_the_query(path: str) -> None:
    door = Door()
    query = "&".join(f"{name}={quote(value)}" for name, value in EVENT.items())
    reply = door.send("GET", path, query=query)
    assert (reply.status, len(reply.body), reply.headers["content-type"]) == (200, 43, "image/gif")
    assert reply.headers["cache-control"] == "no-cache, no-store, must-revalidate"
    head = door.send("HEAD", path, query=query)
    assert (head.status, head.body) == (200, b"")
    (call,), _ = decode(door.log.records[0], str)
    assert (call.event_id, call.kind, call.page_url, call.anonymous_id) == ("e1", "page", EVENT["url"], "d1")


@pytest.mark.parametrize("path", [TP2, "/com.acme/v1", "/acme/track", "/jw_web/my-own/path", "/acme/track/"])
def test_any_vendors_path_is_a_pixel_by_get(path: str) -> None:
    door = Door()
    query = "&".join(f"{name}={quote(value)}" for name, value in EVENT.items())
    for method, length in (("GET", 43), ("HEAD", 0)):
        reply = door.send(method, path, query=query)
        assert (reply.status, len(reply.body), reply.headers["content-type"]) == (200, length, "image/gif")
        assert reply.headers["set-cookie"].startswith("sp=")
    assert [decode(record, str)[0][0].event_id for record in door.log.records] == ["e1", "e1"]


def test_an_event_posted_to_the_pixels_path_is_answered_as_any_that_is_posted() -> None:
    assert Door().send("POST", "/i", body(EVENT)).body == b"ok"


def test_a_browser_is_given_a_cookie_and_keeps_it() -> None:
    door = Door()
    first = door.send("POST", TP2, body(EVENT)).headers["set-cookie"]
    assert first.startswith("sp=") and "Path=/; HttpOnly; SameSite=Lax" in first
    again = door.send("POST", TP2, body({"e": "pv", "aid": "jw_web"}), {"cookie": f"a=b; sp={VISITOR}; c=d"})
    assert again.headers["set-cookie"].startswith(f"sp={VISITOR}; Max-Age=31536000")
    (call,), _ = decode(door.log.records[1], str)
    assert (call.anonymous_id, door.log.records[1].ip) == (VISITOR, "192.0.2.7")


def test_who_is_anonymous_by_choice_gets_no_cookie_and_leaves_no_address() -> None:
    door = Door()
    reply = door.send(
        "POST", TP2, body({"e": "pv", "aid": "jw_web", "eid": "e1"}), {"sp-anonymous": "*", "cookie": f"sp={VISITOR}"}
    )
    assert (reply.status, "set-cookie" in reply.headers) == (200, False)
    (record,) = door.log.records
    assert (record.ip, record.path) == ("", "/snowplow/tp2")
    (call,), _ = decode(record, str)
    assert (call.anonymous_id, call.user_id) == ("e1", None)  # stands alone


@pytest.mark.parametrize(
    "content", [b'{"data":[{"aid":"jw_web",', b"\xff\xfe", b"", b"7", body({**EVENT, "x": "x" * 2_000_001})]
)
def test_a_body_that_cannot_be_taken_is_answered_so_that_it_never_comes_again_and_kept(content: bytes) -> None:
    door = Door()
    reply = door.send("POST", TP2, content, query="writeKey=jw_web")
    assert (reply.status, reply.body) == (200, b"ok")
    (record,) = door.log.records
    calls, (reject,) = decode(record, str)
    assert calls == []
    assert content.startswith(reject.raw)


def test_whose_a_broken_body_is_tells_its_beginning() -> None:
    door = Door()
    assert door.send("POST", TP2, b'{"data":[{"aid":"jw_web",').status == 200
    assert door.send("POST", TP2, b'{"data":[{"aid":"nobody",').status == 200
    assert [record.path.partition("#")[0] for record in door.log.records] == ["/snowplow/tp2"]


def test_an_unknown_app_is_refused_for_good() -> None:
    door = Door()
    for reply in (door.send("POST", TP2, body({**EVENT, "aid": "shop"})), door.send("GET", "/i", query="e=pv&aid=shop")):
        assert (reply.status, reply.json["code"]) == (401, 401)
    assert door.send("POST", TP2, body({**EVENT, "aid": "jr_read"})).status == 401
    assert door.log.records == []


def test_of_several_apps_one_known_one_is_enough() -> None:
    assert Door().send("POST", TP2, body({**EVENT, "aid": "shop"}, EVENT)).status == 200


def test_without_room_it_is_asked_to_send_again() -> None:
    door = Door()
    door.log.fault = LogFull("The disk is full", retry_after=2)
    reply = door.send("POST", TP2, body(EVENT))
    assert (reply.status, reply.headers["retry-after"]) == (503, "2")


def test_pages_of_any_origin_may_post_with_its_headers() -> None:
    reply = Door().send(
        "OPTIONS", TP2, headers={"origin": "https://a.example", "access-control-request-headers": "sp-anonymous"}
    )
    assert (reply.status, reply.headers["access-control-allow-headers"]) == (200, "sp-anonymous")


def test_a_bad_event_does_not_take_the_good_ones_with_it() -> None:
    bad = {**EVENT, "e": "??", "eid": "bad"}
    calls, rejects = decoded(
        EVENT, bad, {**EVENT, "e": "ue", "eid": "torn", "ue_px": "e30"}, 7, {**EVENT, "uid": "undefined", "duid": ""}
    )
    assert [call.event_id for call in calls] == ["e1"]
    assert [(reject.reason.value, reject.event_id) for reject in rejects] == [
        ("unknown_type", "bad"),
        ("missing_event", "torn"),
        ("not_an_object", None),
        ("illegal_id", "e1"),
    ]


def test_a_page_view_is_a_page_call() -> None:
    call = one(page="Docs", refr="https://g.example/", lang="de", tv="py-1.1.0", sid="s1", tz="Europe/Berlin", uid="u1")
    assert (call.kind, call.event, call.user_id, call.anonymous_id) == ("page", "$page", "u1", "d1")
    assert (call.page_url, call.page_path, call.page_referrer) == (EVENT["url"], "/docs", "https://g.example/")
    assert (call.utm_source, call.locale, call.library, call.session_id) == ("x", "de", "snowplow-py/1.1.0", "s1")
    assert json.loads(call.properties) == {"url": EVENT["url"], "title": "Docs", "referrer": "https://g.example/"}
    assert json.loads(call.context)["timezone"] == "Europe/Berlin"
    assert "jw_web" not in call.context.decode()


@pytest.mark.parametrize(
    ("fields", "event", "properties"),
    [
        ({"e": "pp", "pp_mix": "0", "pp_may": "200"}, "page_ping", {"minXOffset": 0, "maxYOffset": 200}),
        (
            {"e": "se", "se_ca": "shop", "se_ac": "add", "se_la": "Zoë 🦔", "se_pr": "pcs", "se_va": "2.5"},
            "add",
            {"category": "shop", "action": "add", "label": "Zoë 🦔", "property": "pcs", "value": 2.5},
        ),
        ({"e": "se", "se_ac": "add", "se_va": "much"}, "add", {"action": "add", "value": "much"}),
        ({"e": "tr", "tr_id": "o1", "tr_tt": "59.97"}, "transaction", {"order_id": "o1", "total": 59.97}),
        ({"e": "ti", "ti_id": "o1", "ti_qu": "2"}, "transaction_item", {"order_id": "o1", "quantity": 2}),
        ({"e": "ue", "ue_pr": json.dumps(WRAPPED)}, "order", ORDER["data"]),
        ({"e": "ue", "ue_px": base64url(WRAPPED)}, "order", ORDER["data"]),
        ({"e": "ue", "ue_px": base64url(WRAPPED, padded=True)}, "order", ORDER["data"]),
    ],
)  # fmt: skip
def test_other_events_are_track_calls(fields: dict[str, Any], event: str, properties: object) -> None:
    call = one(**fields)
    assert (call.kind, call.event, json.loads(call.properties)) == ("track", event, properties)


def test_a_self_describing_identify_names_whose_the_device_is() -> None:
    described = {**WRAPPED, "data": {"schema": "iglu:com.acme/identify/jsonschema/1-0-0", "data": {"plan": "pro"}}}
    call = one(e="ue", ue_pr=json.dumps(described), uid="u1")
    assert (call.kind, call.user_id, call.anonymous_id) == ("identify", "u1", "d1")
    assert json.loads(call.properties) == {"plan": "pro"}


@pytest.mark.parametrize("encoded", [False, True])
def test_entities_are_kept_and_a_phones_session_is_its_own(encoded: bool) -> None:
    session = {
        "schema": "iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2",
        "data": {"userId": "p1", "sessionId": "s9"},
    }
    phone = {"schema": "iglu:com.snowplowanalytics.snowplow/mobile_context/jsonschema/1-0-3", "data": {"osType": "ios"}}
    whole = {"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": [session, phone]}
    call = one(duid=None, p="mob", **({"cx": base64url(whole)} if encoded else {"co": json.dumps(whole)}))
    assert (call.anonymous_id, call.session_id, call.os, call.device) == ("p1", "s9", "ios", "mobile")
    assert json.loads(call.context)["contexts"] == [session, phone]


def test_an_entity_without_data_leaves_the_context_sound() -> None:
    whole = {"schema": "iglu:com.acme/contexts/jsonschema/1-0-0", "data": [{"schema": "iglu:a/b/jsonschema/1-0-0"}, {}]}
    contexts = [{"schema": "iglu:a/b/jsonschema/1-0-0", "data": None}, {"schema": "", "data": None}]
    assert json.loads(one(co=json.dumps(whole)).context)["contexts"] == contexts


def test_entities_that_cannot_be_read_stay_as_they_were_sent() -> None:
    assert json.loads(one(cx="%%%").context)["cx"] == "%%%"


@pytest.mark.parametrize(
    ("fields", "time", "sent_at"),
    [
        ({"dtm": "1790000000500", "stm": "1790000000000"}, 1_790_000_000_500_000, 1_790_000_000_500_000),  # cut to a second
        ({"dtm": "1789996400000", "stm": "1789996400000"}, RECEIVED, 1_789_996_400_000_000),  # an hour slow
        ({"ttm": "1743298200123", "dtm": "1789996400000", "stm": "1789996400000"}, 1_743_298_200_123_000, None),
        ({"dtm": None}, RECEIVED, None),
    ],
)
def test_times_are_corrected_by_the_senders_clock_unless_they_are_true(
    fields: dict[str, Any], time: int, sent_at: int | None
) -> None:
    call = one(**fields)
    assert (call.time, call.sent_at) == (time, sent_at)


@pytest.mark.parametrize(
    ("fields", "user", "anonymous"),
    [
        ({"uid": "u1", "duid": None, "nuid": "n1"}, "u1", None),
        ({"duid": None, "nuid": "n1"}, None, "n1"),
        ({"duid": None, "sid": "s1"}, None, VISITOR),
    ],
)
def test_who_it_was(fields: dict[str, Any], user: str | None, anonymous: str | None) -> None:
    call = one(kept=f"?nuid={VISITOR}", **fields)
    assert (call.user_id, call.anonymous_id) == (user, anonymous)


def test_a_device_that_an_event_names_beside_its_user_becomes_that_users() -> None:
    session = {"schema": "iglu:com.acme/client_session/jsonschema/1-0-2", "data": {"userId": "d2"}}
    entities = json.dumps({"schema": "iglu:com.acme/contexts/jsonschema/1-0-0", "data": [session]})
    for fields, previous in (
        ({"uid": "u1", "duid": "d1"}, "d1"),
        ({"uid": "u1", "duid": None, "co": entities}, "d2"),
        ({"uid": "u1", "duid": None, "nuid": "n1"}, None),
        ({"duid": "d1"}, None),
    ):
        call = one(**fields)
        assert (call.kind, call.previous_id) == ("page", previous)


def test_an_anonymous_session_is_one_sender() -> None:
    assert one(duid=None, sid="s1").anonymous_id == "s1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)
FIELDS = st.dictionaries(
    st.sampled_from(["e", "eid", "uid", "duid", "ue_pr", "ue_px", "co", "cx", "url", "dtm", "tv", "aid", "sid"]), JSON
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(FIELDS | JSON | st.fixed_dictionaries({"e": st.sampled_from(["pv", "ue", "se"])}), max_size=4))
def test_every_event_ends_as_one_call_or_one_reject(events: list[object]) -> None:
    calls, rejects = decoded(*events)
    assert len(calls) + len(rejects) == len(events)
