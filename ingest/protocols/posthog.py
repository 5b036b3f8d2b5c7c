"""PostHog: capture v0 under all its names, capture v1 with a result for each event, and what its SDKs ask before they send.

v0: ``/i/v0/e`` and, older, ``/batch /e /capture /track /engage``; of LLM events ``/i/v0/ai/batch``. By POST, or GET with
``?data=``. v1: ``/i/v1/analytics/events``; an event that we would reject is answered ``drop`` there with the reason, so that
the SDK tells its user; that is found out by decoding at the door what the flush will decode again. Recordings of sessions
(``/s``) are no events: taken and thrown away, and the configuration that we hand out turns them off.

Facts: https://posthog.com/docs/api/capture, its server's source (rust/capture), and what its SDKs were seen to send. What
they post at ``/batch``, ``/track`` and ``/engage`` is told from others' in ``posthog_bodies``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Final
from urllib.parse import parse_qs, urlencode

import msgspec

from ingest import answers
from ingest.answers import Answer, json_answer
from ingest.outcome import Outcome
from ingest.protocols import posthog_answers as words
from ingest.protocols import posthog_bodies as bodies
from ingest.protocols import repair
from ingest.protocols.assemble import Mint, Sender, at_once, one_by_one
from ingest.protocols.call import Call, Reject
from ingest.protocols.envelope import NOTHING, Refused
from ingest.protocols.family import Arrived, Asked, Decoded, Opened
from ingest.protocols.posthog_event import Around, Event, item_of, read
from ingest.protocols.posthog_verdict import all_sound
from ingest.record import Record
from ingest.request import Request
from ingest.scalar import Scalar, text
from ingest.times import micros

EVENTS: Final = "/posthog/events"
ENGAGE: Final = "/posthog/engage"  # an event without a name is an identify here
V1: Final = "/posthog/v1"
REPLAY: Final = "/posthog/replay"
GETS: Final = frozenset((EVENTS, ENGAGE))
MAX_BODY_BYTES: Final = 20 * 1024 * 1024  # PostHog's
MAX_EVENT_BYTES: Final = 1_048_576  # what its server's log takes; its SDK for Python stops at 900 KiB

_PATHS: Final = {
    **dict.fromkeys(("/batch", "/e", "/capture", "/track", "/i/v0/e", "/i/v0/ai/batch"), EVENTS),
    "/engage": ENGAGE,
    "/i/v1/analytics/events": V1,
    "/s": REPLAY,
}
_CONFIG: Final = re.compile(r"/array/([^/]+)/config(\.js)?")


class _Batch(msgspec.Struct, gc=False):
    batch: list[Event]
    sent_at: msgspec.Raw = NOTHING


class _Read(Opened, frozen=True, kw_only=True, gc=False):
    """A request of v1, whose answer tells of each event: they were read to begin with."""

    batch: _Batch


_BATCH: Final = msgspec.json.Decoder(_Batch)
_SCALAR: Final = msgspec.json.Decoder(Scalar)


def endpoint(path: str) -> str | None:
    return _PATHS.get(path)


def claims(content: bytes) -> bool:
    return bodies.claims(content)


def opened(arrived: Arrived) -> Opened | Refused:
    kept, content = _kept(arrived.request, arrived.endpoint == V1), arrived.content
    if arrived.endpoint == V1 and (batch := _batch(content)) is not None:
        return _Read(content, partial(_tokens, content), kept, len(batch.batch), batch=batch)
    found = bodies.opened(content)
    if isinstance(found, Refused):
        return found
    body, strict = found
    events = len(bodies.events_of(body, strict))
    return Opened(strict, partial(bodies.tokens, body), kept, events, stored=arrived.endpoint != REPLAY)


def _tokens(content: bytes) -> Iterator[str]:
    found = bodies.opened(content)
    return iter(()) if isinstance(found, Refused) else bodies.tokens(found[0])


def taken(arrived: Arrived, opened: Opened) -> Answer:
    if arrived.endpoint != V1:
        return words.OK
    return json_answer({"results": _results(arrived, opened)}, headers=words.echo(arrived.request))


def _results(arrived: Arrived, opened: Opened) -> dict[str, dict[str, str]]:
    content = repair.text(opened.content)
    batch: _Batch | None = None
    if len(content) <= arrived.max_event_bytes:
        read = isinstance(opened, _Read) and content is opened.content  # not repaired
        batch = opened.batch if isinstance(opened, _Read) and read else _batch(content)
    if batch is not None and all_sound(batch.batch, _scalar(batch.sent_at) or _beside(opened.kept).get("sent_at")):
        return {str(event.uuid): words.STORED for event in batch.batch}
    record = Record(0, "", "", f"{V1}?{opened.kept}", "", "", content)  # no user agent: its rules are large
    calls, rejects = decode(record, lambda _: "", arrived.max_event_bytes)
    results = {call.event_id: words.STORED for call in calls if call.event_id and type(call) is Call}
    return results | {reject.event_id: words.dropped(reject.reason) for reject in rejects if reject.event_id}


def refused(arrived: Arrived, reason: Outcome, message: str) -> Answer:
    status = 413 if reason is Outcome.TOO_LARGE else 400
    if arrived.endpoint == V1:
        return words.failure(
            status, "payload_too_large" if status == 413 else "request_parsing_error", message, arrived.request
        )
    return answers.refusal(status, message)


def unknown(arrived: Arrived) -> Answer:
    if arrived.endpoint == V1:
        return words.failure(401, "invalid_api_token", "The API token is missing, or none of ours.", arrived.request)
    return answers.NO_KEY


def disabled(arrived: Arrived) -> Answer:
    if arrived.endpoint == V1:
        return words.failure(401, "source_disabled", "The source of this API token is disabled.", arrived.request)
    return answers.SOURCE_OFF


def other(method: str, path: str, asked: Asked) -> Answer | None:
    if path in ("/flags", "/decide"):
        return words.DECIDE if path == "/decide" else words.FLAGS
    if found := _CONFIG.fullmatch(path):
        if method not in ("GET", "HEAD"):
            return answers.GET_ONLY
        if not asked.known(found[1]):
            return answers.NO_KEY
        return words.script(found[1]) if found[2] else json_answer(words.config(found[1]), headers=words.BRIEFLY)
    return answers.POST_ONLY if endpoint(path) else None


def decode(record: Record, mint: Mint, max_event_bytes: int) -> Decoded:
    path, _, query = record.path.partition("?")
    said = _beside(query)
    around = Around(record, said.get("sent_at"), said.get("lib", ""), "$identify" if path == ENGAGE else None)
    sender = Sender(None, record.source, record.user_agent, record.received_at, None, b"")
    content = repair.text(record.body)
    if len(content) <= max_event_bytes and (calls := _at_once(content, around, sender, mint)) is not None:
        return calls, []
    found = bodies.opened(content)
    if isinstance(found, Refused):
        return [], [Reject(found.reason, found.detail, None, record.body)]
    body, content = found
    if isinstance(body, bodies.Body) and body.batch is not None:
        around.sent_at = _scalar(body.sent_at) or around.sent_at
    return one_by_one(bodies.events_of(body, content), partial(read, around=around), sender, mint, max_event_bytes)


def _at_once(content: bytes, around: Around, sender: Sender, mint: Mint) -> list[Call] | None:
    """A batch of sound events, as nearly all are."""
    batch = _batch(content)
    if batch is None:
        return None
    request = msgspec.structs.replace(around, sent_at=_scalar(batch.sent_at) or around.sent_at)
    return at_once((item_of(event, request) for event in batch.batch), sender, mint)


def _batch(content: bytes) -> _Batch | None:
    try:
        return _BATCH.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _beside(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _kept(request: Request, v1: bool) -> str:
    """When it was sent and by which library, where not the body says so."""
    if v1:
        given = {"sent_at": request.header(b"posthog-request-timestamp"), "lib": request.header(b"posthog-sdk-info")}
        kept = {name: value.decode("latin-1") for name, value in given.items() if value}
    else:
        sent_at = parse_qs(request.query.decode("utf-8", "replace")).get("_", [""])[0] if b"_=" in request.query else ""
        kept = {"sent_at": sent_at} if micros(sent_at) is not None else {}
    return urlencode({name: value[:200] for name, value in kept.items()})


def _scalar(raw: msgspec.Raw) -> str | None:
    try:
        return None if raw is NOTHING else text(_SCALAR.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
