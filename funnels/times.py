"""Times as ISO texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso(time: datetime) -> str:
    """``2026-01-25T00:00:00Z``; microseconds only where there are some."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def iso_of(micros: int) -> str:
    """``iso_of(0) == "1970-01-01T00:00:00Z"``, of microseconds since then."""
    return iso(_EPOCH + timedelta(microseconds=micros))
