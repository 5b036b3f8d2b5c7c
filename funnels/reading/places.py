"""Rows by number: what more is asked of few of the rows that were read.

Whoever reads the row groups of a question in a fixed order can number their rows. So a row may carry its number through
gathering and matching in place of what else lies in it, and only of the rows that an answer is made of is more read.

A property's values are kept by row group, as codes, where they are few: who asks again, or asks another question of the same
events, reads none of them. Most properties have few values, or are missing in all events of a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow.fs import FileSystem

from funnels.kernel import Codes, Ints
from funnels.kernel.words import compiled
from funnels.reading.json_spans import members
from funnels.reading.scan import File, Footer, Kept, Stretch

Numbers = NDArray[np.integer]

JSON_ROOTS: Final = ("properties", "context")
_KEPT_BYTES: Final = 64 << 20
_SMALL: Final = 64  # texts
_FEW: Final = 4_096  # values of a row group, up to which they are kept
_PER_ROW: Final = 8  # bytes of a row, below which a column is surely a dictionary in its file
_GROUPS: Final = 4  # that one thread reads at a time
_NEAR: Final = 12  # bits of a number, without which it is looked up where its group may begin


@dataclass(frozen=True)
class Encoded:
    """A column or a member of JSON in the rows of a row group; ``codes`` None: null in all of them.

    A code is a place in ``texts``, their number for null, and beyond it a place in ``documents``: whole JSON objects, in
    which the member could not be told. ``texts`` are JSON where the property lies in JSON.
    """

    codes: NDArray[np.integer] | None
    texts: pa.StringArray
    documents: pa.StringArray

    @property
    def bytes(self) -> int:
        held = 0 if self.codes is None else self.codes.nbytes
        listed = 100 * len(self.texts) if self.is_small else 0
        return 500 + held + listed + int(self.texts.nbytes) + int(self.documents.nbytes)

    @property
    def is_small(self) -> bool:
        """Whether it takes longer to find out which of the texts some rows have than to list all of them."""
        return len(self.texts) <= _SMALL and not len(self.documents)

    @cached_property
    def listed(self) -> list[str]:
        """The texts, if they are few."""
        return list(self.texts.to_pylist())


@dataclass(frozen=True)
class Group:
    """A row group of a file."""

    file: File
    footer: Footer
    number: int


class Places:
    """The rows of ``stretches``, numbered in the order in which these are read."""

    def __init__(self, store: FileSystem | None, stretches: Sequence[Stretch]) -> None:
        self._store = store
        self._groups = [Group(one.file, one.footer, group) for one in stretches for group in one.groups]
        rows = [one.footer.rows[one.number] for one in self._groups]
        self._starts = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]).astype(np.int64)
        self.bases = np.cumsum([0, *(one.rows for one in stretches)])[:-1].tolist()
        """By stretch: the number of its first row."""
        self.rows = int(self._starts[-1])

    @property
    def count(self) -> int:
        """How many row groups there are."""
        return len(self._groups)

    def place(self, number: int) -> tuple[int, int]:
        """The row group that a row lies in, and its place there."""
        place = self._place(number)
        return place, number - int(self._starts[place])

    def name(self, place: int) -> str | None:
        """What all events of a row group are called; None where they differ."""
        bounds = self._groups[place].footer.names[self._groups[place].number]
        return bounds[0] if bounds is not None and bounds[0] == bounds[1] else None

    def key(self, place: int) -> str:
        """What tells a row group from all others."""
        return f"{self._groups[place].file.key}\n{self._groups[place].number}"

    def whole(self, place: int, name: str) -> Encoded:
        """A property of all rows of a row group."""
        return self._read([self._groups[place]], name)[0]

    def encoded(
        self, numbers: Numbers, name: str, threads: ThreadPoolExecutor
    ) -> Iterator[tuple[NDArray[np.intp], Encoded, NDArray[np.integer]]]:
        """A property of these rows: places in ``numbers``, what their row group has, and their codes (or none)."""

        def work(task: Sequence[tuple[int, slice]]) -> list[Encoded]:
            return self._read([self._groups[place] for place, _ in task], name)

        order, tasks = self._tasks(numbers)
        kept = all(_key(self._groups[place], name) in _KEPT for task in tasks for place, _ in task)
        for task, found in zip(tasks, map(work, tasks) if kept else threads.map(work, tasks), strict=True):
            for (place, part), one in zip(task, found, strict=True):
                there = order[part]
                yield there, one, _NO_CODES if one.codes is None else one.codes[numbers[there] - self._starts[place]]

    def looked_up(self, numbers: Numbers, of: Callable[[int], Codes], missing: int, threads: ThreadPoolExecutor) -> Codes:
        """What ``of`` a row group tells of these rows; ``missing`` where it has nothing."""
        order, ends = np.empty(numbers.size, np.int64), np.zeros(self._starts.size + 1, np.int64)
        _by_group(numbers.astype(np.int64), self._starts, order, ends)
        found, there = np.full(numbers.size, missing, np.int32), np.flatnonzero(ends[1:] > ends[:-1]).tolist()
        for place, codes in zip(there, threads.map(of, there), strict=True):
            rows = order[ends[place] : ends[place + 1]]
            if codes.size:
                found[rows] = codes[numbers[rows] - self._starts[place]]
        return found

    def column(self, numbers: Numbers, name: str, threads: ThreadPoolExecutor) -> pa.Array:
        """A column of the table in these rows, in their order."""

        def work(task: Sequence[tuple[int, slice]]) -> list[pa.ChunkedArray]:
            with self._opened(self._groups[task[0][0]], ()) as file:
                return [
                    file.read_row_group(self._groups[place].number, [name], use_threads=False)[name].take(
                        pa.array(numbers[order[part]] - self._starts[place])
                    )
                    for place, part in task
                ]

        order, tasks = self._tasks(numbers)
        chunks = [chunk for found in threads.map(work, tasks) for column in found for chunk in column.chunks]
        back = np.empty(order.size, np.int64)
        back[order] = np.arange(order.size)
        return pa.chunked_array(chunks).take(pa.array(back)).combine_chunks()

    def _place(self, number: int) -> int:
        return int(np.searchsorted(self._starts, number, "right")) - 1

    def _tasks(self, numbers: Numbers) -> tuple[NDArray[np.intp], list[list[tuple[int, slice]]]]:
        """The order of ``numbers``; the groups that they lie in, each with its part of it, few of a file at a time."""
        order, ends = np.empty(numbers.size, np.int64), np.zeros(self._starts.size + 1, np.int64)
        _by_group(numbers.astype(np.int64), self._starts, order, ends)
        there = np.flatnonzero(ends[1:] > ends[:-1]).tolist()
        parts = [(place, slice(int(ends[place]), int(ends[place + 1]))) for place in there]
        alike = (list(one) for _, one in groupby(parts, lambda part: self._groups[part[0]].file.path))
        return order, [one[since : since + _GROUPS] for one in alike for since in range(0, len(one), _GROUPS)]

    def _read(self, groups: Sequence[Group], name: str) -> list[Encoded]:
        keys = [_key(group, name) for group in groups]
        found = [_KEPT.get(key) for key in keys]
        missing = [group for group, one in zip(groups, found, strict=True) if one is None]
        read = iter(self._encode(missing, name) if missing else ())
        every = [next(read) if one is None else one for one in found]
        for key, one, known in zip(keys, every, found, strict=True):
            if known is None and len(one.texts) <= _FEW and len(one.documents) <= _FEW:
                _KEPT.put(key, one)
        return every

    def _encode(self, groups: Sequence[Group], name: str) -> Iterator[Encoded]:
        root, _, rest = name.partition(".")
        if _column(groups[0].footer.metadata, root) is None:  # written before there was such a column
            yield from [Encoded(None, _NO_TEXTS, _NO_TEXTS)] * len(groups)
            return
        encode: Callable[[pa.Array], Encoded] = _of_json(rest.split(".")) if rest else _of_column
        for alike, some in groupby(groups, lambda group: _is_dictionary(group, root)):
            with self._opened(groups[0], (root,) if alike or not rest else ()) as file:
                for group in some:
                    yield encode(file.read_row_group(group.number, [root], use_threads=False)[root].combine_chunks())

    def _opened(self, group: Group, dictionaries: Sequence[str]) -> pq.ParquetFile:
        return pq.ParquetFile(
            group.file.path, metadata=group.footer.metadata, read_dictionary=[*dictionaries], filesystem=self._store
        )


def _key(group: Group, name: str) -> str:
    return f"{group.file.key}\n{group.number}\n{name}"


@compiled
def _by_group(numbers: Ints, starts: Ints, order: Ints, ends: Ints) -> None:
    """``order``: places in ``numbers`` by the group that each lies in; ``ends[group]``: how many lie in those before it."""
    nearest = np.searchsorted(starts, np.arange((starts[-1] >> _NEAR) + 1) << _NEAR, "right")
    groups = np.empty(numbers.size, np.int64)
    for i in range(numbers.size):
        group = nearest[numbers[i] >> _NEAR]
        while group < starts.size and starts[group] <= numbers[i]:
            group += 1
        groups[i] = group
        ends[group] += 1
    for group in range(1, ends.size):
        ends[group] += ends[group - 1]
    for i in range(numbers.size - 1, -1, -1):
        ends[groups[i]] -= 1
        order[ends[groups[i]]] = i
    for group in range(ends.size - 1):
        ends[group] = ends[group + 1]


def _is_dictionary(group: Group, name: str) -> bool:
    """Surely one in the file; columns that are in part are slowly made one."""
    metadata = group.footer.metadata
    column = metadata.row_group(group.number).column(_column(metadata, name))
    return bool(column.has_dictionary_page and column.total_uncompressed_size < _PER_ROW * group.footer.rows[group.number])


def _column(metadata: pq.FileMetaData, name: str) -> int | None:
    return next((number for number in range(metadata.num_columns) if metadata.schema.column(number).path == name), None)


def _of_column(values: pa.Array) -> Encoded:
    values = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    return _packed(_codes(values), values.dictionary.cast(pa.string()), _NO_TEXTS)


def _of_json(path: Sequence[str]) -> Callable[[pa.Array], Encoded]:
    def encode(values: pa.Array) -> Encoded:
        if not pa.types.is_dictionary(values.type):
            return _members(values, path)
        inner = _members(values.dictionary, path)
        if inner.codes is None:
            return inner
        return _packed(np.append(inner.codes, len(inner.texts))[_codes(values)], inner.texts, inner.documents)

    return encode


def _members(values: pa.Array, path: Sequence[str]) -> Encoded:
    found, unsure = members(values.cast(pa.string()), path)
    encoded = found.dictionary_encode()
    codes = _codes(encoded)
    documents = values.take(pa.array(unsure)).dictionary_encode()
    codes[unsure] = len(encoded.dictionary) + 1 + _codes(documents)
    return _packed(codes, encoded.dictionary, documents.dictionary.cast(pa.string()))


def _codes(values: pa.DictionaryArray) -> NDArray[np.int32]:
    """Places in the dictionary, its length for null; writable."""
    filled = values.indices.fill_null(len(values.dictionary)) if values.null_count else values.indices
    return np.array(filled, np.int32)


def _packed(codes: NDArray[np.integer], texts: pa.StringArray, documents: pa.StringArray) -> Encoded:
    if not len(texts) and not len(documents):
        return Encoded(None, texts, documents)
    return Encoded(codes.astype(np.min_scalar_type(len(texts) + len(documents))), texts, documents)


_NO_CODES: Final = np.zeros(0, np.uint8)
_NO_TEXTS: Final = pa.array([], pa.string())
_KEPT: Final = Kept[Encoded](_KEPT_BYTES, lambda one: one.bytes)
