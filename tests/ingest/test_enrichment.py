"""What becomes of an event beside being stored: device, country, address, consent, limits, ids of nobody, odd text."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.agent import agent
from ingest.asked import asked
from ingest.batch import batches
from ingest.keys import Key
from ingest.limits import Limits, depth
from ingest.outcome import Outcome
from ingest.policy import PLAIN, Address, Policy, Without, address
from ingest.protocols import decode
from ingest.protocols.call import Call
from ingest.protocols.family import Decoded
from ingest.record import Record
from ingest.scalar import STRANGERS
from ingest.told import NOTHING, Told, mark, parted, plain
from tests.ingest.asgi import RECEIVED, Door
from tests.ingest.test_flush import flush, outcomes
from tests.ingest.world import write_log

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
SEGMENT = b'{"batch":[{"type":"track","event":"x","userId":"u","properties":{"a":"%s"}}]}'
RUDDER = b'{"batch":[{"channel":"web","type":"track","event":"x","userId":"u","properties":{"a":"%s"}}]}'
AMPLITUDE = b'{"api_key":"jw_own","events":[{"event_type":"x","user_id":"u12","event_properties":{"a":"%s"}}]}'
POSTHOG = b'{"api_key":"jw_own","batch":[{"event":"x","distinct_id":"u","properties":{"a":"%s"}}]}'
MIXPANEL = b'[{"event":"x","properties":{"token":"jw_own","distinct_id":"u","a":"%s"}}]'
SNOWPLOW = b'{"data":[{"e":"se","se_ac":"x","aid":"jw_own","uid":"u","se_la":"%s"}]}'
TRACK: dict[str, Any] = {"type": "track", "event": "Signed Up", "messageId": "m1", "userId": "u1", "anonymousId": "a1"}


def door(policy: Policy = PLAIN, country_header: str = "") -> Door:
    made = Door(country_header=country_header)
    made.keys.more["jw_own"] = Key("default", "own", "write", policy=policy)
    return made


def sent(to: Door, body: object, path: str = "/v1/batch", **headers: str) -> Decoded:
    """A request as the flush decodes it."""
    assert to.post(path, body, "jw_own", **{"user-agent": CHROME, **headers}).status == 200
    return decode(to.log.records[-1], lambda at: f"minted-{at}")


def one(found: Decoded) -> Call:
    (call,), rejects = found
    assert rejects == []
    return call


def context(call: Call) -> Any:
    return json.loads(call.context)


@pytest.mark.parametrize(
    ("user_agent", "device", "os", "browser", "bot"),
    [
        (CHROME, "desktop", "Windows", "Chrome", False),
        (f"{CHROME} Edg/126.0.0.0", "desktop", "Windows", "Edge", False),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "CriOS/120.0.6099.50 Mobile/15E148 Safari/604.1",
            "mobile",
            "iOS",
            "Chrome",
            False,
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 "
            "Mobile/15E148 Safari/604.1",
            "tablet",
            "iOS",
            "Safari",
            False,
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/20.0 "
            "Chrome/106.0.5249.126 Mobile Safari/537.36",
            "mobile",
            "Android",
            "Samsung Internet",
            False,
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
            "desktop",
            "Linux",
            "Firefox",
            False,
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36",
            "desktop",
            "ChromeOS",
            "Chrome",
            False,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
            "desktop",
            "Windows",
            "Internet Explorer",
            False,
        ),
        ("Tasklark/3.1 CFNetwork/1410.0.3 Darwin/22.6.0", "mobile", "iOS", None, False),
        ("Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A)", "mobile", "Android", None, False),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", None, None, None, True),
        ("python-requests/2.32.3", None, None, None, False),
        ("", None, None, None, False),
    ],
)
def test_a_user_agent_is_read_by_the_rules_of_ua_parser_under_common_names(
    user_agent: str, device: str | None, os: str | None, browser: str | None, bot: bool
) -> None:
    assert agent(user_agent) == (device, os, browser, bot)


@pytest.mark.parametrize(
    ("header", "kept"),
    [("DE", "DE"), ("de", "DE"), ("XX", None), ("T1", None), ("", None), ("DEU", None), ("<>", None)],
)
def test_a_browsers_country_is_the_one_that_the_configured_header_says(header: str, kept: str | None) -> None:
    call = one(sent(door(country_header="CF-IPCountry"), {"batch": [TRACK]}, cf_ipcountry=header))
    assert call.country == kept


def test_a_country_header_that_nobody_configured_is_not_believed() -> None:
    assert one(sent(door(), {"batch": [TRACK]}, cf_ipcountry="DE")).country is None


def test_an_events_own_country_stands_above_the_headers() -> None:
    own = TRACK | {"context": {"location": {"country": "FR"}}}
    assert one(sent(door(country_header="CF-IPCountry"), {"batch": [own]}, cf_ipcountry="DE")).country == "FR"


def test_a_servers_country_and_address_are_not_its_users() -> None:
    told = {"cf_ipcountry": "DE", "user-agent": "analytics-python/2.4.0"}
    for more in ({}, {"context": {"userAgent": CHROME}}):
        call = one(sent(door(Policy(ip="keep"), country_header="CF-IPCountry"), {"batch": [TRACK | more]}, **told))
        assert (call.country, context(call).get("ip")) == (None, None)


def test_a_phones_are_whatever_its_http_client_calls_itself() -> None:
    phone = TRACK | {"context": {"os": {"name": "Android"}}}
    told = {"cf_ipcountry": "DE", "user-agent": "okhttp/4.9.0"}
    call = one(sent(door(Policy(ip="keep"), country_header="CF-IPCountry"), {"batch": [phone]}, **told))
    assert (call.country, context(call)["ip"]) == ("DE", "192.0.2.7")


@pytest.mark.parametrize(
    ("kept", "own", "expected"),
    [
        ("sent", None, None),
        ("sent", "203.0.113.77", "203.0.113.77"),
        ("keep", None, "192.0.2.7"),
        ("keep", "203.0.113.77", "203.0.113.77"),
        ("truncate", None, "192.0.2.0"),
        ("truncate", "203.0.113.77", "203.0.113.0"),
        ("truncate", "2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("truncate", "nonsense", ""),
        ("drop", None, None),
        ("drop", "203.0.113.77", None),
    ],
)
def test_the_address_is_kept_shortened_or_dropped_as_the_source_is_set(
    kept: Address, own: str | None, expected: str
) -> None:
    to = door(Policy(ip=kept))
    call = one(sent(to, {"batch": [TRACK | ({"context": {"ip": own}} if own else {})]}))
    assert context(call).get("ip") == expected
    assert to.log.records[0].ip == {"truncate": "192.0.2.0", "drop": ""}.get(kept, "192.0.2.7")


def test_an_address_among_the_properties_goes_by_the_same_rule() -> None:
    body = {
        "api_key": "jw_own",
        "batch": [{"event": "x", "distinct_id": "u1", "properties": {"$ip": "203.0.113.77", "zip": 1}}],
    }
    for kept, expected in (("sent", "203.0.113.77"), ("truncate", "203.0.113.0"), ("drop", None)):
        call = one(sent(door(Policy(ip=kept)), body, "/batch"))  # type: ignore[arg-type]
        properties = json.loads(call.properties)
        assert (properties.get("$ip"), properties["zip"]) == (expected, 1)


def test_an_address_in_any_form_is_shortened() -> None:
    found = [address(ip, "truncate") for ip in ("203.0.113.77", "::ffff:203.0.113.77", "fe80::1%eth0", "x", "")]
    assert found == ["203.0.113.0", "203.0.113.0", "fe80::", "", ""]


@pytest.mark.parametrize("header", ["dnt", "sec-gpc"])
def test_who_asks_not_to_be_tracked_is_stored_without_ids(header: str) -> None:
    event = TRACK | {
        "properties": {"plan": "team", "$device_id": "d1"},
        "context": {
            "sessionId": 7,
            "traits": {"email": "ada@example.com"},
            "device": {"id": "d1", "type": "ios"},
            "groupId": "acme",
        },
    }
    call = one(
        sent(door(Policy(do_not_track="anonymous")), {"batch": [event], "context": {"ip": "203.0.113.7"}}, **{header: "1"})
    )
    assert (call.user_id, call.anonymous_id, call.session_id, call.account_id) == (None, "nobody-m1", None, None)
    assert (json.loads(call.properties), context(call)) == ({"plan": "team"}, {"device": {"type": "ios"}})
    assert (call.event_id, call.event, call.device) == ("m1", "Signed Up", "desktop")


def test_columns_of_one_without_ids_hold_none_whichever_protocol_sent_them() -> None:
    policy = Policy(do_not_track="anonymous")
    pageview = {"e": "pv", "eid": "m1", "uid": "u1", "duid": "d1", "sid": "s1", "url": "https://a.example/"}
    posthog = {"$session_id": "s1", "$device_id": "d1", "$groups": {"company": "acme"}, "$set": {"email": "a@b.c"}}
    for path, body in (
        ("/com.acme/tp2", {"data": [pageview]}),
        ("/i/v0/e", {"batch": [{"event": "x", "uuid": "m1", "distinct_id": "u1", "properties": posthog}]}),
    ):
        call = one(sent(door(policy), body, path, dnt="1"))
        assert (call.anonymous_id, call.user_id, call.session_id, call.account_id) == ("nobody-m1", None, None, None)


def test_what_says_only_who_somebody_is_is_not_stored_of_one_who_asks_not_to_be_tracked() -> None:
    calls = [TRACK | {"type": kind, "previousId": "p", "groupId": "g"} for kind in ("identify", "alias", "group")]
    stored, rejects = sent(door(Policy(do_not_track="anonymous")), {"batch": calls}, dnt="1")
    assert (stored, [reject.reason for reject in rejects]) == ([], [Outcome.NO_CONSENT] * 3)


@pytest.mark.parametrize(
    ("asked", "header", "stored"),
    [("store", "1", 1), ("drop", "0", 1), ("drop", "", 1), ("drop", "1", 0)],
)
def test_who_asks_not_to_be_tracked_is_left_out_where_the_source_is_set_so(asked: Without, header: str, stored: int) -> None:
    calls, rejects = sent(door(Policy(do_not_track=asked)), {"batch": [TRACK, {"type": "odd"}]}, dnt=header)
    assert len(calls) == stored
    if not stored:
        assert [(reject.reason, reject.raw) for reject in rejects] == [(Outcome.NO_CONSENT, b"")] * 2


def test_a_browser_that_asks_not_to_be_tracked_gets_no_cookie() -> None:
    payload = {"data": [{"e": "pv", "aid": "jw_own"}]}
    for policy, headers, cookies in (
        (PLAIN, {}, 1),
        (Policy(cookie=False), {}, 0),
        (Policy(do_not_track="anonymous"), {}, 1),
        (Policy(do_not_track="anonymous"), {"dnt": "1"}, 0),
    ):
        reply = door(policy).post("/com.acme/tp2", payload, "jw_own", **headers)
        assert (reply.status, "set-cookie" in reply.headers) == (200, bool(cookies))


@pytest.mark.parametrize(
    ("category", "said", "stored"),
    [
        ("", {}, True),
        ("", {"consent": {"categoryPreferences": {"Analytics": False, "Ads": True}}}, True),
        ("", {"consent": {"categoryPreferences": {"Analytics": False, "Ads": False}}}, False),
        ("analytics", {"consent": {"categoryPreferences": {"Analytics": False, "Ads": True}}}, False),
        ("analytics", {"consent": {"categoryPreferences": {"Ads": False}}}, True),
        ("analytics", {"consentManagement": {"allowedConsentIds": ["ads"], "deniedConsentIds": ["analytics"]}}, False),
        ("", {"consentManagement": {"allowedConsentIds": ["ads"], "deniedConsentIds": ["analytics"]}}, True),
        ("", {"consentManagement": {"allowedConsentIds": {}, "deniedConsentIds": ["analytics"]}}, False),
        ("analytics", {"consent": 7, "consentManagement": [1]}, True),
    ],
)
def test_consent_is_what_the_context_says_of_the_category(category: str, said: dict[str, Any], stored: bool) -> None:
    to = door(Policy(consent="drop", consent_category=category))
    calls, rejects = sent(to, {"batch": [TRACK | {"context": said}, TRACK | {"messageId": "m2"}]})
    assert [call.event_id for call in calls] == (["m1", "m2"] if stored else ["m2"])
    assert [reject.reason for reject in rejects] == ([] if stored else [Outcome.NO_CONSENT])


def test_consent_may_stand_on_the_envelope_and_cost_the_ids_alone() -> None:
    refused = {"consent": {"categoryPreferences": {"Analytics": False}}, "traits": {"email": "a@b.c"}}
    call = one(sent(door(Policy(consent="anonymous")), {"batch": [TRACK], "context": refused}))
    assert (call.user_id, call.anonymous_id, "email" in call.context.decode()) == (None, "nobody-m1", False)


def test_an_event_that_is_not_stored_is_counted_and_leaves_no_bytes(tmp_path: Path) -> None:
    to = door(Policy(do_not_track="drop"))
    sent(to, {"batch": [TRACK, {"type": "odd", "userId": "u1"}]}, dnt="1")
    sent(to, {"batch": [TRACK]})
    to.post("/v1/batch", b'{"batch": [{"userId": "u1"', "jw_own", dnt="1")
    write_log(tmp_path / "log", to.log.records).release()
    flush(tmp_path)
    assert outcomes(tmp_path, "default") == {"accepted": 1, "no_consent": 3}
    assert list((tmp_path / "lake" / "default").iterdir()) == [tmp_path / "lake" / "default" / "events"]


def test_a_rejected_event_keeps_what_was_told_of_its_request_for_a_replay() -> None:
    to = door(Policy(ip="drop", consent="anonymous"), country_header="CF-IPCountry")
    sent(to, {"batch": [{"type": "odd", "userId": "u1"}]}, cf_ipcountry="DE")
    (batch,) = batches([(1, [(0, to.log.records[0])])], "log", decode)
    [kept] = [event.path for event in batch.rejected]
    assert asked(kept).path == "/v1/batch;country=DE&ip=drop&consent=anonymous"
    assert plain(kept) == "/v1/batch"


def test_what_is_told_of_a_request_is_read_as_it_was_written() -> None:
    for told in (NOTHING, Told("DE"), Told("", "truncate", "drop", "anonymous", "a&b;c?d#e=f/ü")):
        path = f"/posthog/events{mark(told)}?sent_at=1%3B2"
        assert parted(path) == ("/posthog/events?sent_at=1%3B2", None if told is NOTHING else told)
    assert mark(NOTHING) == "" and "#" not in mark(Told("", "sent", "store", "drop", "#"))


NOBODIES = (
    *(
        "undefined",
        "NULL",
        "None",
        "NaN",
        "[object Object]",
        "Anonymous",
        "guest",
        "distinct_id",
        "id",
        "email",
        "true",
        "false",
    ),
    *("-1", -1, "n/a", "00000000-0000-0000-0000-000000000000", "not_authenticated"),
)


@pytest.mark.parametrize("name", NOBODIES)
def test_an_id_of_nobody_in_particular_is_rejected_with_its_reason(name: object) -> None:
    calls, (reject,) = sent(door(), {"batch": [TRACK | {"userId": name, "anonymousId": None}]})
    assert (calls, reject.reason, reject.event_id) == ([], Outcome.ILLEGAL_ID, "m1")
    call = one(sent(door(), {"batch": [TRACK | {"userId": name}]}))
    assert (call.user_id, call.anonymous_id) == (None, "a1")


def test_words_that_only_look_like_nobody_are_ids() -> None:
    for name in ("undefined-1", "guesthouse", "0", "0x0", "00", "ID7", "nulls", "1", 1, "anonymous@example.com"):
        assert one(sent(door(), {"batch": [TRACK | {"userId": name}]})).user_id == str(name)
    assert "1" not in STRANGERS and len(STRANGERS) > 60


def test_a_group_may_be_called_what_a_person_may_not() -> None:
    for name, kept in (("guest", "guest"), ("0", "0"), ("undefined", None), ("[object Object]", None)):
        assert one(sent(door(), {"batch": [TRACK | {"context": {"groupId": name}}]})).account_id == kept


@pytest.mark.parametrize(
    ("path", "body", "raw"),
    [
        ("/v1/batch", SEGMENT, True),
        (
            "/v1/batch",
            RUDDER,
            True,
        ),
        (
            "/2/httpapi",
            AMPLITUDE,
            True,
        ),
        ("/batch", POSTHOG, True),
        ("/track", MIXPANEL, True),
        ("/com.acme/tp2", SNOWPLOW, False),
    ],
)
def test_text_that_no_reader_takes_is_repaired_whatever_the_protocol(path: str, body: bytes, raw: bool) -> None:
    for odd, sound in (
        (b"\xed\xa0\xbe\xed\xb6\x94", "\U0001f994"),  # CESU-8
        (rb"\ud83e\udd94", "\U0001f994"),
        (rb"\u0000", "\ufffd"),
        (rb"\ud83d", "\ufffd"),
        (b"\xff", "\ufffd"),
    ):
        call = one(sent(door(), body % odd, path))
        assert json.loads(call.properties)["a" if raw else "label"] == sound


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "x" * 501}, "a name of 501 characters; at most 500 are taken"),
        ({"properties": {str(n): 1 for n in range(1001)}}, "1001 properties; at most 1000 are taken"),
        ({"properties": json.loads('{"a":' + "[" * 64 + "]" * 64 + "}")}, "objects and lists 65 deep; at most 64 are taken"),
    ],
)
def test_an_event_beyond_a_limit_is_rejected_and_taken_under_another(event: dict[str, Any], said: str) -> None:
    body = json.dumps({"batch": [TRACK | event, TRACK]}).encode()
    record = Record(RECEIVED, "default", "web", "/v1/batch", "", "", body)
    (call,), (reject,) = decode(record, str)
    assert call.event == "Signed Up"
    assert (reject.reason, reject.detail.startswith(said), reject.event_id) == (Outcome.TOO_COMPLEX, True, "m1")
    calls, rejects = decode(record, str, limits=Limits(2000, 100, 1000))
    assert (len(calls), rejects) == (2, [])


def test_what_just_keeps_to_the_limits_is_taken() -> None:
    deep = json.loads('{"a":' + "[" * 63 + "]" * 63 + "}")
    for event in ({"event": "x" * 500}, {"properties": {str(n): 1 for n in range(1000)}}, {"properties": deep}):
        assert one(sent(door(), {"batch": [TRACK | event]})).event_id == "m1"
    brackets = {"a": "[{" * 200, "b": '"' + "\\" + "[" * 100}
    assert one(sent(door(), {"batch": [TRACK | {"properties": brackets}]})).event_id == "m1"


def test_depth_counts_what_stands_within_each_other_and_not_what_stands_in_a_text() -> None:
    for document, deep in (
        ("{}", 1),
        ('{"a": {"b": []}}', 3),
        ('{"a": [], "b": [], "c": {}}', 2),
        (r'{"a": "[\"{[", "b": {}}', 2),
    ):
        assert depth(document.encode()) == deep


@pytest.mark.parametrize(
    ("path", "body", "stored"),
    [
        ("/v1/batch", SEGMENT, 0),
        (
            "/2/httpapi",
            AMPLITUDE,
            1,
        ),
        ("/batch", POSTHOG, 1),
        ("/track", MIXPANEL, 1),
        ("/com.acme/tp2", SNOWPLOW, 1),
    ],
)
def test_an_event_may_be_as_large_as_the_protocols_own_servers_take_it(path: str, body: bytes, stored: int) -> None:
    calls, rejects = sent(door(), body % (b"x" * 900_000), path) if stored else sent(door(), body % (b"x" * 40_000), path)
    assert (len(calls), [reject.reason for reject in rejects]) == (stored, [Outcome.TOO_LARGE] * (1 - stored))
    if path == "/batch":
        calls, rejects = sent(door(), body % (b"x" * 1_100_000), path)
        assert (calls, [reject.reason for reject in rejects]) == ([], [Outcome.TOO_LARGE])


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 0, "1970-01-01T00:00:00Z", "1989-12-31"])
def test_a_time_outside_sense_is_that_of_the_arrival_and_stays_beside_it(time: object) -> None:
    call = one(sent(door(), {"batch": [TRACK | {"timestamp": time}]}))
    assert call.time == RECEIVED and call.original_time is not None
    assert one(sent(door(), {"batch": [TRACK | {"timestamp": "1990-01-01T00:00:00Z"}]})).time == 631_152_000_000_000
