"""From the bytes of the Segment SDKs to calls and rejects."""

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.actor import actor_id
from ingest.event import EVENTS
from ingest.outcome import Outcome
from ingest.protocols import MAX_EVENT_BYTES, decode
from ingest.protocols.call import Call, Reject
from ingest.record import Record
from ingest.times import SECOND

EXAMPLES = int(os.environ.get("JCURVE_TEST_DECODER_EXAMPLES", "60"))
RECEIVED = 1_743_298_500_000_000  # 2025-03-30T01:35:00Z
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1"


def decoded(path: str, body: object, user_agent: str = "") -> tuple[list[Call], list[Reject]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode(Record(RECEIVED, "default", "web", path, "192.0.2.7", user_agent, content), "minted-{}".format)


def one(body: dict[str, Any], path: str = "/v1/batch", **envelope: object) -> Call:
    calls, rejects = decoded(path, {"batch": [body], **envelope} if path == "/v1/batch" else body)
    assert rejects == []
    return calls[0]


def fault(body: object) -> tuple[str, str | None]:
    calls, (reject,) = decoded("/v1/batch", {"batch": [body]})
    assert calls == []
    return reject.reason.value, reject.event_id


def track(**fields: object) -> dict[str, Any]:
    return {"type": "track", "event": "Signed Up", "userId": "u1", "messageId": "m1", **fields}


def test_a_call_has_the_columns_of_the_event_in_their_order() -> None:
    assert [*Call.__struct_fields__, "log", "log_offset", "month"] == EVENTS.names


def test_a_browsers_event_fills_every_column() -> None:
    context = {
        "page": {"url": "https://a.example/docs?x=1", "path": "/docs", "referrer": "https://b.example/", "title": "Docs"},
        "campaign": {"source": "news", "medium": "email", "name": "spring", "term": "t", "content": "c"},
        "library": {"name": "analytics.js", "version": "next-1.84.3"},
        "userAgent": PHONE,
        "locale": "de-DE",
        "app": {"version": "2.1"},
        "location": {"country": "DE"},
        "sessionId": 1795305098589,
        "groupId": "acme",
    }
    sent = track(
        anonymousId="a1",
        timestamp="2025-03-30T01:30:00.123Z",
        sentAt="2025-03-30T01:30:01Z",
        context=context,
        properties={"plan": "pro"},
        integrations={},
        _metadata={},
    )
    call = one(sent, "/v1/track")
    assert call == Call(
        event_id="m1",
        kind="track",
        event="Signed Up",
        time=RECEIVED + 123_000,
        original_time=RECEIVED - 300 * SECOND + 123_000,
        sent_at=RECEIVED - 299 * SECOND,
        received_at=RECEIVED,
        anonymous_id="a1",
        user_id="u1",
        previous_id=None,
        actor_id=actor_id("user", "u1"),
        account_id="acme",
        session_id="1795305098589",
        source="web",
        library="analytics.js/next-1.84.3",
        page_url="https://a.example/docs?x=1",
        page_path="/docs",
        page_referrer="https://b.example/",
        utm_source="news",
        utm_medium="email",
        utm_campaign="spring",
        utm_term="t",
        utm_content="c",
        device="mobile",
        os="iOS",
        browser="Safari",
        locale="de-DE",
        app_version="2.1",
        country="DE",
        bot=False,
        properties=b'{"plan": "pro"}',
        context=json.dumps(context).encode(),
    )


def test_explicit_nulls_are_nothing() -> None:
    call = one(track(anonymousId=None, groupId=None, context=None, properties=None, timestamp=None, sentAt=None, name=None))
    assert (call.anonymous_id, call.account_id, call.properties, call.context) == (None, None, b"{}", b"{}")
    assert (call.time, call.original_time, call.sent_at) == (RECEIVED, None, None)


@pytest.mark.parametrize(
    ("sent", "kept"), [("u1", "u1"), (42, "42"), (42.0, "42"), (1.5, "1.5"), (-7, "-7"), (" é🦔", " é🦔")]
)
def test_ids_may_be_numbers(sent: object, kept: str) -> None:
    call = one(
        {"type": "group", "userId": sent, "anonymousId": sent, "groupId": sent, "previousId": sent, "messageId": sent}
    )
    ids = {call.user_id, call.anonymous_id, call.account_id, call.previous_id, call.event_id}
    assert (ids, call.actor_id) == ({kept}, actor_id("user", kept))


def test_without_a_user_the_actor_is_the_anonymous_one() -> None:
    call = one({"type": "page", "anonymousId": "a1", "userId": ""})
    assert (call.user_id, call.actor_id) == (None, actor_id("anonymous", "a1"))


def test_a_message_id_is_kept_at_any_length_and_minted_where_missing() -> None:
    assert one(track(messageId="m" * 300)).event_id == "m" * 300
    items = [track(messageId=None), track(), track(messageId=""), track(messageId={"a": 1})]
    calls, _ = decoded("/v1/batch", {"batch": items})
    assert [call.event_id for call in calls] == ["minted-0", "m1", "minted-2", "minted-3"]


def test_the_path_names_the_kind_of_a_single_call() -> None:
    sent = {"userId": "u1", "event": "E", "groupId": "g", "previousId": "p", "name": "Home"}
    named = [
        (call.kind, call.event)
        for kind in ("track", "identify", "group", "page", "screen", "alias")
        for call in decoded(f"/v1/{kind}", sent)[0]
    ]
    assert named == [
        ("track", "E"),
        ("identify", "$identify"),
        ("group", "$group"),
        ("page", "Home"),
        ("screen", "Home"),
        ("alias", "$alias"),
    ]


def test_one_event_on_a_batch_path_is_taken_as_such() -> None:
    calls, rejects = decoded("/v1/batch", track(sentAt="2025-03-30T01:35:00Z", context={"locale": "de"}))
    assert [(call.event_id, call.sent_at, call.locale) for call in calls] == [("m1", RECEIVED, "de")]
    assert rejects == []


def test_an_empty_batch_is_no_event() -> None:
    assert decoded("/v1/batch", {"batch": []}) == ([], [])


@pytest.mark.parametrize(
    ("sent", "event", "properties"),
    [
        ({"name": "Home", "category": "App"}, "Home", {"name": "Home", "category": "App"}),
        ({"name": "Home", "properties": {"name": "Other", "x": 1}}, "Home", {"name": "Other", "x": 1}),
        ({"category": "App", "properties": {}}, "$page", {"category": "App"}),
        ({"name": 'a"b', "properties": {"deep": {"name": 1}}}, 'a"b', {"name": 'a"b', "deep": {"name": 1}}),
        ({"properties": {"x": 1}}, "$page", {"x": 1}),
    ],
)
def test_a_pages_name_and_category_join_its_properties(sent: dict[str, Any], event: str, properties: object) -> None:
    call = one({"type": "page", "userId": "u1", **sent})
    assert (call.event, json.loads(call.properties)) == (event, properties)


def test_traits_are_the_properties_of_identify_and_group() -> None:
    traits = {"email": "zoë@example.com"}
    context = {"traits": {"plan": "pro"}}
    assert json.loads(one({"type": "identify", "userId": "u", "traits": traits, "context": context}).properties) == traits
    assert json.loads(one({"type": "identify", "userId": "u", "context": context}).properties) == {"plan": "pro"}
    assert json.loads(one({"type": "identify", "userId": "u", "traits": {}, "context": {"traits": None}}).properties) == {}
    group = {"type": "group", "userId": "u", "groupId": "acme"}
    assert json.loads(one({**group, "traits": {"name": "Acme"}}).properties) == {"name": "Acme"}
    assert json.loads(one({**group, "context": context}).properties) == {}  # those are the member's


@pytest.mark.parametrize(
    ("sent", "account"),
    [
        ({"type": "group", "groupId": "acme", "context": {"groupId": "other"}}, "acme"),
        (track(context={"groupId": 7}), "7"),
        (track(context={"groups": {"company": "acme", "team": "x"}}), "acme"),
        (track(context={"groups": ["acme"]}), "acme"),
        (track(properties={"$groups": {"company": None, "team": "x"}}), "x"),
        (track(context={"groupId": "undefined"}), None),
        (track(context={"groups": "acme"}), None),
        (track(), None),
    ],
)
def test_an_events_account_is_its_own_group_or_its_contexts(sent: dict[str, Any], account: str | None) -> None:
    assert one({"userId": "u1", **sent}).account_id == account


def test_an_alias_names_the_id_it_replaces() -> None:
    call = one({"type": "alias", "userId": "u1", "previousId": "a1"})
    assert (call.user_id, call.previous_id, call.event) == ("u1", "a1", "$alias")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"userId": "u1", "messageId": "m1"}, "missing_type"),
        ({"type": None, "userId": "u1", "messageId": "m1"}, "missing_type"),
        ({"type": "purchase", "userId": "u1", "messageId": "m1"}, "unknown_type"),
        ({"type": "track", "event": "E", "messageId": "m1"}, "missing_identity"),
        (track(userId=None, anonymousId=""), "missing_identity"),
        (track(userId="  "), "missing_identity"),
        (track(event=None), "missing_event"),
        (track(event=""), "missing_event"),
        (track(event={"a": 1}), "missing_event"),
        ({"type": "group", "userId": "u1", "messageId": "m1"}, "missing_group"),
        ({"type": "alias", "userId": "u1", "messageId": "m1"}, "missing_previous"),
        ({"type": "alias", "previousId": "a1", "anonymousId": "a1", "messageId": "m1"}, "missing_identity"),
        (track(userId={"id": 1}), "illegal_id"),
        (track(userId=True), "illegal_id"),
        (track(anonymousId=["a"]), "illegal_id"),
        (track(userId="undefined"), "illegal_id"),
        ({"type": "group", "userId": "u1", "groupId": "null", "messageId": "m1"}, "illegal_id"),
        (track(properties={"x": "y" * MAX_EVENT_BYTES}), "too_large"),
    ],
)
def test_an_event_that_breaks_a_rule_is_rejected_under_its_name(sent: dict[str, Any], reason: str) -> None:
    assert fault(sent) == (reason, "m1")


@pytest.mark.parametrize("sent", [None, 5, "text", [], True])
def test_an_event_that_is_no_object_is_rejected(sent: object) -> None:
    assert fault(sent) == ("not_an_object", None)


def test_a_name_of_nothing_beside_a_real_id_is_left_out() -> None:
    call = one(track(userId="undefined", anonymousId="a1"))
    assert (call.user_id, call.actor_id) == (None, actor_id("anonymous", "a1"))


def test_bad_events_leave_the_good_ones_of_their_batch_alone() -> None:
    bad = {"type": "track", "event": "E", "messageId": "m2"}
    calls, rejects = decoded("/v1/batch", {"batch": [track(), bad, track(messageId="m3"), 7]})
    assert [call.event_id for call in calls] == ["m1", "m3"]
    assert [(reject.reason, json.loads(reject.raw)) for reject in rejects] == [
        (Outcome.MISSING_IDENTITY, bad),
        (Outcome.NOT_AN_OBJECT, 7),
    ]


def test_fields_of_a_wrong_type_cost_only_themselves() -> None:
    call = one(
        track(
            name={"a": 1},
            timestamp=["2025"],
            properties=[1, 2],
            context={"page": {"url": 7, "path": "/x"}, "locale": 5, "campaign": "spring", "userAgent": PHONE},
        )
    )
    assert (call.properties, call.time) == (b'{"$value":[1, 2]}', RECEIVED)
    assert (call.page_url, call.page_path, call.locale, call.utm_source, call.os) == (None, "/x", None, None, "iOS")


def test_the_batchs_context_lies_under_each_events() -> None:
    shared = {"library": {"name": "lib", "version": "1"}, "locale": "de", "os": {"name": "Linux"}}
    item = track(context={"locale": "fr", "library": {"version": "2"}, "os": None})
    call = one(item, context=shared, integrations={"All": True})
    assert (call.library, call.locale, call.os) == ("lib/2", "fr", "Linux")
    assert json.loads(call.context) == {"library": {"name": "lib", "version": "2"}, "locale": "fr", "os": {"name": "Linux"}}


def test_sent_at_stands_on_the_envelope_or_on_the_event() -> None:
    times = {"timestamp": "2025-03-30T02:30:00Z"}
    assert one(track(**times), sentAt="2025-03-30T02:35:00Z").time == RECEIVED - 300 * SECOND
    assert one(track(**times, sentAt="2025-03-30T02:35:00Z")).time == RECEIVED - 300 * SECOND
    assert one(track(**times), sentAt="soon").time == RECEIVED + 3300 * SECOND
    assert one(track(originalTimestamp="2025-03-30T01:00:00Z")).time == RECEIVED - 2100 * SECOND


def test_a_servers_page_call_names_page_and_campaign_in_its_properties() -> None:
    properties = {
        "url": "https://a.example/x?utm_source=news&utm_medium=email",
        "path": "/x",
        "referrer": "https://b.example",
    }
    call = one({"type": "page", "userId": "u1", "properties": properties})
    assert (call.page_url, call.page_path, call.page_referrer) == (properties["url"], "/x", "https://b.example")
    assert (call.utm_source, call.utm_medium, call.utm_campaign) == ("news", "email", None)


@pytest.mark.parametrize(
    ("user_agent", "device", "os", "browser", "bot"),
    [
        (PHONE, "mobile", "iOS", "Safari", False),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/147.0 Safari/537.36",
            "desktop",
            "Linux",
            "Chrome",
            False,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0",
            "desktop",
            "Windows",
            "Edge",
            False,
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
            "tablet",
            "Android",
            "Chrome",
            False,
        ),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", None, None, None, True),
        (
            "Mozilla/5.0 (Linux; Android 9; CUBOT NOTE) Chrome/99.0 Mobile Safari/537.36",
            "mobile",
            "Android",
            "Chrome",
            False,
        ),
        ("analytics-python/2.4.0", None, None, None, False),
    ],
)
def test_a_user_agent_names_device_and_crawler(
    user_agent: str, device: str | None, os: str | None, browser: str | None, bot: bool
) -> None:
    for call in (one(track(context={"userAgent": user_agent})), decoded("/v1/track", track(), user_agent)[0][0]):
        assert (call.device, call.os, call.browser, call.bot) == (device, os, browser, bot)


def test_broken_text_is_repaired_and_the_event_kept() -> None:
    body = b'{"type":"track","userId":"u\\u0000","event":"\xed\xa0\xbe\xed\xb6\x94","properties":{"a":"\\ud83d","b":NaN}}'
    (call,), rejects = decoded("/v1/track", body)
    assert (call.user_id, call.event, json.loads(call.properties)) == ("u\ufffd", "🦔", {"a": "\ufffd", "b": None})
    assert rejects == []


def test_a_body_that_cannot_be_read_is_one_reject_with_its_bytes() -> None:
    assert decoded("/v1/batch", b"{") == ([], [Reject(Outcome.UNREADABLE, Outcome.UNREADABLE.help, None, b"{")])
    assert decoded("/v1/batch", b'{"batch":5}')[1][0].reason == Outcome.UNREADABLE
    assert decoded("/v1/batch#too_large#a body of 9 bytes", b"{")[1] == [
        Reject(Outcome.TOO_LARGE, "a body of 9 bytes", None, b"{")
    ]


@pytest.mark.parametrize("within", ["properties", "context", "traits"])
@pytest.mark.parametrize("depth", [100, 3_000])
def test_deep_nesting_is_refused_not_fatal(within: str, depth: int) -> None:
    deep = b'{"userId":"u","event":"E","groupId":"g","%s":' % within.encode() + b'{"a":' * depth + b"1" + b"}" * (depth + 1)
    (reject,) = decoded("/v1/group" if within == "traits" else "/v1/track", deep)[1]
    assert (reject.reason, reject.raw.count(b"{")) == (Outcome.TOO_COMPLEX, depth + 1)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["undefined", "2025-01-01", "u1"])
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
NAMES = "type event userId anonymousId groupId previousId messageId timestamp sentAt name category properties traits context"
FIELDS = st.sampled_from([*NAMES.split(), "originalTimestamp", "$groups"])
CONTEXTS = st.dictionaries(
    st.sampled_from(
        ["page", "campaign", "library", "app", "os", "device", "groupId", "groups", "userAgent", "sessionId", "traits"]
    ),
    VALUES | st.dictionaries(st.sampled_from(["url", "path", "name", "version", "type"]), VALUES),
)
TYPES = st.sampled_from(["track", "page", "screen", "identify", "group", "alias", "Track"])
ITEMS = VALUES | st.builds(
    lambda kind, ids, rest, context: {"type": kind, **ids, **rest, "context": context},
    TYPES,
    st.sampled_from([{"userId": "u1"}, {"anonymousId": 5}, {}]),
    st.dictionaries(FIELDS, VALUES),
    CONTEXTS,
)
PATHS = st.sampled_from(["/v1/batch", "/v1/import", "/v1/track", "/v1/page", "/v1/identify", "/v1/group", "/v1/alias"])


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(ITEMS, max_size=5), st.dictionaries(st.sampled_from(["sentAt", "context", "writeKey"]), VALUES | CONTEXTS))
def test_every_item_of_a_batch_ends_as_one_call_or_one_reject(items: list[object], envelope: dict[str, object]) -> None:
    calls, rejects = decoded("/v1/batch", {"batch": items, **envelope})
    assert len(calls) + len(rejects) == len(items)
    for call in calls:
        assert isinstance(json.loads(call.properties), dict) and isinstance(json.loads(call.context), dict)
        assert call.event_id and call.event and (call.user_id or call.anonymous_id)
        "".join(str(getattr(call, name)) for name in Call.__struct_fields__).encode()  # no lone surrogates anywhere
    assert decoded("/v1/batch", {"batch": items, **envelope}) == (calls, rejects)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    PATHS,
    st.binary(max_size=200)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | ITEMS.map(lambda item: json.dumps(item).encode()),
)
def test_no_bytes_make_the_decoder_raise(path: str, body: bytes) -> None:
    calls, rejects = decoded(path, body)
    assert len(calls) + len(rejects) == 1 or path in ("/v1/batch", "/v1/import")
