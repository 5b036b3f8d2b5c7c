"""The envelope of a request: its events uncut, whose key it carries, when it was sent. The door reads no further.

``{"batch": [...], "sentAt": ..., "writeKey": ..., "context": {...}}`` on the batch paths; elsewhere the body is the event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from ingest.outcome import Outcome
from ingest.protocols import repair

NOTHING: Final = msgspec.Raw()
KEY_FIELDS: Final = ("writeKey", "api_key", "token", "$token")


class Envelope(msgspec.Struct, gc=False):
    """``batch`` is None where the body is itself one event; fields hold their JSON as it came, NOTHING where absent."""

    batch: list[msgspec.Raw] | None = None
    sent_at: msgspec.Raw = msgspec.field(default=NOTHING, name="sentAt")
    context: msgspec.Raw = NOTHING
    write_key: msgspec.Raw = msgspec.field(default=NOTHING, name="writeKey")
    api_key: msgspec.Raw = NOTHING
    token: msgspec.Raw = NOTHING
    dollar_token: msgspec.Raw = msgspec.field(default=NOTHING, name="$token")

    def keys(self) -> Iterator[str]:
        """The keys it carries, the likeliest first; a browser's batch repeats its key in each event."""
        for raw in (self.write_key, self.api_key, self.token, self.dollar_token):
            yield from _string(bytes(raw))
        if self.batch:
            try:
                first = _BODY.decode(self.batch[0])
            except msgspec.MsgspecError:
                return
            yield from _string(bytes(first.write_key))


class _Body(msgspec.Struct, gc=False):
    """The envelope where the path says that the body is one event: a ``batch`` in it means nothing."""

    write_key: msgspec.Raw = msgspec.field(default=NOTHING, name="writeKey")
    api_key: msgspec.Raw = NOTHING
    token: msgspec.Raw = NOTHING
    dollar_token: msgspec.Raw = msgspec.field(default=NOTHING, name="$token")


class Refused(msgspec.Struct, frozen=True):
    """A whole body that holds no event; ``raw`` is what is kept of it."""

    reason: Outcome
    detail: str
    raw: bytes


_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_BODY: Final = msgspec.json.Decoder(_Body)


def opened(body: bytes, single: bool) -> tuple[Envelope, bytes] | Refused:
    """The envelope and the body as strict JSON, which is the body itself nearly always."""
    try:
        return _read(body, single), body
    except msgspec.ValidationError as fault:
        return _no_envelope(body, fault)
    except (msgspec.MsgspecError, RecursionError):
        pass
    strict = repair.grammar(repair.text(body))
    if strict is None:
        return Refused(Outcome.UNREADABLE, Outcome.UNREADABLE.help, body)
    try:
        return _read(strict, single), strict
    except msgspec.ValidationError as fault:
        return _no_envelope(body, fault)
    except (msgspec.MsgspecError, RecursionError) as fault:
        return Refused(Outcome.UNREADABLE, f"JSON that cannot be read: {fault}", body)


def _read(body: bytes, single: bool) -> Envelope:
    if not single:
        return _ENVELOPE.decode(body)
    keys = _BODY.decode(body)
    return Envelope(None, NOTHING, NOTHING, keys.write_key, keys.api_key, keys.token, keys.dollar_token)


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
