"""Properties and context as the bytes of one JSON object, whatever was sent in their place."""

from __future__ import annotations

from typing import Final

import msgspec

from ingest.protocols import repair, tolerant
from ingest.steps import Context, Page, Promoted, first_id, put_campaign, put_page


class _Groups(msgspec.Struct, gc=False):
    groups: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw, name="$groups")


_GROUPS: Final = msgspec.json.Decoder(_Groups)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def json_object(raw: msgspec.Raw) -> bytes:
    """An object as it stands; nothing or null as ``{}``; anything else under ``$value``, so that it is not lost."""
    data = bytes(raw)
    if data[:1] == b"{":
        return data
    if not data or data == b"null":
        return b"{}"
    return b'{"$value":' + data + b"}"


def named(properties: bytes, name: str | None, category: str | None) -> bytes:
    """A page's or screen's name and category among its properties, where it has none of its own."""
    for field, value in (("category", category), ("name", name)):
        if value is not None and not _has(properties, field):
            pair = f'"{field}":'.encode() + msgspec.json.encode(value)
            rest = properties[1:].lstrip()
            properties = b"{" + pair + (rest if rest.startswith(b"}") else b"," + rest)
    return properties


def merged(under: bytes, over: bytes) -> bytes:
    """Two objects as one: the event's own (``over``) wins, objects within are merged likewise, nulls give way."""
    below, above = repair.loads(under), repair.loads(over)
    if not isinstance(below, dict) or not below or not isinstance(above, dict):
        return over
    return repair.dumps(_merged(below, above))


def groups_in(properties: bytes) -> str | None:
    """The first id under ``$groups``."""
    if b"$" not in properties or b'"$groups"' not in properties:  # one byte is found much faster than nine
        return None
    return first_id(bytes(_GROUPS.decode(properties).groups))


def with_page(seen: Promoted, properties: bytes) -> Promoted:
    """A server's page call names its URL in the properties, not in the context."""
    row = msgspec.structs.replace(seen)
    context = Context(page=tolerant.read(properties, Page))
    put_page(row, context)
    if row.utm_source is None:
        put_campaign(row, context)
    return row


def _has(properties: bytes, field: str) -> bool:
    return f'"{field}"'.encode() in properties and field in _OBJECT.decode(properties)


def _merged(below: dict[str, object], above: dict[str, object]) -> dict[str, object]:
    result = dict(below)
    for key, value in above.items():
        under = below.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            result[key] = _merged(under, value)
        elif value is not None or key not in below:
            result[key] = value
    return result
