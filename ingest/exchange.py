"""The exchange: a batch of events goes to the lake, and rows that copies among them displace leave it, in one commit.

Constraints
- At no version do both copies stand, or neither: the new rows are added, and the files of the old ones removed with their
  copies without these rows added, as one application transaction (``lake``). The log says that data changed: a build
  sees one row lost and one gained.
- Tidy, retention and who forgets a person take the same files away. So a commit is made through a fresh handle, without
  retries; whenever another came first the rows are looked for anew. What was written is used again while its file stands.
- A file of a run keeps its place in the run, its order and its age: only its name gets another number. It is copied a row
  group at a time.
- Files are on disk before the commit; who dies between leaves files that no version names, which the nightly sweep removes.

Price: a row in a settled file costs writing that file again (1.0 s of processor time for a million rows, 39 MB), and the
build after it reads it twice. Such copies come through two logs in the order that is not that of their receipts, so they
are few.
"""

from __future__ import annotations

import os
import random
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.fs import PyFileSystem

from ingest.copies import Displaced, month_name, rows_of
from ingest.lake import Lake, told
from ingest.segment_file import sync_folder

_ATTEMPTS: Final = 30
_PAUSE: Final = 0.05  # seconds
_RUN: Final = re.compile(r"(.*/(?:run|settled)-[0-9a-f]+)-\d+\.parquet")


def exchange(
    lake: Lake,
    project: str,
    rows: pa.Table,
    displaced: Sequence[Displaced],
    *,
    writer: str,
    batch: int,
    at: Callable[[str], None] = lambda step: None,
) -> bool:
    """``Lake.append`` to events, by month, which takes the ``displaced`` rows out; those that have left are no fault."""
    files = _Files(lake, project)
    fresh: list[AddAction] = []
    for attempt in range(_ATTEMPTS):
        handle = lake.open(project, "events")
        if handle is None:
            break
        done = handle.transaction_version(writer)
        if done is not None and done >= batch:
            return False
        fresh = fresh or files.add(rows)
        actions = [*fresh, *files.without(handle, displaced)]
        at("exchange written")
        once = CommitProperties(max_commit_retries=0, app_transactions=[Transaction(writer, batch)])
        try:
            handle.create_write_transaction(actions, "append", handle.schema(), ["month"], commit_properties=once)
        except CommitFailedError:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, _PAUSE))
        else:
            return True
    return lake.append(project, "events", rows, writer=writer, batch=batch, partition="month")  # the table is gone


@dataclass(frozen=True)
class _File:
    path: str
    month: str
    modified: int  # milliseconds
    size: int


class _Files:
    """Data files of a project's events; what it wrote once it does not write again."""

    def __init__(self, lake: Lake, project: str) -> None:
        self._lake, self._project = lake, project
        self._root = lake.uri(project, "events")
        self._written: dict[tuple[str, frozenset[tuple[str, str, int]]], AddAction | None] = {}

    def add(self, rows: pa.Table) -> list[AddAction]:
        """Files of ``rows``, one a month, that no version names yet."""
        now, added = time.time_ns() // 1_000_000, []
        for month in sorted(pc.unique(rows["month"]).to_pylist()):
            own = rows.filter(pc.equal(rows["month"], month)).drop_columns(["month"])
            added.append(self._write(f"month={month}/{_fresh_name()}", month, now, own.schema, [own], None))
        return added

    def without(self, handle: DeltaTable, displaced: Sequence[Displaced]) -> Iterator[AddAction | RemoveAction]:
        """What puts the files that hold such rows out of a version, and copies of them without these in."""
        for file, gone in self._holding(handle, displaced).items():
            yield RemoveAction(file.path, True, time.time_ns() // 1_000_000, file.size, {"month": file.month})
            key = file.path, frozenset(gone)
            if key not in self._written:
                self._written[key] = self._copy(file, gone)
            if (left := self._written[key]) is not None:
                yield left

    def _holding(self, handle: DeltaTable, displaced: Sequence[Displaced]) -> Mapping[_File, set[tuple[str, str, int]]]:
        wanted = {(one.event_id, one.place.log, one.place.log_offset) for one in displaced}
        months = {month_name(one.place.month) for one in displaced}
        columns = ["event_id", "log", "log_offset", "__filename"]
        standing = {file.path: file for file in _standing(handle)}
        found: dict[_File, set[tuple[str, str, int]]] = {}
        ids = {event_id for event_id, _, _ in wanted}
        for row in rows_of(self._lake, self._project, ids, months, columns, handle.version()):
            if (name := (row["event_id"], row["log"], row["log_offset"])) in wanted:
                found.setdefault(standing[row["__filename"]], set()).add(name)
        return found

    def _copy(self, file: _File, gone: set[tuple[str, str, int]]) -> AddAction | None:
        """The file without these rows; None where no other is left."""
        run = _RUN.fullmatch(file.path)
        folder = file.path.rpartition("/")[0]
        path = f"{run[1]}-{uuid.uuid4().int:039d}.parquet" if run else f"{folder}/{_fresh_name()}"
        with self._open(file.path) as source:
            if source.metadata.num_rows == len(gone):
                return None
            order = source.metadata.row_group(0).sorting_columns or None
            schema = _without_views(source.schema_arrow)
            groups = (_left(source.read_row_group(number).cast(schema), gone) for number in range(source.num_row_groups))
            return self._write(path, file.month, file.modified, schema, groups, order)

    @contextmanager
    def _open(self, path: str) -> Iterator[pq.ParquetFile]:
        if self._lake.is_local:
            with pq.ParquetFile(f"{self._root}/{path}") as file:
                yield file
            return
        store = PyFileSystem(DeltaStorageHandler(self._root, dict(self._lake.storage)))
        with store.open_input_file(path) as content, pq.ParquetFile(content) as file:
            yield file

    def _write(
        self,
        path: str,
        month: str,
        modified: int,
        schema: pa.Schema,
        groups: Iterable[pa.Table],
        order: Sequence[pq.SortingColumn] | None,
    ) -> AddAction:
        with self._target(path) as target, target.open("wb") as sink:
            with pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1, sorting_columns=order) as writer:
                for group in groups:
                    writer.write_table(group)
            sink.flush()
            os.fsync(sink.fileno())
            size, stats = target.stat().st_size, told(pq.read_metadata(target))
        return AddAction(path, size, {"month": month}, modified, True, stats)

    @contextmanager
    def _target(self, path: str) -> Iterator[Path]:
        """Where a file is written; at the end of the block it is in the table's folder, by name too."""
        if self._lake.is_local:
            target = Path(self._root) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            yield target
            sync_folder(target.parent)
            return
        with tempfile.TemporaryDirectory() as aside:
            target = Path(aside) / "rows.parquet"
            yield target
            # Its own stream: wrapped by pyarrow it is handed buffers, and takes only bytes.
            stream = DeltaStorageHandler(self._root, dict(self._lake.storage))._handler.open_output_stream(path)
            with target.open("rb") as content:
                while piece := content.read(8 << 20):
                    stream.write(piece)
            stream.close()  # type: ignore[attr-defined]  # its stub forgets the method that ends the upload


def _standing(handle: DeltaTable) -> Iterator[_File]:
    added = pa.table(handle.get_add_actions(flatten=True))
    columns = (added[name].to_pylist() for name in ("path", "partition.month", "modification_time", "size_bytes"))
    return (_File(*row) for row in zip(*columns, strict=True))


def _left(rows: pa.Table, gone: set[tuple[str, str, int]]) -> pa.Table:
    suspects = pc.is_in(rows["event_id"], value_set=pa.array(sorted({name for name, _, _ in gone}), pa.string()))
    if not pc.any(suspects).as_py():
        return rows
    names = zip(*(rows[column].to_pylist() for column in ("event_id", "log", "log_offset")), strict=True)
    return rows.filter(pa.array([name not in gone for name in names], pa.bool_()))


def _without_views(schema: pa.Schema) -> pa.Schema:
    """Delta's delete writes string views, which not every function of Arrow takes."""
    return pa.schema(field.with_type(pa.string()) if pa.types.is_string_view(field.type) else field for field in schema)


def _fresh_name() -> str:
    return f"part-{uuid.uuid4()}.zstd.parquet"
