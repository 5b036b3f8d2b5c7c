"""The events that SDKs were told to make (``sdks/pace.py``), as they pass by on the wire in any SDK's protocol."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from ingest.body import unwrapped

_IDS: Final = ("messageId", "uuid", "insert_id", "$insert_id", "eid")
_LARGEST: Final = 50_000_000  # bytes


def ticks(method: str, path: str, body: bytes) -> tuple[tuple[int, str], ...]:
    """Number and id of each event in a request."""
    if method == "POST":
        return tuple(_events(_json(body)))
    query = dict(parse_qsl(urlsplit(path).query)) if method == "GET" else {}
    return tuple(_events(_json(query["data"].encode()) if "data" in query else query))


def _json(body: bytes) -> Any:
    content = unwrapped(body, _LARGEST)
    return json.loads(content.decode("utf-8", "surrogatepass")) if isinstance(content, bytes) else None


def _events(value: Any) -> Iterator[tuple[int, str]]:
    if isinstance(value, dict):
        event_id = next((value[name] for name in _IDS if name in value), None)
        if event_id is not None and (numbers := list(_numbers(value))):
            yield numbers[0], event_id
            return
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _events(inner)


def _numbers(event: dict[str, Any]) -> Iterator[int]:
    for name, value in event.items():
        if name == "n" and isinstance(value, int):
            yield value
        elif isinstance(value, dict):
            yield from _numbers(value)
        elif name in ("ue_pr", "ue_px"):  # Snowplow's: JSON in JSON
            text = value if name == "ue_pr" else base64.urlsafe_b64decode(value + "==").decode()
            yield from _numbers(json.loads(text))
