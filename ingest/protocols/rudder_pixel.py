"""A pixel's query as an event: for mails and for pages without scripts, whose ``<img>`` can only ask for an address."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

import msgspec

_DEEPEST: Final = 16  # levels of keys
_KEY_PARTS: Final = re.compile(r"[^.\[\]]+")


def event_of(query: bytes, kind: str) -> bytes:
    """``event=Opened&properties.plan=pro`` as the JSON of a call; ``properties[plan]=pro`` says the same."""
    event: dict[str, object] = {"channel": "web", "type": kind}
    for key, value in parse_qsl(query.decode("utf-8", "replace")):
        parts = _KEY_PARTS.findall(key)
        if parts and parts != ["writeKey"] and len(parts) <= _DEEPEST:
            _put(event, parts, _unquoted(value))
    return msgspec.json.encode(event)


def _put(event: dict[str, object], parts: list[str], value: str) -> None:
    *folders, last = parts
    for folder in folders:
        inner = event.get(folder)
        if not isinstance(inner, dict):
            inner = event[folder] = {}
        event = inner
    event[last] = value


def _unquoted(value: str) -> str:
    """``"a1"`` is ``a1``: some write the query as if it were JSON."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
