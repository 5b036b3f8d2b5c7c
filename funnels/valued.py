"""The values that a breakdown asks for, of the events that it asks for them: those of witnesses.

First everybody is matched, then the values are read: at the entries, and where one has none, at the next step of these
witnesses, and so on. What tells values apart is what ``codes`` has, and what a query would have found in their JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from funnels.codes import MISSING, Codes, Value, canonical, combined, occurring, together
from funnels.filter_sql import Compiler, Parameters
from funnels.groups import Attribution, in_time
from funnels.kernel import Ints
from funnels.match import Outcome, Rules
from funnels.places import JSON_ROOTS, Encoded, Places
from ingest.event import EVENTS
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


class Asides:
    """Rows that came by a query and lie in no place; each keeps what it brought."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self.rows = 0

    def put(self, rows: pa.RecordBatch) -> int:
        """The number of the first one."""
        self._batches.append(rows)
        self.rows += len(rows)
        return self.rows - len(rows)

    def column(self, numbers: Codes, name: str) -> pa.Array:
        chunks = pa.chunked_array([one.column(name) for one in self._batches])
        return chunks.take(pa.array(numbers)).combine_chunks()


class Values:
    """Of the properties ``by``, by the numbers of rows: those of ``places``, and behind them those of ``asides``, which have
    them as ``<kind>0`` and so on."""

    def __init__(
        self, engine: Engine, places: Places, asides: Asides, kind: str, by: Sequence[str], threads: ThreadPoolExecutor
    ) -> None:
        self._places, self._asides, self._kind, self._threads = places, asides, kind, threads
        self._known = [_Known(engine, name) for name in by]

    def of(self, numbers: Codes) -> Codes:
        """(n, properties): the code of each value; MISSING where it is null."""
        found = np.full((numbers.size, len(self._known)), MISSING, np.int32)
        placed, others = np.flatnonzero(numbers < self._places.rows), np.flatnonzero(numbers >= self._places.rows)
        for column, known in enumerate(self._known):
            for there, codes in known.codes(self._places.encoded(numbers[placed], known.name, self._threads)):
                found[placed[there], column] = codes
            if others.size:
                told = self._asides.column(numbers[others] - self._places.rows, f"{self._kind}{column}").dictionary_encode()
                found[others, column] = known.of_texts(told)
        return found

    def ids(self, numbers: Codes) -> pa.Array:
        """The event ids of these rows."""
        placed, others = np.flatnonzero(numbers < self._places.rows), np.flatnonzero(numbers >= self._places.rows)
        parts = []
        if placed.size:
            parts.append(self._places.column(numbers[placed], "event_id", self._threads).cast(pa.string()))
        if others.size:
            parts.append(self._asides.column(numbers[others] - self._places.rows, "event_id").cast(pa.string()))
        back = np.empty(numbers.size, np.int64)
        back[np.concatenate([placed, others])] = np.arange(numbers.size)
        return pa.chunked_array(parts).take(pa.array(back)).combine_chunks()

    def together(self, numbers: Codes) -> Codes:
        """One code per row for all properties; MISSING where any is null."""
        found = self.of(numbers)
        codes, _ = together([found[:, column] for column in range(found.shape[1])])
        codes[(found == MISSING).any(axis=1)] = MISSING
        return codes

    def groups(self, found: Codes) -> tuple[Codes, list[tuple[Value, ...]]]:
        """One code per row for what ``of`` found, and the values of each code; MISSING where all are null."""
        if len(self._known) == 1:  # as they are; some may occur at no witness
            return found[:, 0].copy(), [(value,) for value in self._known[0].values or [None]]
        return combined([(found[:, column], known.values) for column, known in enumerate(self._known)])


class _Known:
    """The values of one property that were met, by their codes."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.name, self.values = name, list[Value]()
        self._engine, self._in_json = engine, "." in name
        self._codes: dict[Hashable, int] = {}
        self._texts: dict[tuple[bool, str], int] = {}  # of (whether it is a document) and text

    def codes(
        self, read: Iterable[tuple[NDArray[np.intp], Encoded, NDArray[np.integer]]]
    ) -> Iterable[tuple[NDArray[np.intp], Codes]]:
        """The rows that have a value, with their codes."""
        used = [
            (there, one, *occurring(codes, len(one.texts) + len(one.documents) + 1))
            for there, one, codes in read
            if one.codes is not None
        ]
        told = [_told(one, occurring) for _, one, occurring, _ in used]
        self._learn({text for texts in told for text in texts if text is not None})
        for (there, _, _, inverse), texts in zip(used, told, strict=True):
            codes = [MISSING if text is None else self._texts[text] for text in texts]
            yield there, np.array(codes, np.int32)[inverse]

    def of_texts(self, told: pa.DictionaryArray) -> Codes:
        """Of JSON texts as a query has them."""
        codes = [self._code(json.loads(text)) for text in told.dictionary.to_pylist()]
        places = told.indices.fill_null(len(codes)).to_numpy(zero_copy_only=False)
        found: Codes = np.array([*codes, MISSING], np.int32)[places]
        return found

    def _learn(self, texts: set[tuple[bool, str]]) -> None:
        asked = []
        for key in texts - self._texts.keys():
            if not self._in_json:
                self._texts[key] = self._code(key[1])
            elif not key[0] and _PLAIN.fullmatch(key[1]):
                self._texts[key] = self._code(json.loads(key[1]))
            else:
                self._texts[key] = MISSING
                asked.append(key)
        if asked:
            self._ask(asked)

    def _ask(self, asked: Sequence[tuple[bool, str]]) -> None:
        """What DuckDB reads in them, as if they lay in the events."""
        root, _, path = self.name.partition(".")
        before = "".join(f"{{{json.dumps(part, ensure_ascii=False)}:" for part in path.split("."))
        after = "}" * len(path.split("."))
        whole = [text if document else f"{before}{text}{after}" for document, text in asked]
        self._engine.bind("documents", pa.table({"number": range(len(whole)), root: pa.array(whole, pa.string())}))
        parameters = Parameters()
        value = Compiler(parameters, ZoneInfo("UTC"), "documents").value(self.name)
        for one in self._engine.table(_READ.format(value=value), parameters.values).to_pylist():
            self._texts[asked[one["number"]]] = self._code(json.loads(one["value"]))

    def _code(self, found: object) -> int:
        key, value = canonical(found)
        if key not in self._codes:
            self._codes[key] = len(self.values)
            self.values.append(value)
        return self._codes[key]


def _told(one: Encoded, codes: Ints) -> list[tuple[bool, str] | None]:
    """Of each code, whether it is a document, and its text; None where it is null."""
    count = len(one.texts)
    texts = zip(codes.tolist(), one.texts.take(pa.array(codes[codes < count])).to_pylist(), strict=False)
    documents = one.documents.take(pa.array(codes[codes > count] - count - 1)).to_pylist()
    null: list[None] = [None] * int((codes == count).sum())
    return [*((False, text) for _, text in texts), *null, *((True, text) for text in documents)]


def of_witnesses(
    outcome: Outcome, rules: Rules, numbers: Codes, attribution: Attribution, read: Callable[[Codes], Codes], width: int
) -> Codes:
    """(rows, width): what ``read`` says of the rows whose values count; those of all others are MISSING, as if null."""
    witness = in_time(outcome, rules).witness
    steps = range(witness.shape[1])
    columns = steps if attribution == "first" else steps[::-1] if attribution == "last" else [int(attribution)]
    found, open_cases = np.full((numbers.size, width), MISSING, np.int32), np.arange(len(witness))
    for column in columns:
        rows = witness[open_cases, column]
        there = rows[rows >= 0]
        if there.size:
            found[there] = read(numbers[there])
        known = np.zeros(rows.size, np.bool_)
        known[rows >= 0] = (found[there] != MISSING).all(axis=1)
        open_cases = open_cases[~known]
    return found
