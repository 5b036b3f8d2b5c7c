"""What can go wrong when a question is asked.

FunnelError
├── NoSuchUnit     nobody has the id that the question names
├── BadRequest     the question itself: carries one Fault per thing to mend, all of them at once
└── TooMuch        the question takes more than one may take: says of what, and what to narrow
    ├── TooLarge   memory
    └── TooSlow    time
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches


class FunnelError(Exception):
    """Any error of this package that a caller may want to tell apart from a bug."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to mend: ``Fault("steps[1].within", "7 days", ["90s", "30m", "12h", "14d", "2w"], "write it as 7d")``.

    ``allowed`` names what may stand there: values, or forms of a value; empty where nothing may.
    """

    path: str
    found: object
    allowed: tuple[object, ...]
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def as_json(self) -> dict[str, object]:
        found = json.loads(json.dumps(self.found, default=str), parse_constant=str)  # JSON has no NaN
        return {"path": self.path, "found": found, "allowed": list(self.allowed), "message": self.message}


class BadRequest(FunnelError):
    """The request cannot be answered as it stands; ``faults`` names every reason found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


class NoSuchUnit(FunnelError):
    """Nobody has the id ``given``; ``form`` says what may stand there."""

    def __init__(self, message: str, given: str, form: str) -> None:
        self.given, self.form = given, form
        super().__init__(message)


class TooMuch(FunnelError):
    """The question was stopped; nothing else suffers. ``narrow``: ways to ask for less."""

    def __init__(self, message: str, narrow: Sequence[str]) -> None:
        self.narrow = tuple(narrow)
        super().__init__(message)


class TooLarge(TooMuch):
    """It takes more memory than one question may."""


class TooSlow(TooMuch):
    """It takes longer than one question may."""


@dataclass(slots=True)
class Faults:
    """Collects faults while reading, so that one answer names them all."""

    found: list[Fault] = field(default_factory=list)

    def add(self, path: str, found: object, allowed: Iterable[object], message: str) -> None:
        self.found.append(Fault(path, found, tuple(allowed), message))

    def unknown_keys(self, given: Iterable[object], allowed: Sequence[str], path: str) -> None:
        """One fault for each key that is not allowed, with the nearest that is."""
        for key in given:
            if key not in allowed:
                self.add(f"{path}.{key}" if path else str(key), key, allowed, f"unknown key{suggestion(str(key), allowed)}")

    def raise_any(self) -> None:
        if self.found:
            raise BadRequest(self.found)


def nearest(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The names most like ``name``, best first, letter case aside: ``["Signed Up"]`` for ``"signed up"``."""
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    return [by_lower[match] for match in get_close_matches(name.lower(), list(by_lower), limit)]


def suggestion(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'window'?"``, or nothing where no known name is near."""
    close = nearest(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""
