"""Single values of a request's objects, each checked; what is wrong with them is noted, not raised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from funnels.ask import ANY_EVENT, Choice
from funnels.durations import EXAMPLES, parse_duration
from funnels.errors import Faults
from funnels.filters import Filter, read_filters, read_moment, read_property

LONGEST: Final = timedelta(days=366)

_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads values of the object ``found``, which stands at ``path``; null is the same as nothing."""

    found: Mapping[str, object]
    path: str  # ends with a dot unless empty
    faults: Faults

    def items(self, key: str, most: int, what: str, least: int = 0) -> list[object]:
        """A list of so many; empty where there is none, or a wrong one."""
        found = self.found.get(key)
        if found is None and least == 0:
            return []
        if isinstance(found, list) and least <= len(found) <= most:
            return found
        bounds = f"{least} to {most} {what}" if least else f"at most {most} {what}"
        self.faults.add(f"{self.path}{key}", found, [f"a list of {bounds}"], f"write {bounds}")
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
            self.faults.add(f"{self.path}{key}", found, ["2026-01-31", "2026-01-31T12:00:00Z"], f"{key} must be an ISO date")
            return None
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.faults.add(f"{self.path}{key}", found, ["2026-01-31"], f"{key} is too far away")
            return None

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

    def one_of(self, key: str, allowed: tuple[_Name, ...], default: _Name) -> _Name:
        return self.maybe_one_of(key, allowed) or default

    def maybe_one_of(self, key: str, allowed: tuple[_Name, ...]) -> _Name | None:
        found = self.found.get(key)
        for name in allowed:
            if found == name:
                return name
        if found is not None:
            self.faults.add(f"{self.path}{key}", found, allowed, f"{key} can only be {', '.join(allowed)}")
        return None

    def flag(self, key: str) -> bool:
        found = self.found.get(key)
        if found is not None and not isinstance(found, bool):
            self.faults.add(f"{self.path}{key}", found, [True, False], f"{key} is true or false")
        return found is True

    def number(self, key: str, least: int, most: int, default: int) -> int:
        """A whole number; where there is none that fits, ``default``."""
        found = self.found.get(key)
        if isinstance(found, int) and not isinstance(found, bool) and least <= found <= most:
            return found
        if found is not None:
            self.faults.add(f"{self.path}{key}", found, [f"{least} to {most}"], f"{key} is a whole number in this range")
        return default

    def text(self, key: str) -> str | None:
        found = self.found.get(key)
        if found is None or isinstance(found, str):
            return found
        self.faults.add(f"{self.path}{key}", found, ["a text"], f"{key} is a text")
        return None

    def filters(self) -> tuple[Filter, ...]:
        found = self.found.get("where")
        return () if found is None else read_filters(found, f"{self.path}where", self.faults)

    def properties(self, key: str, most: int, least: int = 0) -> tuple[str, ...]:
        """Names of properties, each once."""
        names = self.items(key, most, "properties", least)
        read = [read_property(name, f"{self.path}{key}[{at}]", self.faults) for at, name in enumerate(names)]
        for at, name in enumerate(read):
            if name and name in read[:at]:
                self.faults.add(f"{self.path}{key}[{at}]", name, [], "named twice")
        return tuple(read)

    def event(self) -> str:
        found = self.found.get("event")
        if isinstance(found, str) and found:
            return found
        self.faults.add(f"{self.path}event", found, ["the name of an event", ANY_EVENT], "name an event, or * for any")
        return ""

    def choices(self, whose: str) -> tuple[Choice, ...]:
        """``event``, or ``any_of`` a list of names and of objects with filters of their own."""
        path = self.path.removesuffix(".")
        if ("event" in self.found) == ("any_of" in self.found):
            found = sorted(map(str, self.found))
            self.faults.add(path, found, ["event", "any_of"], f"{whose} needs either event or any_of")
            return ()
        if "event" in self.found:
            return (Choice(self.event()),)
        several = self.found["any_of"]
        if not isinstance(several, list) or not several:
            allowed = ["a list of events"]
            self.faults.add(f"{path}.any_of", several, allowed, "write a list of names, or of objects with event and where")
            return ()
        return tuple(_choice(item, f"{path}.any_of[{number}]", self.faults) for number, item in enumerate(several))


def _choice(found: object, path: str, faults: Faults) -> Choice:
    """A name, or an object with a name and filters of its own."""
    if not isinstance(found, Mapping):
        return Choice(Reader({"event": found}, f"{path}.", faults).event())
    faults.unknown_keys(found, ("event", "where"), path)
    reader = Reader(found, f"{path}.", faults)
    return Choice(reader.event(), reader.filters())
