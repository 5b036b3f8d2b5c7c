"""Ids and names as SDKs send them: text, numbers, nothing, or the word that a bug writes for nothing."""

from __future__ import annotations

from typing import Final

Scalar = str | int | float | None

NOBODY: Final = frozenset(("undefined", "null", "None", "NaN", "[object Object]"))


def text(value: Scalar) -> str | None:
    """A number as JavaScript prints it (``42.0`` is ``"42"``); an empty or blank text is None."""
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if value is None:
        return None
    return str(int(value)) if abs(value) < 1e21 and value == int(value) else str(value)


def identifier(value: Scalar) -> str | None:
    """As ``text``, and None for the names of nothing, which would make one person of strangers."""
    if value is None:
        return None
    if type(value) is str and value and value not in NOBODY and not value.isspace():
        return value
    name = text(value)
    return None if name in NOBODY else name
