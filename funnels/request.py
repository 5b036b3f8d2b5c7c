"""The body of ``POST /api/funnel`` (section 7 of the funnel's definition), read into a frozen ``Funnel``.

``parse`` names every fault at once. An option of the definition that this engine does not have yet is refused with what it
does have, never answered as if it had not been asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from funnels.ask import ANY_EVENT, FIXED, FIXED_OF_STEP, TRAFFIC, UNITS, Choice, Funnel, Step
from funnels.durations import EXAMPLES, parse_duration
from funnels.errors import BadRequest, Fault, Faults
from funnels.filters import Filter, read_filters, read_moment
from funnels.kernel import MAX_STEPS
from funnels.periods import GRAINS, Grain

LONGEST: Final = timedelta(days=366)
MAX_BUCKETS: Final = 4000  # ten years of days
DAYS: Final[dict[Grain, int]] = {"day": 1, "week": 7, "month": 28}  # at least so many

_Name = TypeVar("_Name", bound=str)
_OWN: Final = ("steps", "from", "to", "timezone", "window", "unit", "where", "trend", "as_of", "internal", "preset")
_OWN_OF_STEP: Final = ("event", "any_of", "where", "within", "label")


def parse(body: object, zone: str = "UTC") -> Funnel:
    """Read a request; ``zone`` is the project's, for requests that name none. Raises ``BadRequest`` with every fault."""
    if not isinstance(body, Mapping):
        raise BadRequest([Fault("", body, ("an object",), "write an object with steps, from, to and window")])
    _check_text(body)
    faults = Faults()
    faults.unknown_keys(body, (*_OWN, *FIXED), "")
    _refuse_absent(body, {**FIXED, "preset": (None,)}, "", faults)
    reader = _Reader(body, "", faults)
    place = reader.zone(zone)
    start, end = reader.moment("from", place), reader.moment("to", place)
    as_of = None if body.get("as_of") is None else reader.moment("as_of", place)
    window = reader.duration("window", required=True)
    steps = tuple(_read_step(step, number, faults) for number, step in enumerate(reader.steps()))
    unit, trend, where = reader.one_of("unit", UNITS, "person"), reader.one_of("trend", GRAINS, None), reader.filters()
    internal = reader.one_of("internal", TRAFFIC, "exclude")
    if start is not None and end is not None:
        _check_range(start, end, trend, body, faults)
    faults.raise_any()
    assert start is not None and end is not None and window is not None and unit is not None
    assert internal is not None
    return Funnel(steps, start, end, window, place, unit, where, trend, as_of, internal)


def _check_text(body: Mapping[str, object]) -> None:
    """JSON can write half a character (a lone surrogate), which nothing that follows can store or send."""
    try:
        json.dumps(body, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.end].encode("ascii", "backslashreplace").decode()
        raise BadRequest([Fault("", half, ("Unicode text",), f"the request holds half a character, {half}")]) from None


def _refuse_absent(found: Mapping[str, object], fixed: Mapping[str, tuple[object, ...]], path: str, faults: Faults) -> None:
    """Refuse other values of options that can have one only; null is the default."""
    for name, allowed in fixed.items():
        value = found.get(name)
        if value is not None and not any(type(value) is type(one) and value == one for one in allowed):
            values = " or ".join(json.dumps(one) for one in allowed)
            faults.add(f"{path}{name}", value, allowed, f"{name} can only be {values} here")


def _check_range(start: datetime, end: datetime, trend: Grain | None, body: Mapping[str, object], faults: Faults) -> None:
    if start >= end:
        faults.add("to", body["to"], ["a time after from"], "the range is empty: to must be later than from")
    elif trend is not None and (end - start) / timedelta(days=DAYS[trend]) > MAX_BUCKETS:
        faults.add("trend", trend, [*GRAINS, None], f"the range has more than {MAX_BUCKETS} buckets; ask for longer ones")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads single values of an object at ``path``, noting what is wrong with them."""

    found: Mapping[str, object]
    path: str  # ends with a dot unless empty
    faults: Faults

    def steps(self) -> list[object]:
        found = self.found.get("steps")
        if isinstance(found, list) and 1 <= len(found) <= MAX_STEPS:
            return found
        self.faults.add("steps", found, [f"a list of 1 to {MAX_STEPS} steps"], f"write 1 to {MAX_STEPS} steps")
        return []

    def zone(self, default: str) -> ZoneInfo:
        found = self.found.get("timezone")
        try:
            return ZoneInfo(default if found is None else found if isinstance(found, str) else "")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.faults.add("timezone", found, ["an IANA name such as Europe/Berlin"], "no such time zone")
            return ZoneInfo("UTC")

    def moment(self, key: str, zone: ZoneInfo) -> datetime | None:
        found = self.found.get(key)
        moment = read_moment(found, zone) if isinstance(found, str) else None
        if moment is None:
            self.faults.add(key, found, ["2026-01-31", "2026-01-31T12:00:00Z"], f"{key} must be an ISO date")
            return None
        return moment.astimezone(UTC)

    def duration(self, key: str, *, required: bool) -> timedelta | None:
        value, path = self.found.get(key), f"{self.path}{key}"
        if value is None and not required:
            return None
        try:
            duration = parse_duration(value if isinstance(value, str) else "")
        except (ValueError, OverflowError):
            forms = " ".join(EXAMPLES)
            self.faults.add(path, value, EXAMPLES, f"{key} must be a duration of at most 366d, written as {forms}")
            return None
        if duration > LONGEST:
            self.faults.add(path, value, ["366d"], f"{key} is at most 366d")
        return duration

    def one_of(self, key: str, allowed: tuple[_Name, ...], default: _Name | None) -> _Name | None:
        found = self.found.get(key)
        for name in allowed:
            if found == name:
                return name
        if found is not None:
            self.faults.add(f"{self.path}{key}", found, allowed, f"{key} can only be {', '.join(allowed)} here")
        return default

    def label(self, choices: tuple[Choice, ...]) -> str:
        found = self.found.get("label")
        if isinstance(found, str):
            return found
        if found is not None:
            self.faults.add(f"{self.path}label", found, ["a text"], "label is a text")
        return " or ".join("Any event" if choice.event == ANY_EVENT else choice.event for choice in choices)

    def filters(self) -> tuple[Filter, ...]:
        found = self.found.get("where")
        return () if found is None else read_filters(found, f"{self.path}where", self.faults)

    def event(self) -> str:
        found = self.found.get("event")
        if isinstance(found, str) and found:
            return found
        self.faults.add(f"{self.path}event", found, ["the name of an event", ANY_EVENT], "name an event, or * for any")
        return ""


def _read_step(found: object, number: int, faults: Faults) -> Step:
    path = f"steps[{number}]"
    if not isinstance(found, Mapping):
        faults.add(path, found, ['{"event": "Signed Up"}'], "write an object with event or any_of")
        return Step((), "")
    faults.unknown_keys(found, (*_OWN_OF_STEP, *FIXED_OF_STEP), path)
    _refuse_absent(found, FIXED_OF_STEP, f"{path}.", faults)
    reader = _Reader(found, f"{path}.", faults)
    choices = _read_choices(reader, path)
    within = reader.duration("within", required=False)
    if number == 0 and within is not None:
        faults.add(f"{path}.within", found["within"], [None], "within is the time since the step before; the first has none")
    return Step(choices, reader.label(choices), within, reader.filters())


def _read_choices(reader: _Reader, path: str) -> tuple[Choice, ...]:
    if ("event" in reader.found) == ("any_of" in reader.found):
        found = sorted(map(str, reader.found))
        reader.faults.add(path, found, ["event", "any_of"], "a step needs either event or any_of")
        return ()
    if "event" in reader.found:
        return (Choice(reader.event()),)
    several = reader.found["any_of"]
    if not isinstance(several, list) or not several:
        allowed = ["a list of events"]
        reader.faults.add(f"{path}.any_of", several, allowed, "write a list of names, or of objects with event and where")
        return ()
    return tuple(_read_choice(item, f"{path}.any_of[{number}]", reader.faults) for number, item in enumerate(several))


def _read_choice(found: object, path: str, faults: Faults) -> Choice:
    """A name, or an object with a name and filters of its own."""
    if not isinstance(found, Mapping):
        return Choice(_Reader({"event": found}, f"{path}.", faults).event())
    faults.unknown_keys(found, ("event", "where"), path)
    reader = _Reader(found, f"{path}.", faults)
    return Choice(reader.event(), reader.filters())
