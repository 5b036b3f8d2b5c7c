"""The bodies that PostHog's SDKs send: whose they are, their events, the tokens in them, and when they were sent.

``{"api_key", "batch": [...], "sent_at"}``, a list of events, or one event; each event or the whole names the token. All
tokens of a list must be one (PostHog's rule: two projects' events do not travel together), else none of them counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from ingest.actor import KINDS
from ingest.protocols import envelope
from ingest.protocols.envelope import NOTHING, Keyed, Refused

_HEAD: Final = 8_192  # bytes of a body that cannot be read: enough to see whose it is


class Body(Keyed, gc=False):
    """An object: a batch, or one event. As much as the door reads."""

    batch: list[msgspec.Raw] | None = None
    sent_at: msgspec.Raw = NOTHING


class _Properties(msgspec.Struct, gc=False):
    lib: msgspec.Raw = msgspec.field(default=NOTHING, name="$lib")
    mp_lib: msgspec.Raw = NOTHING
    distinct_id: msgspec.Raw = NOTHING


class _Marks(msgspec.Struct, gc=False):
    """What tells one family's body or event from another's."""

    write_key: msgspec.Raw = msgspec.field(default=NOTHING, name="writeKey")
    api_key: msgspec.Raw = NOTHING
    token: msgspec.Raw = NOTHING
    dollar_token: msgspec.Raw = msgspec.field(default=NOTHING, name="$token")
    events: msgspec.Raw = NOTHING  # Amplitude's list
    batch: msgspec.Raw = NOTHING
    type: msgspec.Raw = NOTHING
    event: msgspec.Raw = NOTHING
    uuid: msgspec.Raw = NOTHING
    distinct_id: msgspec.Raw = NOTHING
    dollar_id: msgspec.Raw = msgspec.field(default=NOTHING, name="$distinct_id")
    properties: msgspec.Raw = NOTHING


_BODY: Final = msgspec.json.Decoder(Body | list[msgspec.Raw])
_ONE: Final = msgspec.json.Decoder(Keyed)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MARKS: Final = msgspec.json.Decoder(_Marks)
_PROPERTIES: Final = msgspec.json.Decoder(_Properties)
_SEGMENTS: Final = frozenset(f'"{kind}"'.encode() for kind in KINDS)
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def claims(content: bytes) -> bool:
    """By marks of ours alone, so that what has none stays with another family."""
    start = content.lstrip()[:1]
    try:
        if start == b"[":
            if (first := envelope.first_event(content, _MARKS.decode)) is not None:
                return _is_ours(first)
            listed = _LIST.decode(content)
            return bool(listed) and _is_ours(_MARKS.decode(listed[0]))
        return start == b"{" and _is_ours(_MARKS.decode(content))
    except _FAULTS:
        return _seems_ours(content[:_HEAD])


def _is_ours(marks: _Marks) -> bool:
    """Of a batch its first event tells, and a key under PostHog's names; Amplitude's has ``events``."""
    if marks.write_key is not NOTHING:
        return False
    if not bytes(marks.batch).startswith(b"["):
        return marks.events is NOTHING and _is_our_event(marks)
    listed = _LIST.decode(marks.batch)
    first = _MARKS.decode(listed[0]) if listed and bytes(listed[0]).startswith(b"{") else _Marks()
    named = (marks.api_key, marks.token, marks.dollar_token, _within(first).distinct_id)
    segments = bytes(first.type) in _SEGMENTS
    return _is_our_event(first) or (not segments and any(mark is not NOTHING for mark in named))


def _is_our_event(marks: _Marks) -> bool:
    """Mixpanel's have an ``event`` and ``properties``, too, with its library's name in these; its updates a ``$token``."""
    is_update = marks.dollar_token is not NOTHING and marks.event is NOTHING
    if marks.write_key is not NOTHING or is_update:
        return False
    within = _within(marks)
    root = (marks.distinct_id, marks.dollar_id, marks.uuid, marks.api_key, marks.token, within.lib)
    if within.mp_lib is not NOTHING or all(mark is NOTHING for mark in root):
        return False
    return any(mark is not NOTHING for mark in (marks.event, marks.dollar_id, marks.properties))


def _within(marks: _Marks) -> _Properties:
    return _PROPERTIES.decode(marks.properties) if bytes(marks.properties).startswith(b"{") else _Properties()


def _seems_ours(head: bytes) -> bool:
    """Of the beginning of a body that is too large, or broken."""
    if any(mark in head for mark in (b'"writeKey"', b'"events"', b'"mp_lib"', b'"$token"', b'"messageId"', b'"time"')):
        return False
    return any(mark in head for mark in (b'"api_key"', b'"distinct_id"', b'"$distinct_id"', b'"$lib"'))


def opened(content: bytes) -> tuple[Body | list[msgspec.Raw], bytes] | Refused:
    """The body with its events uncut, and its bytes as strict JSON: nearly always the very same."""
    return envelope.strictly(content, _BODY.decode)


def events_of(body: Body | list[msgspec.Raw], content: bytes) -> list[msgspec.Raw]:
    if isinstance(body, list):
        return body
    return [msgspec.Raw(content)] if body.batch is None else body.batch


def tokens(body: Body | list[msgspec.Raw]) -> Iterator[str]:
    """The envelope's own, else what its events say with one voice."""
    if isinstance(body, Body):
        own = list(body.keys())
        if own or body.batch is None:
            yield from own
            return
    said = _said(body if isinstance(body, list) else body.batch or [])
    if len(said) == 1:
        yield from said


def _said(events: list[msgspec.Raw]) -> set[str]:
    said: set[str] = set()
    for raw in events:
        try:
            said.update(list(_ONE.decode(raw).keys())[:1])
        except _FAULTS:
            continue  # no object: it is rejected by itself
    return said
