"""Read a struct from an object whose fields are not all of their type: what fits is taken, the rest is absent."""

from __future__ import annotations

from typing import Final, TypeVar, get_args

import msgspec

S = TypeVar("S", bound=msgspec.Struct)

FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(data: bytes, struct: type[S]) -> S:
    """Raises ``msgspec.ValidationError`` where ``data`` is no object. Slow: only for objects that a decoder refused."""
    given = FIELDS.decode(data)
    values = {}
    for field in msgspec.structs.fields(struct):
        raw = given.get(field.encode_name)
        if raw is not None:
            found, value = _value(bytes(raw), field.type)
            if found:
                values[field.name] = value
    return struct(**values)


def _value(raw: bytes, kind: object) -> tuple[bool, object]:
    try:
        return True, msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        nested = [member for member in get_args(kind) if isinstance(member, type) and issubclass(member, msgspec.Struct)]
        return (True, read(raw, nested[0])) if nested and raw.startswith(b"{") else (False, None)
