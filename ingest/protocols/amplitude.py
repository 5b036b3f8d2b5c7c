"""Amplitude's HTTP API: ``/2/httpapi`` and ``/batch``, where the ``events`` of a body tell it from other families'.

An event's ``device_id`` is anonymous, its ``user_id`` a user's, its ``insert_id`` the id by which copies are known. Where
an event has both ids, the device becomes the user's, as Amplitude has it. ``$identify`` becomes an identify,
``$groupidentify`` a group call: what they ``$set`` and ``$unset`` become traits, ``$setOnce`` becomes ``$set_once``, whose
first value stays, and other operations (``$add``, ``$append`` ...) stay as they are, under their own names. ``$identify``
that does nothing but put somebody into a group is a group call, too. Every other event is a track call of its name.

Facts: https://amplitude.com/docs/apis/analytics/http-v2 and what its SDKs were seen to do with answers: a 400 that names
neither ``missing_field`` nor events is sent again up to twelve times, a 413 makes two halves of a batch, and a 200 without
its body loses the events of a callback. Bad events are answered 200 and kept apart, so no answer needs to list any.
A page that was told to ask here for its remote configuration (``/config/<key>``) hears that there is none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from ingest import answers
from ingest.answers import Answer, json_answer
from ingest.outcome import Outcome
from ingest.protocols import envelope, repair, tolerant
from ingest.protocols.amplitude_context import beside_of, context_of, operated
from ingest.protocols.assemble import Item, Mint, RuleError, Said, Sender, at_once, moment, one_by_one
from ingest.protocols.call import Call, Reject
from ingest.protocols.envelope import NOTHING, Keyed, Refused
from ingest.protocols.family import Arrived, Asked, Decoded, Opened
from ingest.record import Record
from ingest.scalar import Scalar, text

GETS: Final[frozenset[str]] = frozenset()
MAX_BODY_BYTES: Final = 20_971_520  # Amplitude's at /batch
MAX_EVENT_BYTES: Final = 1_048_576  # what its HTTP API takes at once
_MAX_HTTPAPI_BYTES: Final = 1_048_576
_HTTPAPI: Final = "/amplitude/httpapi"
_PATHS: Final = {"/2/httpapi": _HTTPAPI, "/batch": "/amplitude/batch"}
_EVENTS: Final = b'"events"'
_LONGEST_KEY: Final = 100  # of a wrong one, in the answer
_READ: Final = ("insert_id", "user_id", "device_id", "time", "event_type")
_NULL: Final = msgspec.Raw(b"null")
_REVENUE: Final = ("revenue", "price", "quantity", "productId", "revenueType", "currency")

Fields = dict[str, msgspec.Raw]


class _Envelope(Keyed, gc=False):
    events: msgspec.Raw = NOTHING
    batch: msgspec.Raw = NOTHING  # PostHog's and Segment's
    client_upload_time: msgspec.Raw = NOTHING


class _Listed(Keyed, kw_only=True, gc=False):
    """The same with its events, which are a list, uncut."""

    events: list[msgspec.Raw]


class _Upload(msgspec.Struct, gc=False):
    """The same with its events read."""

    events: list[Fields]
    client_upload_time: msgspec.Raw = NOTHING


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_LISTED: Final = msgspec.json.Decoder(_Listed)
_UPLOAD: Final = msgspec.json.Decoder(_Upload)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SCALAR: Final = msgspec.json.Decoder(Scalar)


def endpoint(path: str) -> str | None:
    return _PATHS.get(path)


def claims(content: bytes) -> bool:
    if _EVENTS not in content:
        return False
    try:
        head = _ENVELOPE.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return b'"batch"' not in content  # no whole JSON, such as the beginning of a large body: the word must do
    return head.events is not NOTHING and head.batch is NOTHING


def opened(arrived: Arrived) -> Opened | Refused:
    content = arrived.content
    if arrived.endpoint == _HTTPAPI and len(content) > _MAX_HTTPAPI_BYTES:
        told = f"a body of more than {_MAX_HTTPAPI_BYTES} bytes; send fewer events at once, or to /batch"
        return Refused(Outcome.TOO_LARGE, told, content[:_MAX_HTTPAPI_BYTES])
    try:
        listed = _LISTED.decode(content)  # in one go, as nearly always
        return Opened(content, listed.keys, events=len(listed.events))
    except (msgspec.MsgspecError, RecursionError):
        found = envelope.strictly(content, _ENVELOPE.decode)
    if isinstance(found, Refused):
        return found
    head, strict = found
    events = _events(head)
    if events is None:
        return Refused(Outcome.UNREADABLE, "events must be a list of events", content)
    return Opened(strict, head.keys, events=len(events))


def taken(arrived: Arrived, opened: Opened) -> Answer:
    return json_answer(
        {
            "code": 200,
            "events_ingested": opened.events,
            "payload_size_bytes": len(opened.content),
            "server_upload_time": time.time_ns() // 1_000_000,
        }
    )


def refused(arrived: Arrived, reason: Outcome, message: str) -> Answer:
    if reason is Outcome.TOO_LARGE:
        return _failure(413, f"Payload too large: {message}")
    return _failure(400, f"Invalid JSON request body: {message}", "events")


def unknown(arrived: Arrived) -> Answer:
    found = envelope.strictly(arrived.content, _ENVELOPE.decode)
    offered = "" if isinstance(found, Refused) else next(found[0].keys(), "")
    if not offered:
        return _failure(400, "Missing API key: put a write key into the body as api_key", "api_key")
    return _failure(400, f"Invalid API key: {offered[:_LONGEST_KEY]}")


def disabled(arrived: Arrived) -> Answer:
    """In the words at which its SDKs stop sending."""
    return _failure(400, "Invalid API key: the source is disabled")


def other(method: str, path: str, asked: Asked) -> Answer | None:
    if path.startswith("/config/") and b"config_group=" in asked.request.query:
        return _CONFIGURATION if method in ("GET", "HEAD") else answers.GET_ONLY
    return None if endpoint(path) is None else answers.POST_ONLY


def decode(record: Record, mint: Mint, max_event_bytes: int) -> Decoded:
    sender = Sender(None, record.source, record.user_agent, record.received_at, None, b"")
    content = repair.text(record.body)
    if len(content) <= max_event_bytes and (calls := _at_once(content, sender, mint)) is not None:
        return calls, []
    found = envelope.strictly(content, _ENVELOPE.decode)
    events = None if isinstance(found, Refused) else _events(found[0])
    if isinstance(found, Refused) or events is None:
        return [], [Reject(Outcome.UNREADABLE, Outcome.UNREADABLE.help, None, record.body)]
    sender = msgspec.structs.replace(sender, sent_at=moment(found[0].client_upload_time))
    return one_by_one(events, read, sender, mint, max_event_bytes)


def _at_once(content: bytes, sender: Sender, mint: Mint) -> list[Call] | None:
    """A list of sound events, as nearly all are."""
    try:
        upload = _UPLOAD.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    sender = msgspec.structs.replace(sender, sent_at=moment(upload.client_upload_time))
    return at_once(map(item_of, upload.events), sender, mint)


def read(raw: msgspec.Raw) -> Item:
    """Raises ``RuleError`` and what ``assemble.FAULTS`` lists, as does ``item_of``."""
    if not bytes(raw).startswith(b"{"):
        raise RuleError(Outcome.NOT_AN_OBJECT, repr(bytes(raw)[:100]))
    return item_of(tolerant.FIELDS.decode(raw))


def item_of(given: Fields) -> Item:
    """What it does not know of goes to the context as it is, but for ``event_id``: a counter of the sender's, which only
    says something where there is no ``insert_id``. What ``given`` holds is taken out of it."""
    read = _scalars(given)
    item = Said(message_id=read[0])
    event_id = text(read[0])
    if event_id is not None:
        given.pop("event_id", None)
    if "user_id" in given or "device_id" in given:  # what is no scalar was left there
        name = "user_id" if "user_id" in given else "device_id"
        raise RuleError(Outcome.ILLEGAL_ID, f"{name} is {bytes(given[name])[:100]!r}", event_id)
    _, item.user_id, item.anonymous_id, item.timestamp, item.event = read
    traits, properties = operated(given.pop("user_properties", NOTHING)), given.pop("event_properties", NOTHING)
    item.properties = properties if given.keys().isdisjoint(_REVENUE) else _with_revenue(given, properties)
    described = operated(given.pop("group_properties", NOTHING)) if item.event == "$groupidentify" else NOTHING
    beside = beside_of(given)
    if item.event == "$groupidentify":
        _describe_group(item, beside.group, described)
    elif item.event == "$identify":
        _identify(item, beside.group, traits)
    else:
        item.type = "track"
    item.previous_id = item.anonymous_id  # both ids on one event are one person's
    item.said = context_of(beside, NOTHING if item.type == "identify" else traits, bytes(item.properties))
    return item


def _scalars(given: Fields) -> Sequence[Scalar]:
    """Takes ``_READ`` out; one that is an object, a list or a truth value stays, so that the context keeps it."""
    get, decode = given.get, _SCALAR.decode
    try:
        read = (
            decode(get("insert_id", _NULL)),
            decode(get("user_id", _NULL)),
            decode(get("device_id", _NULL)),
            decode(get("time", _NULL)),
            decode(get("event_type", _NULL)),
        )
    except msgspec.ValidationError:
        return [_scalar(given, name) for name in _READ]
    for name in _READ:
        given.pop(name, None)
    return read


def _identify(item: Item, group: tuple[str, str] | None, traits: msgspec.Raw) -> None:
    """``setGroup`` sends ``$set`` of the group's own type and id, and nothing else."""
    if group is not None and _set_fields(traits) == {group[0]}:
        item.type, item.group_id = "group", group[1]
    else:
        item.type, item.traits = "identify", traits


def _describe_group(item: Item, group: tuple[str, str] | None, traits: msgspec.Raw) -> None:
    """Often nobody's: the group then speaks for itself, under the name that PostHog's SDKs give it in the same case."""
    item.type, item.traits = "group", traits
    if group is not None:
        item.group_id = group[1]
        if item.user_id in (None, "") and item.anonymous_id in (None, ""):
            item.anonymous_id = f"${group[0]}_{group[1]}"


def _with_revenue(given: Fields, properties: msgspec.Raw) -> msgspec.Raw:
    """The HTTP API takes an event's revenue beside its properties, too."""
    beside = {name: given.pop(name) for name in _REVENUE if name in given}
    if not (properties is NOTHING or bytes(properties).startswith(b"{")):
        return properties
    within = {} if properties is NOTHING else tolerant.FIELDS.decode(properties)
    return msgspec.Raw(msgspec.json.encode(beside | within))


def _events(head: _Envelope) -> list[msgspec.Raw] | None:
    """One event without a list around it is taken as such."""
    raw = bytes(head.events)
    if raw.startswith(b"{"):
        return [head.events]
    return _LIST.decode(raw) if raw.startswith(b"[") else None


def _set_fields(traits: msgspec.Raw) -> set[str]:
    return set(tolerant.FIELDS.decode(traits)) if bytes(traits).startswith(b"{") else set()


def _scalar(given: Fields, name: str) -> Scalar:
    """Takes the field out; one that is an object or a list stays, so that the context keeps it."""
    raw = given.get(name)
    if raw is None:
        return None
    try:
        value: Scalar = _SCALAR.decode(raw)
    except msgspec.ValidationError:
        return None
    del given[name]
    return value


_CONFIGURATION: Final = json_answer({"configs": {}})


def _failure(status: int, message: str, missing_field: str = "") -> Answer:
    """``missing_field`` tells its SDKs that to send the same again is of no use."""
    told = {"code": status, "status": 0, "error": message, "message": message, "detail": message}
    return json_answer(told | ({"missing_field": missing_field} if missing_field else {}), status)
