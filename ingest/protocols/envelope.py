"""The envelope of a request: its events uncut, whose key it carries, when it was sent. The door reads no further.

``{"batch": [...], "sentAt": ..., "writeKey": ..., "context": {...}}`` on the batch paths; elsewhere the body is the event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import msgspec

from ingest.outcome import Outcome
from ingest.protocols import repair

T = TypeVar("T")

NOTHING: Final = msgspec.Raw()
KEY_FIELDS: Final = ("writeKey", "api_key", "token", "$token")


class Keyed(msgspec.Struct, gc=False):
    """A body that is itself one event: all that the door reads of it is its key, as JSON and uncut; NOTHING where absent."""

    write_key: msgspec.Raw = msgspec.field(default=NOTHING, name="writeKey")
    api_key: msgspec.Raw = NOTHING
    token: msgspec.Raw = NOTHING
    dollar_token: msgspec.Raw = msgspec.field(default=NOTHING, name="$token")
    properties: msgspec.Raw = NOTHING

    def keys(self) -> Iterator[str]:
        """The keys it carries, the likeliest first."""
        for raw in (self.write_key, self.api_key, self.token, self.dollar_token):
            yield from _string(bytes(raw))
        if self.properties is not NOTHING:
            try:
                inner = _PROPERTIES.decode(self.properties)
            except msgspec.MsgspecError:
                return
            yield from _string(bytes(inner.token))


class _Properties(msgspec.Struct, gc=False):
    """An event's properties, as far as a key may stand in them."""

    token: msgspec.Raw = NOTHING


class Envelope(Keyed, gc=False):
    """A body on a batch path. ``batch`` is None where it is one event all the same."""

    batch: list[msgspec.Raw] | None = None
    sent_at: msgspec.Raw = msgspec.field(default=NOTHING, name="sentAt")
    context: msgspec.Raw = NOTHING

    def keys(self) -> Iterator[str]:
        """A browser's batch repeats its key in each event."""
        yield from Keyed.keys(self)
        if self.batch:
            yield from keys_of(self.batch[0])


class Refused(msgspec.Struct, frozen=True):
    """A whole body that holds no event; ``raw`` is what is kept of it, ``seen`` the beginning of what is wrapped in it."""

    reason: Outcome
    detail: str
    raw: bytes
    seen: bytes = b""


_SEEN: Final = 65_536  # bytes
_SEEN_KEY: Final = re.compile(rb'"(?:writeKey|api_key|\$?token|aid)"\s*:\s*"([^"\\]{1,200})"')
_LIST_FIRST: Final = re.compile(rb'\s*(?:\{\s*"batch"\s*:\s*)?\[\s*(?=\{)')
_ENDS: Final = (b"},{", b"}, {")
_LOOKED_THROUGH: Final = 4_096  # bytes for the first event's end
_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_KEYED: Final = msgspec.json.Decoder(Keyed)
_PROPERTIES: Final = msgspec.json.Decoder(_Properties)


def opened(body: bytes, single: bool) -> tuple[Keyed, bytes] | Refused:
    """The envelope (an ``Envelope`` unless ``single``) and the body as strict JSON: nearly always the very same bytes."""
    return strictly(body, _KEYED.decode if single else _ENVELOPE.decode)


def strictly(body: bytes, read: Callable[[bytes], T]) -> tuple[T, bytes] | Refused:
    """What ``read``, a decoder of JSON objects, makes of the body once it is strict JSON, and that."""
    try:
        return read(body), body
    except msgspec.ValidationError as fault:
        return _no_envelope(body, fault)
    except (msgspec.MsgspecError, RecursionError):
        pass
    strict = repair.grammar(repair.text(body))
    if strict is None:
        return Refused(Outcome.UNREADABLE, Outcome.UNREADABLE.help, body)
    try:
        return read(strict), strict
    except msgspec.ValidationError as fault:
        return _no_envelope(body, fault)
    except (msgspec.MsgspecError, RecursionError) as fault:
        return Refused(Outcome.UNREADABLE, f"JSON that cannot be read: {fault}", body)


def keys_of(*objects: msgspec.Raw) -> Iterator[str]:
    """The keys in any of these, wherever an SDK may put them; of what is no object none."""
    for raw in objects:
        try:
            yield from _KEYED.decode(raw).keys()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue


def first_event(body: bytes, read: Callable[[bytes], T]) -> T | None:
    """What ``read``, a decoder of JSON objects, makes of the first of several events, where these stand first in the body
    and are not large, as nearly always; None: to know it the body must be read. Of a hundred events it is a hundredth.
    """
    if (before := _LIST_FIRST.match(body)) is None:
        return None
    start = before.end()
    for end in _ENDS:
        if (at := body.find(end, start, start + _LOOKED_THROUGH)) >= 0:
            try:
                return read(body[start : at + 1])
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                return None  # an event within which this stands
    return None


def seen_keys(body: bytes) -> Iterator[str]:
    """What looks like a key near either end of a body that is no JSON, or not whole."""
    ends = body if len(body) <= 2 * _SEEN else body[:_SEEN] + body[-_SEEN:]
    for found in _SEEN_KEY.finditer(ends):
        yield found[1].decode("utf-8", "replace")


def _no_envelope(body: bytes, fault: msgspec.ValidationError) -> Refused:
    if body.lstrip()[:1] == b"{":
        return Refused(Outcome.UNREADABLE, f"batch must be a list of events ({fault})", body)
    return Refused(Outcome.NOT_AN_OBJECT, Outcome.NOT_AN_OBJECT.help, body)


def _string(raw: bytes) -> Iterator[str]:
    if raw.startswith(b'"'):
        try:
            yield msgspec.json.decode(raw, type=str).strip()
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
