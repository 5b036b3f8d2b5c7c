"""Of which events a condition holds that speaks of the event itself: told once of each different value, then by row.

A column of text, or a member of JSON, lies in a row group as codes (``places``). DuckDB tells of all values that occur which
of them satisfy a condition, by the very SQL that a query has; a row then costs a look at its code.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnels.bounds import in_bytes
from funnels.filter_sql import Compiler, Parameters
from funnels.filters import AnyOf, Condition, Filter, conditions
from funnels.reading.places import Encoded, Places
from funnels.reading.scan import Rows
from funnels.reading.tags import TooMany
from transforms.engine import Engine, Limits

Flags = NDArray[np.bool_]


def wrapped(path: str) -> tuple[str, str]:
    """What stands before and behind the JSON of a member so that it lies at ``path`` in an object."""
    parts = path.split(".")
    return "".join(f"{{{json.dumps(part, ensure_ascii=False)}:" for part in parts), "}" * len(parts)


ByRow = Callable[[Rows, int], Flags]  # of events from this number on


class Truths:
    """Which events satisfy conditions; call ``learn`` first, from the engine's thread. ``other``: how a condition is told
    that does not speak of the event itself, else None."""

    def __init__(
        self, engine: Engine, places: Places, zone: ZoneInfo, limits: Limits, other: Callable[[Condition], ByRow | None]
    ) -> None:
        self._engine, self._places, self._zone, self._limits, self._other = engine, places, zone, limits, other
        self._read: dict[tuple[str, int], Encoded] = {}
        self._true: dict[tuple[Condition, int], Flags] = {}  # by code, in a row group
        self._others: dict[Condition, ByRow] = {}

    def learn(self, filters: Iterable[Sequence[Filter]], groups: Sequence[int], threads: ThreadPoolExecutor) -> None:
        """Of these row groups. Raises ``TooMany`` where their values take more than half of a question's memory."""
        most = in_bytes(self._limits.memory) // 2
        asked: dict[str, list[Condition]] = defaultdict(list)
        for condition in dict.fromkeys(one for where in filters for one in conditions(where)):
            other = self._other(condition)
            if other is None:
                asked[condition.property].append(condition)
            else:
                self._others[condition] = other
        for name, alike in asked.items():
            read = list(threads.map(lambda place, name=name: self._places.whole(place, name), groups))
            most -= sum(one.bytes for one in read)
            if most < 0:
                raise TooMany
            self._read |= {(name, place): one for place, one in zip(groups, read, strict=True)}
            self._tell(name, alike, dict(zip(groups, read, strict=True)))

    def of(self, where: Sequence[Filter], rows: Rows, number: int) -> Flags:
        """Of events of one row group from this number on."""
        found = np.ones(rows.times.size, np.bool_)
        for one in where:
            found &= self._one(one, rows, number)
        return found

    def _one(self, one: Filter, rows: Rows, number: int) -> Flags:
        if isinstance(one, AnyOf):
            found = np.zeros(rows.times.size, np.bool_)
            for item in one.items:
                found |= self._one(item, rows, number)
            return found
        if not isinstance(one, Condition):
            return self.of(one.items, rows, number)
        if one in self._others:
            return self._others[one](rows, number)
        place, since = self._places.place(number)
        codes, true = self._read[one.property, place].codes, self._true[one, place]
        return np.full(rows.times.size, true[0]) if codes is None else true[codes[since : since + rows.times.size]]

    def _tell(self, name: str, alike: Sequence[Condition], read: Mapping[int, Encoded]) -> None:
        """As codes have it: of texts, of null, of documents."""
        texts = pa.chunked_array([one.texts for one in read.values()], pa.string()).unique()
        documents = pa.chunked_array([one.documents for one in read.values()], pa.string()).unique()
        told = self._asked(name, alike, texts, documents)
        count = len(texts)
        for place, one in read.items():
            codes = np.concatenate([_places(one.texts, texts), [count], _places(one.documents, documents) + count + 1])
            for condition, true in zip(alike, told, strict=True):
                self._true[condition, place] = true[codes.astype(np.int64)]

    def _asked(self, name: str, alike: Sequence[Condition], texts: pa.Array, documents: pa.Array) -> list[Flags]:
        root, _, rest = name.partition(".")
        before, behind = wrapped(rest)
        if rest:
            texts = pc.binary_join_element_wise(before, texts, behind, "")
        whole = pa.concat_arrays([texts, pa.nulls(1, pa.string()), documents])
        self._engine.bind("documents", pa.table({"number": range(len(whole)), root: whole}))
        parameters = Parameters()
        compiler = Compiler(parameters, self._zone, "documents")
        columns = ", ".join(f"{compiler.all_of([one])} as true{number}" for number, one in enumerate(alike))
        rows = self._engine.table(f"select number, {columns} from documents", parameters.values)
        order = np.argsort(rows["number"].to_numpy())
        return [rows[f"true{number}"].to_numpy()[order] for number in range(len(alike))]


def _places(some: pa.Array, among: pa.Array) -> NDArray[np.int64]:
    found: NDArray[np.int64] = pc.index_in(some, value_set=among).to_numpy(zero_copy_only=False).astype(np.int64)
    return found
