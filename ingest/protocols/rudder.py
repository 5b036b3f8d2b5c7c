"""RudderStack: Segment's calls at ``/v1/*`` with ``merge`` besides, beacons, pixels, and the source's configuration.

Its SDKs name the ``channel`` of every event, which Segment's do not: that is how a body at ``/v1/*`` is known for one of
theirs. Events are read as Segment's. The answers are RudderStack's own words, because its SDKs for phones look into them:
``ok``, ``invalid write key`` (stop), 400 (delete what was sent), 404 (the source is gone).

Facts: https://www.rudderstack.com/docs/api/http-api/ and /pixel-api/, and what its SDKs were seen to send. Unlike its own
server this one takes the good events of a batch that holds a bad one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version
from typing import Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from ingest import answers
from ingest.actor import KINDS
from ingest.answers import Answer, json_answer, text_answer
from ingest.outcome import Outcome
from ingest.protocols import envelope, segment
from ingest.protocols.assemble import Item, Mint
from ingest.protocols.envelope import Refused
from ingest.protocols.family import Arrived, Asked, Decoded, Opened
from ingest.protocols.rudder_pixel import event_of
from ingest.protocols.segment import ReadItem
from ingest.record import Record
from ingest.request import Request
from ingest.scalar import Scalar

GETS: Final = frozenset(("/rudder/pixel/track", "/rudder/pixel/page"))
MAX_BODY_BYTES: Final = 8_500_000  # its server takes 4,096,000, but its SDK for Python fills a batch up to 8 MiB
MAX_EVENT_BYTES: Final = None  # its SDKs drop what has more than 32 KB themselves

_PATHS: Final = {
    "/v1/merge": "/rudder/merge",
    "/beacon/v1/batch": "/rudder/batch",
    "/pixel/v1/track": "/rudder/pixel/track",
    "/pixel/v1/page": "/rudder/pixel/page",
}
_BATCHES: Final = ("/rudder/batch", "/rudder/import")
_CHANNEL: Final = b'"channel"'
_SMALL: Final = 2_048  # bytes that are looked through at once
_WORDS: Final = {  # the very words of its server
    Outcome.UNREADABLE: (400, "invalid json"),
    Outcome.NOT_AN_OBJECT: (400, "event is not a valid rudder event"),
    Outcome.TOO_LARGE: (413, "request size exceeds max limit"),
}
_PLAIN: Final = ((b"x-content-type-options", b"nosniff"),)
_ANONYMOUS: Final = frozenset(("anonymousid", "anonymous_id"))


class _Marked(msgspec.Struct, gc=False):
    channel: msgspec.Raw = envelope.NOTHING
    batch: list[msgspec.Raw] | None = None


class _Merged(msgspec.Struct, gc=False):
    """One of the two ids that a merge call declares to be one person's."""

    type: str = ""
    value: Scalar = None


class _Merge(msgspec.Struct, rename="camel", gc=False):
    merge_properties: list[_Merged] = []


_MARKED: Final = msgspec.json.Decoder(_Marked)
_MERGE: Final = msgspec.json.Decoder(_Merge)


def endpoint(path: str) -> str | None:
    own = _PATHS.get(path)
    if own is not None or not path.startswith("/v1/"):
        return own
    shared = segment.endpoint(path)
    return None if shared in (None, segment.METRICS) else f"/rudder{str(shared).removeprefix('/v1')}"


def claims(content: bytes) -> bool:
    """Whether its events name their channel. Of a large batch the first event tells; to look for the word first spares
    nearly all other bodies the reading."""
    if len(content) > _SMALL and content.startswith(b"{"):
        first = envelope.first_event(content, _MARKED.decode)
        if first is not None:
            return first.channel is not envelope.NOTHING
    if _CHANNEL not in content:
        return False
    try:
        head = _MARKED.decode(content)
        first = head if head.batch is None else _MARKED.decode(head.batch[0]) if head.batch else None
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return True  # no whole JSON, such as the beginning of a large body: the word must do
    return first is not None and first.channel is not envelope.NOTHING


def opened(arrived: Arrived) -> Opened | Refused:
    if arrived.endpoint in GETS:
        return Opened(event_of(arrived.request.query, arrived.endpoint.rpartition("/")[2]), tuple)
    content, single = arrived.content, arrived.endpoint not in _BATCHES
    if single and len(content) > (limit := arrived.max_event_bytes):
        return Refused(Outcome.TOO_LARGE, f"an event of {len(content)} bytes; at most {limit} are taken", content)
    found = envelope.opened(content, single)
    if isinstance(found, Refused):
        return found
    head, strict = found
    return Opened(strict, head.keys, kept=_said_by_headers(arrived.request, strict))


def taken(arrived: Arrived, opened: Opened) -> Answer:
    return answers.PIXEL if arrived.endpoint in GETS else _OK


def refused(arrived: Arrived, reason: Outcome, message: str) -> Answer:
    return _failure(*_WORDS.get(reason, (400, message)))


def unknown(arrived: Arrived) -> Answer:
    if arrived.endpoint in GETS:
        return answers.PIXEL
    return _failure(401, "invalid write key" if _offers_a_key(arrived) else "failed to read writekey from header")


def disabled(arrived: Arrived) -> Answer:
    return answers.PIXEL if arrived.endpoint in GETS else _failure(404, "source is disabled")


def other(method: str, path: str, asked: Asked) -> Answer | None:
    if (own := endpoint(path)) is not None:
        return answers.GET_ONLY if own in GETS else answers.POST_ONLY
    if path not in ("/sourceConfig", "/version", "/robots.txt"):
        return None
    if method not in ("GET", "HEAD"):
        return answers.GET_ONLY
    if path == "/sourceConfig":
        return _configuration(method, asked)
    return _version() if path == "/version" else text_answer("User-agent: *\nDisallow: /\n")


def decode(record: Record, mint: Mint, max_event_bytes: int) -> Decoded:
    path, _, kept = record.path.partition("?")
    name = path.rpartition("/")[2]
    return segment.decoded(record, name if name in KINDS else None, _reader(name, kept), mint, max_event_bytes)


def _reader(name: str, kept: str) -> ReadItem:
    """Reads an event, with what its path and its request's headers say of it."""
    said = dict(parse_qsl(kept))

    def read(raw: msgspec.Raw) -> Item:
        item = segment.read(raw)
        if item.sent_at is None:
            item.sent_at = said.get("sentAt")
        if item.user_id in (None, "") and item.anonymous_id in (None, ""):
            item.anonymous_id = said.get("anonymousId")
        if name == "merge" or (type(item.type) is str and item.type.lower() == "merge"):
            _merge(item, raw)
        return item

    return read


def _merge(item: Item, raw: msgspec.Raw) -> None:
    """A merge of a user's id with an anonymous one is an identify; of any others, an alias of the second by the first."""
    item.type = "alias"
    merged = _MERGE.decode(raw).merge_properties
    if len(merged) != 2:
        return  # userId and previousId tell, or the rules of an alias do
    first, second = sorted(merged, key=lambda one: one.type.lower() in _ANONYMOUS)
    if second.type.lower() in _ANONYMOUS and first.type.lower() not in _ANONYMOUS:
        item.type, item.user_id, item.anonymous_id = "identify", first.value, second.value
    else:
        item.user_id, item.previous_id = first.value, second.value


def _said_by_headers(request: Request, content: bytes) -> str:
    """When it was sent and by whom, where only the headers tell."""
    said = {}
    if (sent_at := request.header(b"sentat")) and b'"sentAt"' not in content:
        said["sentAt"] = sent_at.decode("latin-1")
    if (encoded := request.header(b"anonymousid")) and b'"anonymousId"' not in content:
        try:
            said["anonymousId"] = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            said["anonymousId"] = encoded.decode("latin-1")
    return urlencode(said)


def _offers_a_key(arrived: Arrived) -> bool:
    if arrived.request.header_key() is not None or any(arrived.request.query_keys()):
        return True
    found = envelope.opened(arrived.content, single=False)
    return not isinstance(found, Refused) and any(found[0].keys())


def _configuration(method: str, asked: Asked) -> Answer:
    """What its SDKs wait for before they send anything. A HEAD, without a key, looks whether an ad blocker is at work."""
    offered: Iterable[str | None] = (asked.request.header_key(), *asked.request.query_keys())
    key = next((key for key in offered if key and asked.known(key)), None)
    if method == "GET" and key is None:
        return _failure(401, "invalid write key")
    return json_answer(
        {
            "isHosted": True,
            "source": {
                "id": "jcurve",
                "name": "jcurve",
                "writeKey": key or "",
                "enabled": key is None or not asked.off(key),
                "config": {},
                "sourceDefinitionId": "jcurve",
                "sourceDefinition": {"name": "jcurve", "category": None},
                "destinations": [],
                "updatedAt": "2026-01-01T00:00:00.000Z",
            },
        }
    )


@lru_cache(maxsize=1)
def _version() -> Answer:
    return json_answer({"Version": version("jcurve")})


def _failure(status: int, words: str) -> Answer:
    return text_answer(f"{words}\n", status, _PLAIN)


_OK: Final = text_answer("ok")
