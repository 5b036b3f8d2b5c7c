"""Values of properties as numbers: equal values have equal codes, as filters compare them (5 equals 5.0, not "5").

JSON texts come in, one per event and property. A list or an object is equal to what has the same members.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnels.filters import Scalar
from ingest.numbers import loads

Value = Scalar | None
Codes = NDArray[np.int32]
MISSING = -1
_WIDE: Final = 1 << 16  # numbers, up to which each may have a place of its own


def held_codes(columns: Sequence[pa.ChunkedArray]) -> Codes:
    """One code per event for all properties together; -1 where any is missing."""
    coded = [encoded(column) for column in columns]
    codes, _ = together([codes for codes, _ in coded])
    for one, _ in coded:
        codes[one == MISSING] = MISSING
    return codes


def value_codes(columns: Sequence[pa.ChunkedArray]) -> tuple[Codes, list[tuple[Value, ...]]]:
    """One code per event for all properties together, and the values of each code; -1 where all are missing."""
    return combined([encoded(column) for column in columns])


def combined(coded: Sequence[tuple[Codes, Sequence[Value]]]) -> tuple[Codes, list[tuple[Value, ...]]]:
    """The same of codes by property, each with its values."""
    codes, places = together([codes for codes, _ in coded])
    values = [tuple(_at(known, place) for (_, known), place in zip(coded, row, strict=True)) for row in places]
    missing = [number for number, value in enumerate(values) if all(one is None for one in value)]
    for number in missing:  # at most one: it moves to the end, so that the others count from 0
        last = len(values) - 1
        values[number] = values[last]
        values.pop()
        swapped = codes == last
        codes[codes == number] = MISSING
        if number != last:
            codes[swapped] = number
    return codes, values or [(None,) * len(coded)]  # one that no code names tells how many properties there are


def _at(known: Sequence[Value], place: int) -> Value:
    return None if place == MISSING else known[place]


def encoded(column: pa.ChunkedArray) -> tuple[Codes, list[Value]]:
    """Codes of one column, and their values; -1 for null."""
    told = pc.dictionary_encode(column.combine_chunks() if column.num_chunks != 1 else column.chunk(0))
    numbers: dict[Hashable, int] = {}
    values: list[Value] = []
    renumbered = np.empty(len(told.dictionary) + 1, np.int32)
    renumbered[-1] = MISSING
    for place, text in enumerate(told.dictionary.to_pylist()):
        key, value = canonical(loads(text))
        if key not in numbers:
            numbers[key] = len(values)
            values.append(value)
        renumbered[place] = numbers[key]
    indices = pc.fill_null(told.indices, len(told.dictionary)).to_numpy(zero_copy_only=False)
    return renumbered[indices], values


def canonical(value: object) -> tuple[Hashable, Value]:
    """What tells it from other values, and how it is shown: lists and objects as JSON text."""
    if isinstance(value, bool):
        return ("flag", value), value
    if isinstance(value, int | float):
        return ("number", value), int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(value, str):
        return ("text", value), value
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return ("json", text), text


def together(columns: Sequence[NDArray[np.integer]]) -> tuple[Codes, list[list[int]]]:
    """One code per row of several columns of codes (or MISSING), and the row that each code stands for."""
    there, codes = occurring(columns[0] + 1, int(columns[0].max(initial=MISSING)) + 2)
    rows = [[place - 1] for place in there.tolist()]
    for column in columns[1:]:
        wide = int(column.max(initial=MISSING)) + 2
        there, codes = occurring(codes.astype(np.int64) * wide + column + 1, len(rows) * wide)
        rows = [[*rows[place // wide], place % wide - 1] for place in there.tolist()]
    return codes.astype(np.int32), rows


def occurring(numbers: NDArray[np.integer], below: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different ones in their order, and for each its place among them."""
    if below > max(_WIDE, numbers.size):
        there, places = np.unique(numbers.astype(np.int64), return_inverse=True)
        return there, places.reshape(-1)
    marked = np.zeros(below, np.bool_)
    marked[numbers] = True
    return np.flatnonzero(marked), (np.cumsum(marked) - 1)[numbers]
