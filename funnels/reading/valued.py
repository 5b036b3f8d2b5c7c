"""The values that a breakdown asks for, of the events that it asks for them: those of witnesses.

First everybody is matched, then the values are read: at the entries, and where one has none, at the next step of these
witnesses, and so on. What tells values apart is what ``codes`` has, and what a query would have found in their JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from funnels.filter_sql import Compiler, Parameters
from funnels.groups import Attribution, in_time
from funnels.kernel import Ints
from funnels.match import Outcome, Rules
from funnels.reading.codes import MISSING, Codes, Value, canonical, combined, occurring, together
from funnels.reading.histories import History
from funnels.reading.places import JSON_ROOTS, Encoded, Places
from funnels.reading.truths import wrapped
from ingest.event import EVENTS
from ingest.numbers import loads
from transforms.engine import Engine

_NOT_READ: Final = frozenset({"properties", "context", "log", "month"})
_TEXTS: Final = frozenset(one.name for one in EVENTS if pa.types.is_string(one.type)) - _NOT_READ
_PLAIN: Final = re.compile(
    r'"[^"\\\x00-\x1f]*"|-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?|true|false'
)  # JSON that everybody reads alike
_READ: Final = "select number, {value} as value from documents where {value} is not null"


def can_read(name: str) -> bool:
    """Whether a property lies in the event itself, as text or in its JSON."""
    root, _, rest = name.partition(".")
    return name in _TEXTS or (root in JSON_ROOTS and bool(rest))


@dataclass(frozen=True)
class Which:
    """Rows that more is asked of: their numbers (none where they carry none), the codes of their units, and their times."""

    numbers: Codes
    units: NDArray[np.integer]
    times: Ints

    def some(self, rows: NDArray[np.intp]) -> Which:
        return Which(self.numbers[rows] if self.numbers.size else self.numbers, self.units[rows], self.times[rows])


class Column(Protocol):
    """A property: the code of each row's value, MISSING where it is null; and the values that were met."""

    def of(self, which: Which) -> Codes: ...

    @property
    def values(self) -> Sequence[Value]: ...


@dataclass(frozen=True)
class OfSubjects:
    """What is known of people or of accounts; ``find``: whose each row is, -1 for nobody's."""

    codes: Codes
    values: Sequence[Value]
    find: Callable[[Which], NDArray[np.integer]]

    def of(self, which: Which) -> Codes:
        found: Codes = self.codes[self.find(which)]
        return found


@dataclass(frozen=True)
class OfThen:
    """What was known of people or of accounts at the times of rows; ``find`` as of ``OfSubjects``."""

    known: History
    find: Callable[[Which], Ints]

    @property
    def values(self) -> Sequence[Value]:
        return self.known.values

    def of(self, which: Which) -> Codes:
        return self.known.at(self.find(which), which.times)


class Values:
    """Of several properties."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def of(self, which: Which) -> Codes:
        """(n, properties): the code of each value; MISSING where it is null."""
        if len(self._columns) == 1:
            return self._columns[0].of(which).reshape(-1, 1)
        found = np.full((which.times.size, len(self._columns)), MISSING, np.int32)
        for place, column in enumerate(self._columns):
            found[:, place] = column.of(which)
        return found

    def together(self, which: Which) -> Codes:
        """One code per row for all properties; MISSING where any is null."""
        found = self.of(which)
        codes, _ = together([found[:, column] for column in range(found.shape[1])])
        codes[(found == MISSING).any(axis=1)] = MISSING
        return codes

    def groups(self, found: Codes) -> tuple[Codes, list[tuple[Value, ...]]]:
        """One code per row for what ``of`` found, and the values of each code; MISSING where all are null."""
        if len(self._columns) == 1:  # as they are; some may occur at no witness
            return found[:, 0].copy(), [(value,) for value in self._columns[0].values or [None]]
        return combined([(found[:, place], column.values) for place, column in enumerate(self._columns)])


class OfEvents:
    """A property that lies in the event itself."""

    def __init__(self, engine: Engine, places: Places, threads: ThreadPoolExecutor, name: str) -> None:
        self.name, self.values = name, list[Value]()
        self._engine, self._places, self._threads, self._in_json = engine, places, threads, "." in name
        self._codes: dict[Hashable, int] = {}
        self._texts: dict[tuple[bool, str], int] = {}  # of (whether it is a document) and text

    def of(self, which: Which) -> Codes:
        found = np.full(which.numbers.size, MISSING, np.int32)
        for there, codes in self._told(self._places.encoded(which.numbers, self.name, self._threads)):
            found[there] = codes
        return found

    def _told(
        self, read: Iterable[tuple[NDArray[np.intp], Encoded, NDArray[np.integer]]]
    ) -> Iterable[tuple[NDArray[np.intp], Codes]]:
        """The rows that have a value, with their codes."""
        used = [(there, *_used(one, codes)) for there, one, codes in read if one.codes is not None]
        self._learn({text for _, texts, _ in used for text in texts if text is not None})
        for there, texts, places in used:
            codes = [MISSING if text is None else self._texts[text] for text in texts]
            yield there, np.array(codes, np.int32)[places]

    def _learn(self, texts: set[tuple[bool, str]]) -> None:
        asked = []
        for key in texts - self._texts.keys():
            if not self._in_json:
                self._texts[key] = self._code(key[1])
            elif not key[0] and _PLAIN.fullmatch(key[1]):
                self._texts[key] = self._code(loads(key[1]))
            else:
                self._texts[key] = MISSING
                asked.append(key)
        if asked:
            self._ask(asked)

    def _ask(self, asked: Sequence[tuple[bool, str]]) -> None:
        """What DuckDB reads in them, as if they lay in the events."""
        root, _, path = self.name.partition(".")
        before, behind = wrapped(path)
        whole = [text if document else f"{before}{text}{behind}" for document, text in asked]
        self._engine.bind("documents", pa.table({"number": range(len(whole)), root: pa.array(whole, pa.string())}))
        parameters = Parameters()
        value = Compiler(parameters, ZoneInfo("UTC"), "documents").value(self.name)
        for one in self._engine.table(_READ.format(value=value), parameters.values).to_pylist():
            self._texts[asked[one["number"]]] = self._code(loads(one["value"]))

    def _code(self, found: object) -> int:
        key, value = canonical(found)
        if key not in self._codes:
            self._codes[key] = len(self.values)
            self.values.append(value)
        return self._codes[key]


def _used(one: Encoded, codes: NDArray[np.integer]) -> tuple[list[tuple[bool, str] | None], NDArray[np.integer]]:
    """What some rows have, and for each its place there; of small dictionaries all that any row has."""
    if one.is_small:
        return [*((False, text) for text in one.listed), None], codes
    there, places = occurring(codes, len(one.texts) + len(one.documents) + 1)
    return _told(one, there), places


def _told(one: Encoded, codes: Ints) -> list[tuple[bool, str] | None]:
    """Of each code, whether it is a document, and its text; None where it is null."""
    count = len(one.texts)
    texts = zip(codes.tolist(), one.texts.take(pa.array(codes[codes < count])).to_pylist(), strict=False)
    documents = one.documents.take(pa.array(codes[codes > count] - count - 1)).to_pylist()
    null: list[None] = [None] * int((codes == count).sum())
    return [*((False, text) for _, text in texts), *null, *((True, text) for text in documents)]


def of_witnesses(
    outcome: Outcome, rules: Rules, which: Which, attribution: Attribution, values: Values, width: int
) -> Codes:
    """(rows, width): the values of those of the rows ``which`` whose values count; all others are MISSING, as if null."""
    witness = in_time(outcome, rules).witness
    steps = range(witness.shape[1])
    columns = steps if attribution == "first" else steps[::-1] if attribution == "last" else [int(attribution)]
    found, open_cases = np.full((width, which.times.size), MISSING, np.int32), np.arange(len(witness))
    for column in columns:
        rows = witness[open_cases, column]
        served = rows >= 0
        there = rows if served.all() else rows[served]
        if not there.size:
            continue
        told = values.of(which.some(there))
        for place in range(width):
            found[place][there] = told[:, place]
        served[served] = (told.T != MISSING).all(axis=0)
        open_cases = open_cases[~served]
    return found.T
