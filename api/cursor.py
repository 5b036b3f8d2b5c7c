"""Cursors of lists: opaque texts that hold which data the first page was read from, and the place where it ended."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from api.errors import Detail, Unprocessable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cursor:
    """``manifest`` keeps the pages on one build; ``time`` and ``id`` are the last item's."""

    manifest: int
    time: datetime
    id: str

    def encode(self) -> str:
        return _encode([self.manifest, _micros(self.time), self.id])


@dataclass(frozen=True)
class FunnelCursor:
    """Of a list behind a funnel: the versions of events, build and ledger that it reads, and whose list it is."""

    events: int | None
    manifest: int | None
    ledger: int | None
    complete_until: datetime
    question: str  # a digest
    entry: int  # microseconds since 1970, of the last item
    id: str

    def encode(self) -> str:
        versions = [self.events, self.manifest, self.ledger]
        return _encode([*versions, _micros(self.complete_until), self.question, self.entry, self.id])


def digest(*parts: object) -> str:
    """What tells a question from another one."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def decode_of_funnel(text: str) -> FunnelCursor:
    """Raises ``Unprocessable`` for a text that no answer gave out."""
    try:
        events, manifest, ledger, until, question, entry, id_ = _decode(text)
        return FunnelCursor(
            _version(events), _version(manifest), _version(ledger), _moment(until), str(question), int(entry), str(id_)
        )
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise _unknown("after", text) from None


def decode(text: str) -> Cursor:
    """Raises ``Unprocessable`` for a text that no answer gave out."""
    try:
        manifest, micros, id_ = _decode(text)
        return Cursor(int(manifest), _moment(micros), str(id_))
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise _unknown("cursor", text) from None


def _encode(parts: list[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _version(found: Any) -> int | None:
    return None if found is None else int(found)


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: Any) -> datetime:
    return _EPOCH + timedelta(microseconds=int(micros))


def _unknown(path: str, text: str) -> Unprocessable:
    fault = Detail(path, text, ["the 'next' of the page before"], "no answer gave out this cursor")
    return Unprocessable(f"{path}: no answer gave out this cursor.", [fault])
