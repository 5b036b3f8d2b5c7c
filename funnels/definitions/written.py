"""Definitions as their owner wrote them: TOML documents that know their lines, and every fault found in them.

``Entry`` hands out the values of one table, typed, and notes what is wrong instead of raising, so that one reading
tells all faults. Which keys a table may have is whatever was asked of it: ``finish`` reports the others.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeGuard

from funnels.definitions.toml_lines import KeyPath, lines
from funnels.durations import parse_duration
from funnels.errors import FunnelError, suggestion

LONGEST: Final = timedelta(days=366)


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a definition: ``stages.toml:14: unknown key 'windw' in stage 'pql'; did you mean 'window'?``"""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class DefinitionError(FunnelError):
    """Definitions that cannot be used: all ``faults``, in the order of file and line. The owner corrects the files."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass(frozen=True)
class Document:
    """One TOML file as read: its name in messages, its tables and the line of every key."""

    file: str
    tables: Mapping[str, object]
    lines: Mapping[KeyPath, int]


def read(path: Path, file: str) -> Document:
    """Raises ``DefinitionError`` where the file is not TOML in UTF-8."""
    try:
        text = path.read_text(encoding="utf-8")
        return Document(file, tomllib.loads(text), lines(text))
    except UnicodeDecodeError as error:
        raise DefinitionError([Fault(file, 1, "", f"not UTF-8 text: {error.reason} at byte {error.start}")]) from error
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        raise DefinitionError([Fault(file, int(at[1]) if at else 1, "", f"not TOML: {error}")]) from error


def hint(found: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, else all of them."""
    names = sorted(known)
    return suggestion(found, names) or f"; known: {', '.join(names) or 'none'}"


class Entry:
    """One table of a document: ``title`` is what messages call it, such as ``stage 'pql'``."""

    def __init__(
        self, document: Document, path: KeyPath, table: Mapping[str, object], title: str, faults: list[Fault]
    ) -> None:
        self.path, self.title, self.file = path, title, document.file
        self._document, self._table, self._faults = document, table, faults
        self._asked: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def fault(self, key: str | KeyPath, message: str) -> None:
        """Note a fault at a key of this table (or a path below it), or at the nearest table above where nothing stands."""
        path = (*self.path, key) if isinstance(key, str) else (*self.path, *key)
        above = (path[:length] for length in range(len(path), 0, -1))
        line = next(self._document.lines[part] for part in above if part in self._document.lines)
        self._faults.append(Fault(self.file, line, ".".join(map(str, path)), message))

    def value(self, key: str) -> object:
        """Whatever stands there, None where nothing does."""
        self._asked[key] = None
        return self._table.get(key)

    def required(self, key: str) -> object:
        if key not in self._table:
            self.fault(key, f"{self.title} lacks '{key}'")
        return self.value(key)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.required(key) if default is None else self.value(key)
        if value is None or (isinstance(value, str) and value.strip()):
            return default or "" if value is None else str(value)
        self.fault(key, f"'{key}' of {self.title} is {value!r}: write a text in quotes")
        return default or ""

    def choice(self, key: str, allowed: Iterable[str], default: str | None = None, noun: str = "") -> str:
        """One of the known names; '' where it is missing or wrong, which is noted. ``noun``: what a name there is."""
        found = self.text(key, default)
        return found if not found or self.known(key, found, allowed, noun or key) else ""

    def known(self, key: str, found: str, allowed: Iterable[str], noun: str) -> bool:
        names = list(allowed)
        if found not in names:
            self.fault(key, f"unknown {noun} '{found}' in {self.title}{hint(found, names)}")
        return found in names

    def whole(self, key: str, default: int | None = None, most: int = 1_000_000) -> int:
        value = self.required(key) if default is None else self.value(key)
        if value is None:
            return default or 1
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
            return value
        self.fault(key, f"'{key}' of {self.title} is {value!r}: write a whole number from 1 to {most}")
        return default or 1

    def duration(self, key: str, required: bool = False) -> timedelta | None:
        value = self.required(key) if required else self.value(key)
        if value is None:
            return None
        try:
            length = parse_duration(value if isinstance(value, str) else "")
        except ValueError:
            length = None
        if length is None or length > LONGEST:
            message = f"'{key}' of {self.title} is {value!r}: write a duration such as '90s', '12h', '7d', at most 366d"
            self.fault(key, message)
            return None
        return length

    def texts(self, key: str) -> list[str]:
        value = self.required(key)
        if isinstance(value, list) and value and all(isinstance(text, str) for text in value):
            return [str(text) for text in value]
        if value is not None:
            self.fault(key, f"'{key}' of {self.title} is {value!r}: write a list of texts, at least one")
        return []

    def names(self, key: str) -> tuple[str, ...]:
        """A list of texts that may be empty, and is where nothing stands."""
        return tuple(self.texts(key)) if self.value(key) not in (None, []) else ()

    def entry(self, key: str, title: str) -> Entry | None:
        value = self.value(key)
        if is_table(value):
            return Entry(self._document, (*self.path, key), value, title, self._faults)
        if value is not None:
            self.fault(key, f"'{key}' of {self.title} is {value!r}: write a table")
        return None

    def element(self, key: str, place: int, table: Mapping[str, object], title: str) -> Entry:
        """One table of a list that may hold other things too."""
        return Entry(self._document, (*self.path, key, place), table, title, self._faults)

    def entries(self, key: str, title: str) -> list[Entry]:
        """The tables of a list, each called by its place: ``condition 2 of stage 'pql'``."""
        value = self.value(key)
        if isinstance(value, list) and value and all(is_table(item) for item in value):
            return [
                self.element(key, place, item, f"{title} {place + 1} of {self.title}") for place, item in enumerate(value)
            ]
        if value is not None:
            self.fault(key, f"'{key}' of {self.title} is {value!r}: write a list of tables, at least one")
        return []

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._table:
            if key not in self._asked:
                self.fault(key, f"unknown key '{key}' in {self.title}{hint(key, self._asked)}")


def is_table(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)
