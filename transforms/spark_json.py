"""JSON as DuckDB writes it, for an engine that writes it otherwise: functions that ``transforms/spark.py`` hands to Spark.

They run in Spark's Python workers, which need not have this package: the module itself is sent, and imports nothing of ours.
Numbers: whole ones of 64 bits as they are, other ones as the shortest decimals of their double (``1e3`` is ``1000.0``; from
1e21 on and below 1e-6 with an exponent), those that no double holds as they stand. Objects keep their order.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

_STEP: Final = re.compile(r'\.(?:"((?:[^"\\]|\\.)*)"|([^."\[\]]+))|\[(\d+)\]')
_MISSING: Final = object()
_ESCAPE: Final = re.compile(r"\\(?:u[0-9a-f]{4}|.)")


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class _Object(tuple[tuple[str, Any], ...]):
    """An object's pairs."""

    __slots__ = ()


def json_text(document: str | None, path: str | None) -> str | None:
    """``document ->> path``: the value as text, a string without its quotes; None where it is missing or null.

    A path is ``$.a`` or ``$."a b".c[0]``, or a pointer such as ``/a/0``.
    """
    value = _at(document, path)
    return None if value is None or value is _MISSING else _text(value)


def json_value(document: str | None, path: str | None) -> str | None:
    """``json_extract(document, path)``: the value as JSON."""
    value = _at(document, path)
    return None if value is _MISSING else _written(value)


def json_kind(document: str | None, path: str | None) -> str | None:
    """``json_type(document, path)``."""
    value = _at(document, path)
    return None if value is _MISSING else _kind(value)


def json_items(document: str | None) -> list[tuple[str, str | None, str]] | None:
    """``document -> '$[*]'``: each element's kind, its text and itself as JSON."""
    items = _at(document, "$")
    if items is _MISSING:
        return None
    return [(_kind(item), None if item is None else _text(item), _written(item)) for item in items if type(items) is list]


def json_pairs(document: str | None) -> list[tuple[str, str]]:
    """``json_each(document)`` of an object: each key with its value as JSON."""
    return [] if document is None else [(key, _written(value)) for key, value in _read(document)]


def json_quoted(text: str | None) -> str | None:
    """``to_json(text)``."""
    return None if text is None else _written(text)


def _at(document: str | None, path: str | None) -> Any:
    if document is None or path is None:
        return _MISSING
    value = _read(document)
    for step in _steps(path):
        if type(value) is list and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else _MISSING
        else:
            value = next((held for key, held in value if key == step), _MISSING) if type(value) is _Object else _MISSING
    return value


def _kind(value: Any) -> str:
    match value:
        case _Number():
            if not value.lstrip("-").isdecimal() or not -(1 << 63) <= int(value) < 1 << 64:
                return "DOUBLE"
            return "BIGINT" if value.startswith("-") else "UBIGINT"
        case str():
            return "VARCHAR"
        case bool():
            return "BOOLEAN"
        case None:
            return "NULL"
    return "OBJECT" if type(value) is _Object else "ARRAY"


def _text(value: Any) -> str:
    return value if type(value) is str else _written(value)


def _read(document: str) -> Any:
    return json.loads(document, object_pairs_hook=_Object, parse_float=_real, parse_int=_whole)


def _whole(text: str) -> _Number:
    number = int(text)
    return _Number(number if -(1 << 63) <= number < 1 << 64 else text)


def _real(text: str) -> _Number:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        return _Number(text)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    if number == 0:
        return _Number("-0.0" if text.startswith("-") else "0.0")
    assert isinstance(exponent, int)
    shown, point = "".join(map(str, digits)), len(digits) + exponent  # the value is 0.shown times 10 to the point
    if 0 < point <= 21:
        shown = shown.ljust(point, "0")
        written = f"{shown[:point]}.{shown[point:] or '0'}"
    elif -6 < point <= 0:
        written = f"0.{'0' * -point}{shown}"
    else:
        written = f"{shown[0]}{'.' + shown[1:] if len(shown) > 1 else ''}e{point - 1}"
    return _Number("-" * sign + written)


def _written(value: Any) -> str:
    match value:
        case _Number():
            return str(value)
        case str():
            return _escaped(value)
        case _Object():
            return "{" + ",".join(f"{_escaped(key)}:{_written(held)}" for key, held in value) + "}"
        case list():
            return "[" + ",".join(map(_written, value)) + "]"
    return {None: "null", True: "true", False: "false"}[value]


def _escaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: found[0][:2] + found[0][2:].upper(), json.dumps(text, ensure_ascii=False))


@lru_cache(maxsize=1000)
def _steps(path: str) -> tuple[str, ...]:
    if path.startswith("/"):
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    steps = []
    place = 1
    while place < len(path) and (found := _STEP.match(path, place)):
        quoted, plain, index = found.groups()
        steps.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or index)
        place = found.end()
    if not path.startswith("$") or place != len(path):
        raise ValueError(f"'{path}' is no path such as $.name, $.\"first name\" or /name")
    return tuple(steps)
