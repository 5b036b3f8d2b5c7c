"""A plain-Python reading of the filters of the funnel's definition (section 6), for the compiled ones to be held to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from funnels.filters import AllOf, AnyOf, Condition, Filter

NEGATIVE = {"ne": "eq", "not_in": "in", "not_contains": "contains", "not_icontains": "icontains", "is_not_set": "is_set"}


def holds(item: Filter, event: Mapping[str, object]) -> bool:
    """``event`` has ``properties`` as read from JSON, and plain columns."""
    if isinstance(item, AllOf):
        return all(holds(inner, event) for inner in item.items)
    if isinstance(item, AnyOf):
        return any(holds(inner, event) for inner in item.items)
    return condition_holds(item, value_of(item.property, event))


@dataclass(frozen=True)
class Described:
    """An identify or group call, as the walk below sees it: of whom, when, and what it said."""

    subject: str
    time: datetime
    event_id: str
    traits: Mapping[str, object]


def traits_at(calls: Iterable[Described], subject: str | None, time: datetime) -> dict[str, object]:
    """What was known of somebody at a moment: call after call, each key its latest value, else the first to be set once."""
    known: dict[str, object] = {}
    once: dict[str, object] = {}
    for one in sorted(calls, key=lambda one: (one.time, one.event_id)):
        if one.subject == subject and one.time <= time:
            known |= one.traits
            given = one.traits.get("$set_once")
            once = {**(given if isinstance(given, dict) else {}), **once}
    return once | known


def value_of(name: str, event: Mapping[str, object]) -> object:
    """None where it is missing, and for a JSON null, which is missing too."""
    root, _, path = name.partition(".")
    value = event[root]
    for part in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]*", part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def condition_holds(condition: Condition, value: object) -> bool:
    if condition.op in NEGATIVE:
        return not condition_holds(Condition("", NEGATIVE[condition.op], condition.value), value)
    if value is None:
        return False
    wanted = condition.value
    match condition.op:
        case "is_set":
            return True
        case "eq":
            return equal(value, wanted)
        case "in":
            assert isinstance(wanted, tuple)
            return any(equal(value, one) for one in wanted)
        case "gt" | "gte" | "lt" | "lte":
            return ordered(condition.op, value, wanted)
        case "matches":
            return isinstance(value, str) and re.search(str(wanted).replace("$", r"\Z"), value) is not None
        case "contains":
            return contains(value, wanted)
        case "icontains":
            return contains(lower(value), lower(wanted))
    raise AssertionError(condition.op)


def equal(value: object, wanted: object) -> bool:
    """Types compare as they are: 5 equals 5.0, not "5", and true is no number."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, datetime):
        return value == moment(wanted)
    if isinstance(value, int | float) and isinstance(wanted, int | float):
        left, right = as_numbers(value, wanted)
        return left == right
    return isinstance(value, str) and isinstance(wanted, str) and value == wanted


def as_numbers(one: float, other: float) -> tuple[float, float]:
    """Integers of 64 bits exactly, everything else as doubles."""
    if all(isinstance(number, int) and -(2**63) <= number < 2**64 for number in (one, other)):
        return one, other
    return float(one), float(other)


def ordered(op: str, value: object, wanted: object) -> bool:
    """Numbers among numbers, dates among dates; nothing else has an order."""
    if is_number(value) and is_number(wanted):
        assert isinstance(value, int | float) and isinstance(wanted, int | float)
        left, right = as_numbers(value, wanted)
    else:
        dates = value if isinstance(value, datetime) else moment(value), moment(wanted)
        if dates[0] is None or dates[1] is None:
            return False
        left, right = dates[0].timestamp(), dates[1].timestamp()
    return {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[op]


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def moment(text: object) -> datetime | None:
    if not isinstance(text, str) or not re.match("[12][0-9]{3}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def contains(value: object, wanted: object) -> bool:
    if isinstance(value, list):
        return any(equal(item, wanted) for item in value)
    return isinstance(value, str) and isinstance(wanted, str) and wanted in value


def lower(value: object) -> object:
    if isinstance(value, list):
        return [item.lower() if isinstance(item, str) else item for item in value]
    return value.lower() if isinstance(value, str) else value
