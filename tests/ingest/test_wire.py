"""The rules that every family keeps, since each of them broke a real SDK: one table of families against each rule."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import brotli
import lzstring
import msgspec
import pytest
import zstandard

from ingest.errors import LogUnavailable
from ingest.protocols import decode
from ingest.protocols.call import Call
from ingest.protocols.family import Decoded
from tests.ingest.asgi import Door, Reply, basic
from tests.ingest.fuzz.seeds import KEY, SEEDS, Seed

POSTED = [seed for seed in SEEDS if seed.method == "POST"]
NAMED = {seed.name: seed for seed in SEEDS}
FOREIGN = {"content-type": "application/x-www-form-urlencoded; charset=utf-16", "content-encoding": "identity"}


def of_seed(seed: Seed) -> str:
    return seed.name


def body_of(seed: Seed, count: int = 2) -> bytes:
    return b"" if seed.method == "GET" else json.dumps(seed.envelope(seed.events(count)), ensure_ascii=False).encode()


def ask(door: Door, seed: Seed, body: bytes | None = None, path: str = "", **headers: str) -> Reply:
    given = {"authorization": basic(KEY), **seed.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return door.send(seed.method, path or seed.path, body_of(seed) if body is None else body, given, seed.query)


def calls(door: Door) -> list[Decoded]:
    return [decode(record, lambda number: f"minted-{number}") for record in door.log.records]


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def form(data: bytes) -> bytes:
    return b"ip=1&data=" + quote(data).encode()


def units(text: str) -> str:
    """As JavaScript has it: of an emoji its two halves."""
    pairs = text.encode("utf-16-le")
    return "".join(chr(int.from_bytes(pairs[at : at + 2], "little")) for at in range(0, len(pairs), 2))


WRAPS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "two members of gzip": lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:]),
    "zlib": zlib.compress,
    "bare deflate": raw_deflate,
    "zstd": zstandard.compress,
    "brotli": brotli.compress,
    "base64": base64.b64encode,
    "base64 for URLs without padding": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "lines of base64": base64.encodebytes,
    "form": form,
    "form of base64": lambda data: form(base64.b64encode(data)),
    "form of base64 of gzip": lambda data: form(base64.b64encode(gzip.compress(data))),
    "lz64": lambda data: lzstring.LZString().compressToBase64(units(data.decode())).encode(),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "spaces": lambda data: b"\r\n " + data,
}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("seed", POSTED, ids=of_seed)
def test_a_body_is_read_in_any_wrapping_whatever_its_headers_say(seed: Seed, wrap: str) -> None:
    plain, wrapped = Door(), Door()
    assert ask(plain, seed).status == 200
    assert ask(wrapped, seed, WRAPS[wrap](body_of(seed)), **FOREIGN).status == 200
    (found, rejects), (expected, _) = calls(wrapped)[0], calls(plain)[0]
    assert ([parsed(call) for call in found], rejects) == ([parsed(call) for call in expected], [])


def parsed(call: Call) -> dict[str, object]:
    return msgspec.structs.asdict(call) | {"properties": json.loads(call.properties), "context": json.loads(call.context)}


OK = {
    "segment": b'{"success":true}',
    "rudder": b"ok",
    "posthog": b'{"status":"Ok"}',
    "snowplow": b"ok",
    "mixpanel": b"1",
}
IN_WORDS = {
    "rudder pixel": b"GIF89a",
    "posthog v1": b'{"results":{"id-0":{"result":"ok"},"id-1":{"result":"ok"}}}',
    "mixpanel track": b'{"status":1,"error":null}',
    "mixpanel import": b'{"code":200,"num_records_imported":2,"status":"OK","error":null}',
}


@pytest.mark.parametrize("slashes", ["{}", "{}/", "/{}//"])
@pytest.mark.parametrize("seed", SEEDS, ids=of_seed)
def test_what_is_stored_is_answered_200_in_the_familys_own_words_with_any_slashes(seed: Seed, slashes: str) -> None:
    reply = ask(Door(), seed, path=slashes.format(seed.path))
    assert reply.status == 200
    expected = IN_WORDS.get(seed.name, OK.get(seed.name.split()[0]))
    if expected is None:  # Amplitude's, which has the time in it
        told = reply.json
        assert (told["code"], told["events_ingested"], told["payload_size_bytes"]) == (200, 2, len(body_of(seed)))
        assert told["server_upload_time"] > 1_700_000_000_000
    else:
        assert reply.body.startswith(expected)


@pytest.mark.parametrize("seed", SEEDS, ids=of_seed)
def test_without_room_every_family_is_asked_to_come_again_and_never_by_429(seed: Seed) -> None:
    door = Door()
    door.log.fault = LogUnavailable("the disk is away", 3)
    reply = ask(door, seed, origin="https://shop.example")
    assert (reply.status, reply.headers["retry-after"]) == (503, "3")
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
    assert {"code", "message", "error", "detail"} <= set(reply.json)


BROKEN = {"segment": 400, "rudder": 400, "posthog": 400, "amplitude": 400, "mixpanel": 400, "snowplow": 200}
LARGE = {"segment": 400, "rudder": 413, "posthog": 413, "amplitude": 413, "mixpanel": 413, "snowplow": 200}
UNKNOWN = {"segment": 401, "rudder": 401, "posthog": 401, "amplitude": 400, "mixpanel": 401, "snowplow": 401}


def check_words(reply: Reply, seed: Seed) -> None:
    """Plain text, or JSON with the fields that SDKs read without looking whether they are there."""
    if reply.status != 200 and reply.headers["content-type"] == "application/json":
        assert {"code", "message", "error", "detail"} <= set(reply.json), seed.name


def broken(seed: Seed) -> bytes:
    return gzip.compress(body_of(seed), mtime=0)[:-9]  # else another second makes other bytes


@pytest.mark.parametrize("seed", POSTED, ids=of_seed)
def test_what_breaks_off_is_refused_as_the_family_expects_and_kept_with_its_bytes(seed: Seed) -> None:
    door = Door()
    reply = ask(door, seed, broken(seed))
    family = "segment" if seed.name == "rudder batch" or seed.name == "rudder merge" else seed.name.split()[0]
    assert reply.status == BROKEN[family if seed.name != "amplitude batch" else "segment"]
    check_words(reply, seed)
    [(_, [reject])] = calls(door)
    assert (reject.reason, reject.raw) == ("unreadable", broken(seed))


@pytest.mark.parametrize("seed", POSTED, ids=of_seed)
def test_a_body_over_the_familys_limit_is_refused_as_it_expects_and_its_beginning_kept(seed: Seed) -> None:
    door = Door()
    body = body_of(seed)
    end = body.rstrip(b"]}")
    reply = ask(door, seed, gzip.compress(end + b" " * 22_000_000 + body[len(end) :]))
    assert reply.status == LARGE[seed.name.split()[0]]
    check_words(reply, seed)
    [(_, [reject])] = calls(door)
    assert reject.reason == "too_large" and reject.raw


@pytest.mark.parametrize("seed", SEEDS, ids=of_seed)
def test_an_unknown_key_is_refused_for_good_in_words_that_its_sdks_read(seed: Seed) -> None:
    door = Door()
    body = body_of(seed).replace(KEY.encode(), b"jw_nobodys")
    query, path = seed.query.replace(KEY, "jw_nobodys"), seed.path.replace(KEY, "jw_nobodys")
    reply = door.send(seed.method, path, body, {**seed.headers, "authorization": basic("jw_nobodys")}, query)
    assert reply.status == (200 if seed.method == "GET" else UNKNOWN[seed.name.split()[0]])
    check_words(reply, seed)
    assert door.log.records == []


PLACES: dict[str, tuple[dict[str, str], str]] = {
    "Basic": ({"authorization": basic("jw_web")}, ""),
    "Basic with a colon": ({"authorization": basic("jw_web:")}, ""),
    "Bearer": ({"authorization": "Bearer jw_web"}, ""),
    "query writeKey": ({}, "writeKey=jw_web"),
    "query api_key": ({}, "api_key=jw_web"),
    "query token": ({}, "token=jw_web"),
    "an unknown Bearer before the query": ({"authorization": "Bearer oauth"}, "writeKey=jw_web"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("seed", POSTED, ids=of_seed)
def test_the_key_is_found_in_the_header_and_the_query_of_every_family(seed: Seed, place: str) -> None:
    headers, query = PLACES[place]
    door = Door()
    body = body_of(seed).replace(b'"jw_web"', b'"elsewhere"')
    path = seed.path.replace("/jw_web", "")
    others = {name: text for name, text in seed.headers.items() if name != "authorization"}
    assert door.send("POST", path, body, {**others, **headers}, query).status == 200
    assert len(door.log.records) == 1


@pytest.mark.parametrize("name", ["writeKey", "api_key", "token", "$token", "properties"])
@pytest.mark.parametrize("within", ["envelope", "event"])
@pytest.mark.parametrize("seed", POSTED, ids=of_seed)
def test_the_key_is_found_in_the_body_under_any_of_its_names(seed: Seed, within: str, name: str) -> None:
    carried: dict[str, Any] = {name: {"token": KEY} if name == "properties" else KEY}
    event = {field: value for field, value in seed.event.items() if field not in ("aid", "$token")}
    event["properties"] = {**event.get("properties", {}), "token": "elsewhere"}
    body = seed.envelope([{**event, **carried} if within == "event" else event])
    if isinstance(body, dict) and within == "envelope":
        body = {field: value for field, value in body.items() if value != KEY} | carried
    elif within == "envelope" or seed.name == "posthog list":
        return  # a list has no envelope; this one's events name their key in any case
    door = Door()
    headers = {field: value for field, value in seed.headers.items() if field != "authorization"}
    reply = door.send("POST", seed.path.replace("/jw_web", ""), json.dumps(body).encode(), headers)
    assert (reply.status, len(door.log.records)) == (200, 1)


@pytest.mark.parametrize("seed", SEEDS, ids=of_seed)
def test_a_page_of_any_origin_may_send_with_credentials_and_any_header(seed: Seed) -> None:
    asked = "authorization,content-type,anonymousid,sentat,sp-anonymous"
    headers = {"origin": "https://shop.example", "access-control-request-headers": asked}
    preflight = Door().send("OPTIONS", seed.path, b"", headers, seed.query)
    answer = ask(Door(), seed, origin="https://shop.example")
    refused = ask(Door(), seed, b"nothing", origin="https://shop.example")
    for reply in (preflight, answer, refused):
        assert reply.headers["access-control-allow-origin"] == "https://shop.example"
        assert reply.headers["access-control-allow-credentials"] == "true"
        assert reply.headers["vary"] == "Origin"
    assert (preflight.status, preflight.headers["access-control-allow-headers"]) == (200, asked)
    assert int(preflight.headers["access-control-max-age"]) >= 900


BAD: dict[str, Any] = {"nothing": "that an event has"}


@pytest.mark.parametrize("bad", [BAD, [], 7, None, "text", {"messageId": {}, "uuid": [], "eid": 1.5}])
@pytest.mark.parametrize("seed", [seed for seed in POSTED if not seed.single], ids=of_seed)
def test_one_bad_event_never_fails_its_batch(seed: Seed, bad: object) -> None:
    if seed.name == "posthog list":  # whose key is in each event, so that all must be objects
        bad = BAD
    door = Door()
    good = seed.events(2)
    reply = ask(door, seed, json.dumps(seed.envelope([good[0], bad, good[1]])).encode())
    assert reply.status == (400 if seed.name == "mixpanel import" else 200)  # a strict import names those that failed
    [(found, [reject])] = calls(door)
    assert len([call for call in found if not call.event_id.endswith(":set")]) == 2
    assert json.loads(reject.raw) == ({**BAD, "api_key": KEY} if seed.name == "posthog list" else bad)


@pytest.mark.parametrize("depth", [100, 5_000])
@pytest.mark.parametrize("seed", [seed for seed in POSTED if not seed.single], ids=of_seed)
def test_an_event_nested_too_deep_takes_nothing_of_its_batch_along(seed: Seed, depth: int) -> None:
    """However deep: beyond a thousand levels no reader goes."""
    good, bad = seed.events(2)
    next((bad[name] for name in ("properties", "event_properties", "$set") if name in bad), bad)["deep"] = "here"
    body = json.dumps(seed.envelope([good, bad])).replace('"here"', "[" * depth + "7" + "]" * depth)
    door = Door()
    assert ask(door, seed, body.encode()).status == (400 if seed.name == "mixpanel import" else 200)
    [(found, [reject])] = calls(door)
    assert len([call for call in found if not call.event_id.endswith(":set")]) == 1
    assert (reject.reason, reject.raw.count(b"[") >= depth) == ("too_complex", True)


WITH_IDS = [seed for seed in SEEDS if seed.name not in ("mixpanel engage", "mixpanel groups")]


@pytest.mark.parametrize("seed", WITH_IDS, ids=of_seed)
def test_an_event_that_is_sent_again_keeps_its_id(seed: Seed) -> None:
    door = Door()
    for attempt in range(2):
        ask(door, seed, x_retry_count=str(attempt))
    (first, _), (again, _) = calls(door)
    assert [call.event_id for call in first] == [call.event_id for call in again]
    if seed.name != "rudder pixel":
        assert not [call.event_id for call in first if call.event_id.startswith("minted-")]
