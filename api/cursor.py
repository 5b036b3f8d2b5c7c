"""Cursors of lists: opaque texts that hold the manifest of the first page and the place where it ended."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from api.errors import Detail, Unprocessable


@dataclass(frozen=True)
class Cursor:
    """``manifest`` keeps the pages on one build; ``time`` (µs since the epoch) and ``id`` are the last item's."""

    manifest: int
    time: int
    id: str

    def encode(self) -> str:
        text = json.dumps([self.manifest, self.time, self.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """Raises ``Unprocessable`` for a text that no answer gave out."""
    try:
        manifest, time, id_ = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return Cursor(int(manifest), int(time), str(id_))
    except (ValueError, TypeError, binascii.Error):
        fault = Detail("cursor", text, ["the 'next' of the page before"], "no answer gave out this cursor")
        raise Unprocessable("cursor: no answer gave out this cursor.", [fault]) from None
