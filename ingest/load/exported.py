"""What the formats of exports share: how a vendor's fields become those of a Segment call."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


def mapping(value: object) -> dict[str, object]:
    """An object, also one that is written as text (as in Parquet); anything else is empty."""
    if isinstance(value, str | bytes):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return {}
    return value if isinstance(value, dict) else {}


def groups(value: object) -> dict[str, object]:
    """Group ids by their kind; of several of one kind the first."""
    found = mapping(value)
    firsts = {kind: ids[0] if isinstance(ids, list) and ids else ids for kind, ids in found.items()}
    return {kind: name for kind, name in firsts.items() if isinstance(name, str | int) and name != ""}


def context(fields: Mapping[str, object]) -> dict[str, object]:
    """A context of the fields that hold anything; ``page.url`` stands in ``page``."""
    made: dict[str, object] = {}
    for name, value in fields.items():
        if value is None or value == "" or value == {}:
            continue
        outer, _, inner = name.partition(".")
        if inner:
            within = made.setdefault(outer, {})
            assert isinstance(within, dict)
            within[inner] = value
        else:
            made[outer] = value
    return made


def without_nothing(call: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in call.items() if value is not None}
