"""Snowplow's tracker protocol: ``POST /com.snowplowanalytics.snowplow/tp2``, the pixels ``/i`` and ``/ice.png``, and every
``/{vendor}/{version}``, as its trackers let their users choose, by POST and by GET: one without a dot in its vendor where
nothing else of ours begins with that word, and what is no event of Snowplow's is kept there and answered 404.

Its protocol knows no keys: the write key is the ``aid`` (a tracker's ``appId``), or, where app ids must stay what they are,
the first part of the path (``/jw_.../com.snowplowanalytics.snowplow/tp2``, ``/jw_.../i``), ``writeKey`` in the query, or
wherever else an SDK may put one.

Its trackers send again what is answered with anything but 200, 400, 401, 403, 410 and 422, some for ever. So a body that is
too large or cannot be read is answered 200 and kept, an unknown key 401, and 503 alone asks for the same once more.

The answer sets the cookie ``sp``, by which a browser without an id of its own is known again; to ``SP-Anonymous`` it does
not, and no address is kept.

Facts: https://docs.snowplow.io/docs/events/going-deeper/event-parameters/ and its collector's source.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from itertools import count
from typing import Final, cast
from urllib.parse import parse_qsl, urlencode

import msgspec

from ingest import answers
from ingest.answers import Answer, text_answer
from ingest.outcome import Outcome
from ingest.protocols import envelope, repair
from ingest.protocols.assemble import Item, Mint, Sender, at_once, one_by_one
from ingest.protocols.call import Call, Reject
from ingest.protocols.envelope import NOTHING, Refused
from ingest.protocols.family import Arrived, Asked, Decoded, Opened
from ingest.protocols.snowplow_event import Fields, item_of, read
from ingest.record import Record
from ingest.request import Request

POSTED: Final = "/snowplow/tp2"
PIXEL: Final = "/snowplow/i"
CHOSEN: Final = "/snowplow/chosen"  # a path of the user's own
GETS: Final = frozenset((POSTED, PIXEL, CHOSEN))
MAX_BODY_BYTES: Final = 2_000_000  # Snowplow's collector stops there, too
MAX_EVENT_BYTES: Final = 1_000_000  # Snowplow's collector stops there

_PATH: Final = re.compile(r"(?:/jw_[^/]+)?(?:(?P<pixel>/i|/ice\.png)|/[^/.][^/]*\.[^/]+/[^/]+)")
_CHOSEN: Final = re.compile(r"(?:/jw_[^/]+)?/(?P<vendor>[A-Za-z][\w-]*)/[^/.]+")
_OURS: Final = frozenset(
    ("api", "array", "assets", "config", "decide", "docs", "flags", "metrics", "people", "projects", "settings", "v1")
)
_COOKIE: Final = "sp"
_VISITOR: Final = re.compile(rb"(?:^|; *)sp=([0-9a-fA-F-]{36})(?:;|$)")
_YEAR: Final = 365 * 24 * 3600
_APPS: Final = 8  # different app ids that are looked up of a body


class _App(msgspec.Struct, gc=False):
    aid: str = ""


class _Kind(msgspec.Struct, gc=False):
    e: msgspec.Raw = NOTHING


class _Payload(msgspec.Struct, gc=False):
    """``{"schema": "iglu:.../payload_data/...", "data": [event, ...]}``"""

    data: list[msgspec.Raw]


class _Holder(msgspec.Struct, gc=False):
    data: msgspec.Raw = NOTHING


class _Texts(msgspec.Struct, gc=False):
    """The same with its events read."""

    data: list[dict[str, str]]


_PAYLOAD: Final = msgspec.json.Decoder(_Payload)
_HOLDER: Final = msgspec.json.Decoder(_Holder)
_TEXTS: Final = msgspec.json.Decoder(_Texts)
_WHOLE: Final = msgspec.json.Decoder(msgspec.Raw)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_AN_APP: Final = msgspec.json.Decoder(_App)
_A_KIND: Final = msgspec.json.Decoder(_Kind)


def endpoint(path: str) -> str | None:
    found = _parts(path)
    if found is not None:
        return PIXEL if found["pixel"] else POSTED
    chosen = _CHOSEN.fullmatch(path)
    return CHOSEN if chosen is not None and chosen["vendor"] not in _OURS else None


def claims(content: bytes) -> bool:
    """Its paths are its own."""
    return True


def opened(arrived: Arrived) -> Opened | Refused:
    if arrived.request.method != "POST":
        content = msgspec.json.encode({"data": [dict(_query(arrived.request))]})
    else:
        content = arrived.content
    found = _events(content)
    if isinstance(found, Refused):
        return found
    events, strict = found
    if arrived.endpoint == CHOSEN and events and not any(_is_event(raw) for raw in events):
        return Refused(Outcome.NOT_AN_OBJECT, "no SDK but Snowplow's posts here, and this is no event of its", content)
    private = arrived.request.header(b"sp-anonymous") is not None
    kept = "" if private else urlencode({"nuid": _visitor(arrived.request)})
    return Opened(strict, partial(_keys, events, content), kept, events=len(events), anonymous=private)


def taken(arrived: Arrived, opened: Opened) -> Answer:
    answer = _OK if arrived.request.method == "POST" else answers.PIXEL
    return replace(answer, headers=(*answer.headers, _cookie(arrived.request, opened.kept))) if opened.kept else answer


def refused(arrived: Arrived, reason: Outcome, message: str) -> Answer:
    if arrived.endpoint == CHOSEN and reason is Outcome.NOT_AN_OBJECT:
        return answers.NOT_HERE
    return _OK if arrived.request.method == "POST" else answers.PIXEL


def unknown(arrived: Arrived) -> Answer:
    return _NO_APP


def disabled(arrived: Arrived) -> Answer:
    return answers.SOURCE_OFF


def other(method: str, path: str, asked: Asked) -> Answer | None:
    if path == "/sink-health":
        return _OK if method in ("GET", "HEAD") else answers.GET_ONLY
    return None if endpoint(path) in (None, CHOSEN) else answers.POST_ONLY


def decode(record: Record, mint: Mint, max_event_bytes: int) -> Decoded:
    visitor = dict(parse_qsl(record.path.partition("?")[2])).get("nuid")
    sender = Sender(None, record.source, record.user_agent, record.received_at, None, b"")
    content = repair.text(record.body)
    if len(content) <= max_event_bytes and (calls := _at_once(content, visitor, sender, mint)) is not None:
        return calls, []
    found = _events(content)
    if isinstance(found, Refused):
        return [], [Reject(found.reason, found.detail, None, record.body)]
    numbers = count()

    def read_next(raw: msgspec.Raw) -> Item:
        return read(raw, visitor, partial(mint, next(numbers)))

    return one_by_one(found[0], read_next, sender, mint, max_event_bytes)


def _at_once(content: bytes, visitor: str | None, sender: Sender, mint: Mint) -> list[Call] | None:
    """A payload of sound events, as nearly all are."""
    try:
        events = cast(list[Fields], _TEXTS.decode(content).data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    items = (item_of(given, visitor, partial(mint, number)) for number, given in enumerate(events))
    return at_once(items, sender, mint)


@lru_cache(maxsize=4_096)
def _parts(path: str) -> re.Match[str] | None:
    return _PATH.fullmatch(path)


def _events(content: bytes) -> tuple[list[msgspec.Raw], bytes] | Refused:
    """A body's events and the body as JSON. One without an envelope is an event, or a list of them."""
    try:
        return _PAYLOAD.decode(content).data, content  # nearly always
    except (msgspec.MsgspecError, RecursionError):
        found = envelope.strictly(repair.text(content), _WHOLE.decode)
    if isinstance(found, Refused):
        return found
    whole, strict = found
    if bytes(whole).startswith(b"{"):
        inner = _HOLDER.decode(whole).data
        if inner is not NOTHING and bytes(inner)[:1] in (b"[", b"{"):
            whole = inner
    return _LIST.decode(whole) if bytes(whole).startswith(b"[") else [whole], strict


def _is_event(raw: msgspec.Raw) -> bool:
    try:
        return _A_KIND.decode(raw).e is not NOTHING
    except msgspec.MsgspecError:
        return False


def _keys(events: list[msgspec.Raw], content: bytes) -> Iterator[str]:
    """The app ids, else a key that stands beside the events or in the first of them."""
    apps: list[str] = []
    for raw in events:
        try:
            app = _AN_APP.decode(raw).aid
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if app and app not in apps:
            apps.append(app)
            yield app
            if len(apps) == _APPS:
                break
    yield from envelope.keys_of(msgspec.Raw(content), *events[:1])


def _query(request: Request) -> Iterator[tuple[str, str]]:
    for name, value in parse_qsl(request.query.decode("utf-8", "replace")):
        if name != "writeKey":
            yield name, value


def _visitor(request: Request) -> str:
    """The browser that this is, by the cookie that it was given; a new one where it brings none."""
    found = _VISITOR.search(request.header(b"cookie") or b"")
    return found[1].decode() if found else str(uuid.uuid4())


def _cookie(request: Request, kept: str) -> tuple[bytes, bytes]:
    """Pages of other sites send it back over https only: browsers want ``Secure`` of such a cookie."""
    crossing = "SameSite=None; Secure" if request.address.protocol == "https" else "SameSite=Lax"
    visitor = dict(parse_qsl(kept))["nuid"]
    return b"set-cookie", f"{_COOKIE}={visitor}; Max-Age={_YEAR}; Path=/; HttpOnly; {crossing}".encode()


_OK: Final = text_answer("ok")
_NO_APP: Final = answers.refusal(
    401, "Invalid write key: set the tracker's appId to a write key, or put one before the collector's path (/jw_.../i)."
)
