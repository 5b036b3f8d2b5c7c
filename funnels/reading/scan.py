"""Events straight from Parquet: the row groups that can hold given names and times, and few of their columns.

Delta's log tells the least and greatest name and time of each file, a file's footer those of each row group. In a tidied
month events of a name lie together in order of time, so most groups that are read hold one name only: its column is not
even decoded. Whatever the statistics do not tell is read. Files never change, so footers are kept, and decoded columns by
row group, both up to a limit: what is kept stays true whatever is flushed, tidied or deleted, and a version of the table
names the files that are asked for, with size and time of their making.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Final, Generic, TypeVar
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.fs import DeltaStorageHandler
from numpy.typing import NDArray
from pyarrow.fs import FileSystem, LocalFileSystem, PyFileSystem

from ingest.lake import Lake
from transforms.engine import folder_of

Ints = NDArray[np.int64]

_AT_ONCE: Final = 4  # row groups
_KEPT_BYTES: Final = 64 << 20  # of decoded columns, and of footers
_ROUNDS: Final = 8  # how many times more may be asked for in turn than is kept, until what is kept makes room
_MADE: Final = ("size_bytes", "modification_time")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_Value = TypeVar("_Value")


class Kept(Generic[_Value]):
    """What was made of a file, by where it lies, up to so many bytes. What was not asked for the longest makes room, once
    much else was: otherwise one question over more than there is room for would leave nothing for the next one.
    """

    def __init__(self, most: int, size: Callable[[_Value], int]) -> None:
        self._most, self._size, self._bytes = most, size, 0
        self._values: OrderedDict[str, tuple[_Value, int]] = OrderedDict()  # and when it was asked for
        self._asked = 0
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        """Without asking for it."""
        with self._lock:
            return key in self._values

    def get(self, key: str) -> _Value | None:
        with self._lock:
            self._asked += 1
            if key not in self._values:
                return None
            value, _ = self._values[key]
            self._values[key] = value, self._asked
            self._values.move_to_end(key)
            return value

    def put(self, key: str, value: _Value) -> None:
        bytes_ = self._size(value)
        with self._lock:
            while self._bytes + bytes_ > self._most and self._values and self._is_old():
                _, (gone, _) = self._values.popitem(last=False)
                self._bytes -= self._size(gone)
            if key not in self._values and self._bytes + bytes_ <= self._most:
                self._values[key] = value, self._asked
                self._bytes += bytes_

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self._bytes = 0

    def _is_old(self) -> bool:
        _, when = next(iter(self._values.values()))
        return self._asked - when > _ROUNDS * len(self._values)


@dataclass(frozen=True)
class File:
    """A file of the table and what Delta's log tells of it; None where it does not."""

    path: str
    names: tuple[str, str] | None
    times: tuple[int, int] | None
    made: str = ""  # size and time: with the path it tells the file from all others

    @property
    def key(self) -> str:
        return f"{self.path}\n{self.made}"


@dataclass(frozen=True)
class Footer:
    """Of each row group: its rows, the least and the greatest name, the bounds of its times, whether bots may be in it."""

    metadata: pq.FileMetaData
    rows: Sequence[int]
    names: Sequence[tuple[str, str] | None]
    times: Sequence[tuple[int, int] | None]
    bots: Sequence[bool]


@dataclass(frozen=True)
class Stretch:
    """Row groups of a file to be read at once. ``name``: the one that all their events have, None where it must be read."""

    file: File
    footer: Footer
    groups: tuple[int, ...]
    name: str | None
    bots: bool

    @property
    def rows(self) -> int:
        return sum(self.footer.rows[group] for group in self.groups)


@dataclass(frozen=True)
class Rows:
    """Events: ``names`` where they differ (codes into ``words``), else all are called ``words[0]``. ``bots``: a bitmap."""

    times: Ints
    actors: Ints
    words: Sequence[str]
    names: NDArray[np.int32]
    bots: NDArray[np.uint8]
    first_bot: int  # the bit of the first row
    key: str = ""  # tells them from all others


def forget() -> None:
    """Keep nothing that was decoded: for measuring."""
    _DECODED.clear()


@dataclass(frozen=True)
class Table:
    """The files of ``events`` at one version."""

    store: FileSystem
    files: tuple[File, ...]
    _occurring: dict[str, bool | None] = field(default_factory=dict, compare=False, repr=False)

    def stretches(self, names: frozenset[str] | None, first: int, last: int) -> list[Stretch]:
        """What may hold events of these names (None: of any) in [first, last]."""
        wanted = None if names is None else sorted(names)
        return [
            stretch
            for file in self.files
            if _may_hold(file.names, file.times, wanted, first, last)
            for stretch in _stretches(file, self._footer(file), wanted, first, last)
        ]

    def read(self, stretch: Stretch) -> Iterator[Rows]:
        keys = [f"{stretch.file.key}\n{group}" for group in stretch.groups]
        known = [_DECODED.get(key) for key in keys]
        missing = [group for group, rows in zip(stretch.groups, known, strict=True) if rows is None]
        decoded = self._decoded(stretch, missing) if missing else iter(())
        for key, kept in zip(keys, known, strict=True):
            rows = next(decoded) if kept is None else kept
            if kept is None:
                _DECODED.put(key, rows)
            yield from rows

    def has(self, name: str) -> bool | None:
        """Whether an event of this name ever occurred; None where the statistics do not tell."""
        if name not in self._occurring:
            self._occurring[name] = self._has(name)
        return self._occurring[name]

    def _has(self, name: str) -> bool | None:
        found = False
        for file in self.files:
            if _may_hold(file.names, None, (name,), 0, 0):
                for bounds in self._footer(file).names:
                    if bounds is not None and name in bounds:
                        return True
                    found = found or bounds is None or bounds[0] < name < bounds[1]
        return None if found else False

    def _decoded(self, stretch: Stretch, groups: Sequence[int]) -> Iterator[tuple[Rows, ...]]:
        """Of each of these row groups."""
        columns = ["time", "actor_id", *(["event"] if stretch.name is None else []), *(["bot"] if stretch.bots else [])]
        with pq.ParquetFile(
            stretch.file.path, metadata=stretch.footer.metadata, read_dictionary=["event"], filesystem=self.store
        ) as file:
            for group in groups:
                table = file.read_row_group(group, columns, use_threads=False)
                key = f"{stretch.file.key}\n{group}"
                batches = enumerate(table.to_batches())
                yield tuple(_rows(batch, stretch.name, f"{key}\n{number}") for number, batch in batches)

    def _footer(self, file: File) -> Footer:
        found = _FOOTERS.get(file.key)
        if found is None:
            found = _footer(pq.read_metadata(file.path, filesystem=self.store))
            _FOOTERS.put(file.key, found)
        return found


def table(lake: Lake, project: str, version: int) -> Table:
    """The events at a version."""
    return _table(lake.root, tuple(sorted(lake.storage.items())), project, version)


@lru_cache(maxsize=8)
def _table(root: str, storage: tuple[tuple[str, str], ...], project: str, version: int) -> Table:
    lake = Lake(root, dict(storage))
    handle = lake.open(project, "events", version)
    assert handle is not None
    told = pa.table(handle.get_add_actions(flatten=True))
    paths = [unquote(path) for path in told["path"].to_pylist()]
    store = LocalFileSystem()
    folder = f"{folder_of(handle)}/" if lake.is_local else ""
    if not lake.is_local:
        store = PyFileSystem(DeltaStorageHandler(handle.table_uri, dict(lake.storage)))
    names = [None if one is None else (str(one[0]), str(one[1])) for one in _bounds(told, "event")]
    times = [None if one is None else (_micro(one[0]), _micro(one[1])) for one in _bounds(told, "time")]
    made = [f"{size} {when}" for size, when in zip(*(told[name].to_pylist() for name in _MADE), strict=True)]
    files = zip([folder + path for path in paths], names, times, made, strict=True)
    return Table(store, tuple(File(*one) for one in files))


def _bounds(told: pa.Table, column: str) -> list[tuple[object, object] | None]:
    if f"min.{column}" not in told.column_names or f"max.{column}" not in told.column_names:
        return [None] * len(told)
    pairs = zip(told[f"min.{column}"].to_pylist(), told[f"max.{column}"].to_pylist(), strict=True)
    return [None if least is None or greatest is None else (least, greatest) for least, greatest in pairs]


def _micro(moment: object) -> int:
    assert isinstance(moment, datetime)
    return (moment - _EPOCH) // _MICROSECOND


def _footer(metadata: pq.FileMetaData) -> Footer:
    places = {metadata.schema.column(number).path: number for number in range(metadata.num_columns)}
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]

    def bounds(name: str, group: pq.RowGroupMetaData) -> tuple[object, object] | None:
        told = group.column(places[name]).statistics
        if told is None or not told.has_min_max:
            return None
        return (told.min_raw, told.max_raw) if name == "time" else (told.min, told.max)

    return Footer(
        metadata,
        [group.num_rows for group in groups],
        [_cast(bounds("event", group), str) for group in groups],
        [_cast(bounds("time", group), _number) for group in groups],
        [_cast(bounds("bot", group), bool) != (False, False) for group in groups],
    )


def _cast(bounds: tuple[object, object] | None, kind: Callable[[object], _Value]) -> tuple[_Value, _Value] | None:
    return None if bounds is None else (kind(bounds[0]), kind(bounds[1]))


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _may_hold(
    own: tuple[str, str] | None, lies: tuple[int, int] | None, names: Sequence[str] | None, first: int, last: int
) -> bool:
    """``names``: in order."""
    if lies is not None and (lies[0] > last or lies[1] < first):
        return False
    if names is None or own is None:
        return True
    place = bisect_left(names, own[0])
    return place < len(names) and names[place] <= own[1]


def _stretches(file: File, footer: Footer, names: Sequence[str] | None, first: int, last: int) -> Iterator[Stretch]:
    chosen = [
        group
        for group in range(len(footer.rows))
        if footer.rows[group] and _may_hold(footer.names[group], footer.times[group], names, first, last)
    ]
    for (name, bots), alike in groupby(chosen, lambda group: (_only_name(footer.names[group]), footer.bots[group])):
        groups = tuple(alike)
        for since in range(0, len(groups), _AT_ONCE):
            yield Stretch(file, footer, groups[since : since + _AT_ONCE], name, bots)


def _only_name(bounds: tuple[str, str] | None) -> str | None:
    return bounds[0] if bounds is not None and bounds[0] == bounds[1] else None


def _rows(batch: pa.RecordBatch, name: str | None, key: str) -> Rows:
    times = batch.column("time").cast(pa.timestamp("us", "UTC")).view(pa.int64()).to_numpy()
    words, names = [name or ""], _NO_NAMES
    if name is None:
        encoded = batch.column("event")
        if not pa.types.is_dictionary(encoded.type):
            encoded = encoded.dictionary_encode()
        words, names = encoded.dictionary.to_pylist(), encoded.indices.cast(pa.int32()).to_numpy()
    bots, first_bot = _NO_BOTS, 0
    if "bot" in batch.schema.names:
        column = batch.column("bot")
        bots, first_bot = np.frombuffer(column.buffers()[1], np.uint8), column.offset
    return Rows(times, batch.column("actor_id").to_numpy(), words, names, bots, first_bot, key)


def _bytes(rows: Sequence[Rows]) -> int:
    return sum(one.times.nbytes + one.actors.nbytes + one.names.nbytes + one.bots.nbytes + 500 for one in rows)


_NO_NAMES: Final = np.frombuffer(b"", np.int32)  # not writable, as what comes from Arrow: loops are compiled for either
_NO_BOTS: Final = np.frombuffer(b"", np.uint8)
_FOOTERS: Final = Kept[Footer](_KEPT_BYTES, lambda footer: 4 * footer.metadata.serialized_size)
_DECODED: Final = Kept[tuple[Rows, ...]](_KEPT_BYTES, _bytes)
