"""Durations as they are written in requests and definitions: ``90s 30m 12h 14d 2w``.

They are elapsed time: a day is always 24 hours, whatever the clocks did that night.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
EXAMPLES: Final = ("90s", "30m", "12h", "14d", "2w")

_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """``parse_duration("14d") == timedelta(days=14)``; raises ``ValueError`` for any other form, and for zero."""
    found = _DURATION.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ValueError(f"{text!r} is not a duration; write a whole number above 0 and a unit, as in {' '.join(EXAMPLES)}")
    return int(found[1]) * UNITS[found[2]]


def format_duration(duration: timedelta) -> str:
    """The way back, in the largest unit of d, h, m, s that fits: two weeks are ``14d``."""
    unit = next(unit for unit in "dhms" if duration % UNITS[unit] == timedelta(0))
    return f"{duration // UNITS[unit]}{unit}"
