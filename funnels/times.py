"""Microseconds since 1970 as ISO texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from funnels.result import iso

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso_of(micros: int) -> str:
    """``iso_of(0) == "1970-01-01T00:00:00Z"``."""
    return iso(_EPOCH + timedelta(microseconds=micros))
