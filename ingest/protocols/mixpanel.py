"""Mixpanel: ``/track``, ``/engage``, ``/groups`` and ``/import``, by POST (form, base64, JSON, beacon) or GET (``?data=``).

Updates of people become identify events, updates of groups group events: what they ``$set`` and ``$unset`` are traits, of
``$set_once`` the first value stays, and other operations (``$add``, ``$append``, ``$union``, ``$remove``, ``$delete``) stay
as they are, under their own names. Every other event is a track call of its name, ``$mp_web_page_view`` a page call.
``mixpanel_ids`` says who is who.

Answers are what its SDKs look for: ``1``, or with ``verbose`` (in the query or the form) ``{"status": 1, "error": null}``;
to ``/import?strict=1`` how many were stored, and 400 with ``failed_records`` where some were not: the good ones are stored
all the same. The token is the write key; at ``/import`` it may be the user of Basic. A page that asks for its remote
settings hears that no sessions are recorded.

Facts: https://developer.mixpanel.com/reference/ingestion-api and what its SDKs were seen to send.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Final
from urllib.parse import parse_qs, urlencode

import msgspec

from ingest.answers import GET_ONLY, PIXEL, POST_ONLY, SOURCE_OFF, Answer, json_answer, refusal, text_answer
from ingest.outcome import Outcome
from ingest.protocols import envelope, repair
from ingest.protocols.assemble import Mint, Sender, at_once, one_by_one
from ingest.protocols.call import Call, Reject
from ingest.protocols.envelope import NOTHING, Refused
from ingest.protocols.family import Arrived, Asked, Decoded, Opened
from ingest.protocols.mixpanel_event import Event, item_of, read_event, read_update
from ingest.record import Record
from ingest.times import micros

TRACK: Final = "/mixpanel/track"
IMPORT: Final = "/mixpanel/import"
_PATHS: Final = {"/track": TRACK, "/engage": "/mixpanel/engage", "/groups": "/mixpanel/groups", "/import": IMPORT}
GETS: Final = frozenset(_PATHS.values())
MAX_BODY_BYTES: Final = 10_485_760  # Mixpanel's at /import
MAX_EVENT_BYTES: Final = 1_048_576  # Mixpanel's at /import

_HEAD: Final = 8_192  # bytes of a body that cannot be read: enough to see whose it is
_TRUE: Final = ("1", "true")
_VERBOSE: Final = re.compile(rb"(?:^|&)verbose=(?:1|true)(?:&|$)")


class _Within(msgspec.Struct, gc=False):
    """Of an event's properties what tells whose it is."""

    token: msgspec.Raw = NOTHING
    lib: msgspec.Raw = msgspec.field(default=NOTHING, name="$lib")  # PostHog's


class _Marks(msgspec.Struct, gc=False):
    dollar_token: msgspec.Raw = msgspec.field(default=NOTHING, name="$token")
    event: msgspec.Raw = NOTHING
    properties: msgspec.Raw = NOTHING
    api_key: msgspec.Raw = NOTHING
    token: msgspec.Raw = NOTHING
    uuid: msgspec.Raw = NOTHING
    distinct_id: msgspec.Raw = NOTHING
    write_key: msgspec.Raw = msgspec.field(default=NOTHING, name="writeKey")


class _Keyed(msgspec.Struct, gc=False):
    dollar_token: str = msgspec.field(default="", name="$token")
    properties: msgspec.Raw = NOTHING


class _Token(msgspec.Struct, gc=False):
    token: str = ""


_MARKS: Final = msgspec.json.Decoder(_Marks)
_WITHIN: Final = msgspec.json.Decoder(_Within)
_KEYED: Final = msgspec.json.Decoder(_Keyed)
_TOKEN: Final = msgspec.json.Decoder(_Token)
_WHOLE: Final = msgspec.json.Decoder(msgspec.Raw)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_READ: Final = msgspec.json.Decoder(list[Event])
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def endpoint(path: str) -> str | None:
    return _PATHS.get(path)


def claims(content: bytes) -> bool:
    """Its token is ``$token``, or stands in the properties of an event without a field of PostHog's or Segment's."""
    found = _events(content)
    if isinstance(found, Refused):
        head = content[:_HEAD]
        return b'"mp_lib"' in head or b'"$token"' in head or b'"$insert_id"' in head
    try:
        return bool(found[0]) and _is_ours(_MARKS.decode(found[0][0]))
    except _FAULTS:
        return False


def opened(arrived: Arrived) -> Opened | Refused:
    found = _events(arrived.content)
    if isinstance(found, Refused):
        return found
    events, strict = found
    sent_at = parse_qs(arrived.request.query.decode("utf-8", "replace")).get("_", [""])[0]
    kept = urlencode({"sent_at": sent_at[:40]}) if micros(sent_at) is not None else ""
    return Opened(strict, partial(_keys, events), kept, events=len(events))


def taken(arrived: Arrived, opened: Opened) -> Answer:
    if arrived.endpoint == IMPORT and _asks(arrived, "strict"):
        return _imported(arrived, opened)
    if _asks(arrived, "img"):
        return PIXEL
    if _asks(arrived, "verbose") or _is_verbose(arrived.raw[:_HEAD]) or _is_verbose(arrived.raw[-_HEAD:]):
        return _DONE
    if arrived.endpoint == IMPORT and arrived.raw[:1] not in (b"", b"d"):  # no form: JSON, plain or gzipped
        return json_answer({"code": 200, "num_records_imported": opened.events, "status": "OK"})
    return _ONE


def refused(arrived: Arrived, reason: Outcome, message: str) -> Answer:
    return refusal(413 if reason is Outcome.TOO_LARGE else 400, message)


def unknown(arrived: Arrived) -> Answer:
    return refusal(401, "Invalid write key: the token must be a write key.")


def disabled(arrived: Arrived) -> Answer:
    return SOURCE_OFF


def other(method: str, path: str, asked: Asked) -> Answer | None:
    if path == "/settings" and b"sdk_config=" in asked.request.query:
        return _SETTINGS if method in ("GET", "HEAD") else GET_ONLY
    return POST_ONLY if endpoint(path) else None


def decode(record: Record, mint: Mint, max_event_bytes: int) -> Decoded:
    endpoint, _, kept = record.path.partition("?")
    sent_at = micros(parse_qs(kept).get("sent_at", [None])[0])
    sender = Sender(None, record.source, record.user_agent, record.received_at, sent_at, b"")
    content, are_events = repair.text(record.body), endpoint in (TRACK, IMPORT)
    if are_events and len(content) <= max_event_bytes and (calls := _at_once(content, sender, mint)) is not None:
        return calls, []
    found = _events(content)
    if isinstance(found, Refused):
        return [], [Reject(found.reason, found.detail, None, record.body)]
    return one_by_one(found[0], read_event if are_events else read_update, sender, mint, max_event_bytes)


def _at_once(content: bytes, sender: Sender, mint: Mint) -> list[Call] | None:
    """A list of sound events, as nearly all are."""
    try:
        events = _READ.decode(content)
    except _FAULTS:
        return None
    return at_once(map(item_of, events), sender, mint)


def _imported(arrived: Arrived, opened: Opened) -> Answer:
    """Found out by decoding at the door what the flush will decode again: an import is not sent by thousands at once."""
    events = _events(opened.content)
    if isinstance(events, Refused):
        return _DONE
    failed: list[dict[str, object]] = []
    for number, raw in enumerate(events[0]):
        record = Record(0, "", "", IMPORT, "", "", b"[" + bytes(raw) + b"]")
        for reject in decode(record, str, arrived.max_event_bytes)[1]:
            failed.append(
                {"index": number, "insert_id": reject.event_id or "", "field": reject.reason.value, "message": reject.detail}
            )
    stored = len(events[0]) - len(failed)
    if not failed:
        return json_answer({"code": 200, "num_records_imported": stored, "status": "OK", "error": None})
    told = "some data points in the request failed validation"
    body = {"code": 400, "num_records_imported": stored, "status": "Bad Request", "error": told, "message": told}
    return json_answer(body | {"detail": told, "failed_records": failed}, 400)


def _events(content: bytes) -> tuple[list[msgspec.Raw], bytes] | Refused:
    """A list of events or updates, one alone, or lines of them; and the body as strict JSON."""
    content = repair.text(content)
    try:
        return _LIST.decode(content), content  # nearly always
    except (msgspec.MsgspecError, RecursionError):
        found = envelope.strictly(content, _WHOLE.decode)
    if isinstance(found, Refused):
        lines = [line for line in content.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines):
            return found
        found = envelope.strictly(b"[" + b",".join(lines) + b"]", _WHOLE.decode)  # "application/x-ndjson"
        if isinstance(found, Refused):
            return found
    whole, strict = found
    if bytes(whole)[:1] not in (b"[", b"{"):
        return Refused(Outcome.NOT_AN_OBJECT, Outcome.NOT_AN_OBJECT.help, content)
    return _LIST.decode(whole) if bytes(whole).startswith(b"[") else [whole], strict


def _is_ours(marks: _Marks) -> bool:
    others = (marks.api_key, marks.token, marks.uuid, marks.distinct_id, marks.write_key)
    if any(mark is not NOTHING for mark in others):
        return False
    if marks.dollar_token is not NOTHING:
        return True
    if not bytes(marks.properties).startswith(b"{"):
        return False
    within = _WITHIN.decode(marks.properties)
    return within.token is not NOTHING and within.lib is NOTHING


def _keys(events: list[msgspec.Raw]) -> Iterator[str]:
    """The tokens of the first event that has one, and of those that differ; else a key in another SDK's place."""
    told: set[str] = set()
    for raw in events:
        try:
            keyed = _KEYED.decode(raw)
            token = keyed.dollar_token or (_TOKEN.decode(keyed.properties).token if keyed.properties is not NOTHING else "")
        except _FAULTS:
            continue
        if token and token not in told:
            told.add(token)
            yield token.strip()
    yield from envelope.keys_of(*events[:1])


def _is_verbose(form: bytes) -> bool:
    return b"verbose=" in form and _VERBOSE.search(form) is not None  # to look for the word first spares most the search


def _asks(arrived: Arrived, word: str) -> bool:
    return parse_qs(arrived.request.query.decode("utf-8", "replace")).get(word, [""])[-1].lower() in _TRUE


_ONE: Final = text_answer("1")
_DONE: Final = json_answer({"status": 1, "error": None})
_SETTINGS: Final = json_answer({"sdk_config": {"config": {"record_sessions_percent": 0}}})
