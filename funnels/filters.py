"""Filters on events as they are written in a request or a definition: conditions, and ``any`` and ``all`` of them.

    [{"property": "properties.plan", "op": "in", "value": ["pro", "team"]},
     {"any": [{"property": "country", "op": "eq", "value": "DE"}, {"property": "bot", "op": "eq", "value": true}]}]

A list means all. Where a property may come from (its root) is listed in ``ROOTS`` and ``COLUMNS``; dots lead into objects
and lists; ``cohort:<name>`` is true or false. Types compare as they are: 5 equals 5.0 and not "5"; order compares numbers
with numbers and ISO dates with dates, nothing else. A missing value (or a null) satisfies only the negative operators and
``is_not_set``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from funnels.errors import Fault, Faults, suggestion
from funnels.regex import regex_fault
from ingest.event import EVENTS

Scalar = str | int | float | bool

EQUAL: Final = ("eq", "ne")
LISTED: Final = ("in", "not_in")
ORDER: Final = ("gt", "gte", "lt", "lte")
CONTAINS: Final = ("contains", "not_contains", "icontains", "not_icontains")
PRESENCE: Final = ("is_set", "is_not_set")
OPERATORS: Final = (*EQUAL, *LISTED, *ORDER, *CONTAINS, "matches", *PRESENCE)
NEGATIVE: Final = {
    "ne": "eq",
    "not_in": "in",
    "not_contains": "contains",
    "not_icontains": "icontains",
    "is_not_set": "is_set",
}

ROOTS: Final = ("properties.", "context.", "person.", "account.", "person_now.", "account_now.")
COHORT: Final = "cohort:"  # followed by a cohort's name: true for the events of whoever is in it
_INTERNAL: Final = ("properties", "context", "log", "log_offset", "month")
COLUMNS: Final = tuple(name for name in EVENTS.names if name not in _INTERNAL)
DEEPEST: Final = 16  # levels of any and all

ISO_DATE: Final = (
    r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])?)?"
)


@dataclass(frozen=True)
class Condition:
    """``value``: a tuple for ``in`` and ``not_in``, None for ``is_set`` and ``is_not_set``, else one scalar."""

    property: str
    op: str
    value: Scalar | tuple[Scalar, ...] | None = None


@dataclass(frozen=True)
class AllOf:
    items: tuple[Filter, ...]


@dataclass(frozen=True)
class AnyOf:
    items: tuple[Filter, ...]


Filter = Condition | AllOf | AnyOf


def parse_filters(found: object, path: str = "where") -> tuple[tuple[Filter, ...], list[Fault]]:
    """The filters of a list, and what is wrong with it; the filters are only good where no fault is."""
    faults = Faults()
    return read_filters(found, path, faults), faults.found


def read_filters(found: object, path: str, faults: Faults, depth: int = 0) -> tuple[Filter, ...]:
    """As ``parse_filters``, adding to the faults of a larger request."""
    if not isinstance(found, list):
        faults.add(path, found, ["a list of conditions"], "write a list of conditions")
        return ()
    if depth > DEEPEST:
        faults.add(path, "deeper", [f"{DEEPEST} levels"], f"any and all nest at most {DEEPEST} deep")
        return ()
    read = [_read(item, f"{path}[{number}]", faults, depth) for number, item in enumerate(found)]
    return tuple(item for item in read if item is not None)


def filters_as_json(filters: Sequence[Filter]) -> list[object]:
    """The way back to what a request holds."""
    return [_as_json(item) for item in filters]


def conditions(filters: Sequence[Filter]) -> Iterator[Condition]:
    """Every condition, however deep."""
    for item in filters:
        if isinstance(item, Condition):
            yield item
        else:
            yield from conditions(item.items)


def read_moment(text: str, zone: ZoneInfo) -> datetime | None:
    """The moment of an ISO date, with or without a time; without an offset it is local to ``zone``. None for other text."""
    if re.fullmatch(ISO_DATE, text, re.ASCII) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # the 30th of February
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _read(found: object, path: str, faults: Faults, depth: int) -> Filter | None:
    if not isinstance(found, Mapping):
        faults.add(path, found, ["a condition", "any", "all"], 'write {"property": ..., "op": ..., "value": ...}')
        return None
    if "any" in found:
        faults.unknown_keys(found, ("any",), path)
        if found["any"] == []:
            faults.add(f"{path}.any", [], ["one condition or more"], "any of nothing is never true")
        return AnyOf(read_filters(found["any"], f"{path}.any", faults, depth + 1))
    if "all" in found:
        faults.unknown_keys(found, ("all",), path)
        return AllOf(read_filters(found["all"], f"{path}.all", faults, depth + 1))
    faults.unknown_keys(found, ("property", "op", "value"), path)
    name = read_property(found.get("property"), f"{path}.property", faults)
    op = found.get("op")
    if not isinstance(op, str) or op not in OPERATORS:
        faults.add(f"{path}.op", op, OPERATORS, f"no such operator{suggestion(str(op), OPERATORS)}")
        return None
    return Condition(name, op, _read_value(op, found, path, faults))


def read_property(found: object, path: str, faults: Faults) -> str:
    """The name of a property or a cohort; empty where it is none, which is noted."""
    allowed = [*(f"{root}<name>" for root in (*ROOTS, COHORT)), *COLUMNS]
    if not isinstance(found, str):
        faults.add(path, found, allowed, "name the property to compare")
        return ""
    if found.startswith(COHORT) and found != COHORT:
        return found
    if found in COLUMNS or (found.startswith(ROOTS) and all(found.split("."))):
        return found
    if found.startswith(ROOTS):
        faults.add(path, found, allowed, "a name is missing beside a dot")
    else:
        near = suggestion(found, COLUMNS) or f"; did you mean 'properties.{found}'?"
        faults.add(path, found, allowed, f"no such property{near}")
    return ""


def _read_value(op: str, found: Mapping[str, object], path: str, faults: Faults) -> Scalar | tuple[Scalar, ...] | None:
    value, path = found.get("value"), f"{path}.value"
    if op in PRESENCE:
        if value is not None:
            faults.add(path, value, [], f"{op} takes no value")
        return None
    if op in LISTED:
        if not isinstance(value, list):
            faults.add(path, value, ["a list of texts, numbers, true or false"], f"{op} takes a list")
            return ()
        return tuple(_read_scalar(item, f"{path}[{number}]", faults) for number, item in enumerate(value))
    if op in ORDER:
        return _read_ordered(op, value, path, faults)
    if op == "matches":
        return _read_pattern(value, path, faults)
    return _read_scalar(value, path, faults)


def _read_scalar(found: object, path: str, faults: Faults) -> Scalar:
    scalar = found if isinstance(found, str | bool) else _read_number(found)
    if scalar is not None:
        return scalar
    hint = "; ask for nulls with is_not_set" if found is None else ""
    faults.add(path, found, ["a text", "a number", "true", "false"], f"write one text, number, true or false{hint}")
    return ""


def _read_number(found: object) -> int | float | None:
    """A finite number; an integer of more than 64 bits is the nearest double, as in the JSON it is compared with."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    if isinstance(found, int) and -(2**63) <= found < 2**64:
        return found
    try:
        return float(found) if math.isfinite(found) else None
    except OverflowError:
        return None


def _read_ordered(op: str, found: object, path: str, faults: Faults) -> Scalar:
    if isinstance(found, str) and read_moment(found, ZoneInfo("UTC")) is not None:
        return found
    number = _read_number(found)
    if number is not None:
        return number
    faults.add(path, found, ["a number", "an ISO date such as 2026-01-31"], f"{op} compares numbers, or ISO dates")
    return 0


def _read_pattern(found: object, path: str, faults: Faults) -> str:
    wrong = regex_fault(found) if isinstance(found, str) else "it is no text"
    if wrong is not None:
        faults.add(path, found, ["a regular expression in RE2 syntax"], f"not a pattern: {wrong}")
    return str(found)


def _as_json(item: Filter) -> object:
    if isinstance(item, AnyOf):
        return {"any": filters_as_json(item.items)}
    if isinstance(item, AllOf):
        return {"all": filters_as_json(item.items)}
    if item.op in PRESENCE:
        return {"property": item.property, "op": item.op}
    return {
        "property": item.property,
        "op": item.op,
        "value": list(item.value) if isinstance(item.value, tuple) else item.value,
    }
