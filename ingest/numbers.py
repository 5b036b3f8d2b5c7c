"""Numbers that JSON can write and nobody can hold: ``1e999``, integers of thousands of digits. They are read as null.

A write key is public, so such a number may stand in any event; a reader that stopped at it would stop for everybody.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

_LONGEST: Final = 4_000  # digits; Python refuses to read more than 4,300


def finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST else None


def loads(text: str) -> Any:
    """Of JSON as the lake holds it, which is sound."""
    return json.loads(text, parse_float=finite, parse_int=integer)
