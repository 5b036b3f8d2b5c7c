"""JSON lines of Segment calls: a call a line as a library sends it or as Segment archives it, or a request's whole batch."""

from __future__ import annotations

from collections.abc import Mapping


def call(row: Mapping[str, object]) -> Mapping[str, object]:
    """As it stands. An archived call has its corrected time in ``timestamp``."""
    return row
