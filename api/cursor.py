"""Cursors of lists: opaque texts that hold the manifest of the first page and the place where it ended."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from api.errors import Detail, Unprocessable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cursor:
    """``manifest`` keeps the pages on one build; ``time`` and ``id`` are the last item's."""

    manifest: int
    time: datetime
    id: str

    def encode(self) -> str:
        micros = (self.time - _EPOCH) // timedelta(microseconds=1)
        text = json.dumps([self.manifest, micros, self.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Raises ``Unprocessable`` for a text that no answer gave out."""
    try:
        manifest, micros, id_ = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return Cursor(int(manifest), _EPOCH + timedelta(microseconds=int(micros)), str(id_))
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        fault = Detail("cursor", text, ["the 'next' of the page before"], "no answer gave out this cursor")
        raise Unprocessable("cursor: no answer gave out this cursor.", [fault]) from None
