"""What an event may be, beside its size in bytes: how many properties, how deep, how long its name.

An event beyond a limit is rejected and kept, so that it can be replayed under another.
"""

from __future__ import annotations

from typing import Final

import msgspec

_LEAST: Final = 6  # bytes that a property takes: "a":1,
_SHORT: Final = 300  # bytes
_QUOTE: Final = ord('"')
_ESCAPE: Final = ord("\\")
_OPENING: Final = b"{["
_CLOSING: Final = b"}]"
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Limits(msgspec.Struct, frozen=True):
    """``properties`` of an event, or traits, in the outermost object; ``depth`` of objects and lists within each other;
    ``name``: characters of an event's name."""

    properties: int = 1_000
    depth: int = 64
    name: int = 500


USUAL: Final = Limits()
ALWAYS: Final = 80  # what is no longer, name and properties together, keeps to any limits that can be set


def exceeded(limits: Limits, event: str, properties: bytes) -> str | None:
    """What is too much, or None. ``properties`` is a JSON object."""
    if len(event) > limits.name:
        return f"a name of {len(event)} characters; at most {limits.name} are taken"
    if len(properties) <= 2 * limits.depth:
        return None
    if opened(properties, limits.depth) > limits.depth and (deep := too_deep(limits, properties)) is not None:
        return deep
    if len(properties) > _LEAST * limits.properties and (found := len(_FIELDS.decode(properties))) > limits.properties:
        return f"{found} properties; at most {limits.properties} are taken"
    return None


def too_deep(limits: Limits, document: bytes) -> str | None:
    """What is too much of properties or of a context, or None."""
    if opened(document, limits.depth) > limits.depth and (found := depth(document)) > limits.depth:
        return f"objects and lists {found} deep; at most {limits.depth} are taken"
    return None


def opened(document: bytes, most: int) -> int:
    """How many objects and lists there are, or more, counted to ``most`` and a little beyond: none lies deeper.

    In a long document it leaps from one to the next: there are few.
    """
    if len(document) <= _SHORT:
        return document.count(b"{") + document.count(b"[")
    found, leap = 0, document.find
    for byte in _OPENING:
        at = leap(byte)
        while at >= 0 and found <= most:
            found, at = found + 1, leap(byte, at + 1)
    return found


def depth(document: bytes) -> int:
    """How many objects and lists stand within each other, the outermost included. The document is sound JSON."""
    if opened(document, 2) < 2:
        return 1
    deepest = level = 0
    in_text = escaped = False
    for byte in document:
        if in_text:
            in_text, escaped = escaped or byte != _QUOTE, byte == _ESCAPE and not escaped
        elif byte == _QUOTE:
            in_text = True
        elif byte in _OPENING:
            level += 1
            deepest = max(deepest, level)
        elif byte in _CLOSING:
            level -= 1
    return deepest
