"""Files of a table -> one sorted run, and the swap of the one for the other in a single commit.

Constraints
- A swap names exactly the files that were read, so a row that was appended meanwhile stays. An overwrite with a predicate
  loses it, and an overwrite of a pinned version never comes to its end beside a busy flush (both tried).
- Delta 1.6 does not notice that a file to be removed is gone already, if the commit says that no data changed: two tidies
  of one file then leave its rows twice (tried). So a swap looks through a fresh handle whether every file stands, commits
  through that same handle without retries, and looks again when another commit came first.
- New files are on disk, synced, before the commit; who dies before it leaves files that no version names.
- Memory is the engine's: DuckDB sorts with spill, and rows leave it a row group at a time.
"""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction

from ingest.lake import Lake, told
from transforms.engine import Engine, Limits, folder_of
from transforms.layout import File, Merge
from transforms.scratch import Scratch

ROW_GROUP: Final = 65_536
_LEAST: Final = 4_096  # rows of a row group that ends with a name
_ATTEMPTS: Final = 30
_PAUSE: Final = 0.05  # seconds
RUNS: Final = ("run-", "settled-")  # how the files begin that are written here

# In these hardly two rows are equal: a dictionary makes them larger. Times that rise are kept as differences: of a run's
# ``time`` 3.7 instead of 8.1 bytes a row, read in a quarter of the time (2.4 instead of 10.4 ns a row).
_DISTINCT: Final = frozenset({"event_id", "log_offset"})
_RISING: Final = frozenset({"time", "original_time"})


def files_of(handle: DeltaTable) -> list[File]:
    """The files of a version."""
    added = pa.table(handle.get_add_actions(flatten=True)).select(
        ["path", "partition.month", "num_records", "modification_time"]
    )
    return [
        File(path, month, rows or 0, datetime.fromtimestamp(modified / 1000, UTC))
        for path, month, rows, modified in zip(*(column.to_pylist() for column in added.columns), strict=True)
    ]


def rewrite(
    lake: Lake, handle: DeltaTable, merge: Merge, order: Sequence[str], file_bytes: int, limits: Limits
) -> list[AddAction]:
    """Writes the rows of ``merge`` in ``order`` into new files that no version names yet."""
    root, newest = handle.table_uri, max(file.modified for file in merge.files)
    schema = pa.schema(field for field in pa.schema(handle.schema().to_arrow()) if field.name != "month")
    stem = f"month={merge.month}/{'settled' if merge.settles else 'run'}-{uuid.uuid4().hex}"
    actions = []
    columns, keys = (", ".join(f'"{name}"' for name in names) for names in (schema.names, order))
    with Scratch(limits.scratch) as scratch, Engine(lake, "", {}, limits) as engine:
        engine.bind_files("rows", handle, {file.path for file in merge.files})
        batches = engine.batches(f"select {columns} from rows order by {keys}", ROW_GROUP)
        for part, metadata, path in _written(
            batches, schema, order, file_bytes, scratch.path, folder_of(handle) if lake.is_local else None, stem
        ):
            name = f"{stem}-{part:04d}.parquet"
            size, stats = path.stat().st_size, told(metadata)
            if not lake.is_local:
                upload(lake, root, path, name)
                path.unlink()
            # When its newest row came, not when it was written: what asks for the newest events looks at this.
            actions.append(AddAction(name, size, {"month": merge.month}, int(newest.timestamp() * 1000), False, stats))
    _check(merge, actions)
    return actions


def swap(lake: Lake, project: str, table: str, merge: Merge, added: Sequence[AddAction]) -> int | None:
    """Puts ``added`` in the place of the merge's files; the version that has it so, or None if somebody else took any."""
    gone, come = {file.path for file in merge.files}, {action.path for action in added}
    for _ in range(_ATTEMPTS):
        handle = lake.open(project, table)
        if handle is None:
            return None
        standing = {file.path for file in files_of(handle)}
        if come and come <= standing:  # the commit went through, though it seemed to fail
            return handle.version()
        if not gone <= standing:
            return None
        now = int(time.time() * 1000)
        removed = [RemoveAction(path, False, now, None, {"month": merge.month}) for path in sorted(gone)]
        once = CommitProperties(max_commit_retries=0, custom_metadata={"jcurve": "tidy"})
        try:
            handle.create_write_transaction([*added, *removed], "append", handle.schema(), ["month"], commit_properties=once)
        except CommitFailedError:
            time.sleep(random.uniform(0, _PAUSE))
        else:
            return handle.version() + 1
    return None


def _written(
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    order: Sequence[str],
    file_bytes: int,
    scratch: Path,
    root: Path | None,
    stem: str,
) -> Iterator[tuple[int, pq.FileMetaData, Path]]:
    """The parts: number, what its footer says, and where it lies."""
    groups = _groups(batches, schema, order[0])
    first, part = next(groups, None), 0
    while first is not None:
        path = (root or scratch) / f"{stem}-{part:04d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as sink, run_writer(sink, schema, order) as writer:
            writer.write_table(first)
            while (first := next(groups, None)) is not None and sink.tell() < file_bytes:
                writer.write_table(first)
        sync(path)
        sync(path.parent)
        yield part, pq.read_metadata(path), path
        part += 1


def run_writer(sink: IO[bytes], schema: pa.Schema, order: Sequence[str]) -> pq.ParquetWriter:
    """A writer of rows that come in ``order``, as the files of a run are."""
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in schema.names if name not in _DISTINCT | _RISING],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in schema.names if name in _RISING},
        sorting_columns=[pq.SortingColumn(schema.names.index(name)) for name in order],
    )


def _groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema, key: str) -> Iterator[pa.Table]:
    """Row groups: tables of at most ROW_GROUP rows, cut as ``first_group`` says."""
    waiting = schema.empty_table()
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).select(schema.names).cast(schema)])
        while waiting.num_rows >= ROW_GROUP:
            first = first_group(waiting[key])
            yield waiting.slice(0, first)
            waiting = waiting.slice(first)
    while waiting.num_rows:
        first = first_group(waiting[key])
        yield waiting.slice(0, first)
        waiting = waiting.slice(first)


def first_group(keys: pa.ChunkedArray) -> int:
    """How many of these rows, sorted by ``keys``, are a row group.

    ROW_GROUP at most; and where a name (of events) ends after _LEAST rows, no more than that. So who asks for a name reads
    hardly any other, and names of few rows still share a group.
    """
    piece = keys.slice(0, ROW_GROUP)
    if not pa.types.is_string(piece.type):
        return len(piece)
    ends = pc.run_end_encode(piece.combine_chunks()).run_ends.to_numpy()
    return int(ends[np.searchsorted(ends, min(_LEAST, len(piece)))])


def upload(lake: Lake, root: str, path: Path, name: str) -> None:
    """Copies a local file to a name below a table's URL."""
    # Its own stream: wrapped by pyarrow 26 it is handed buffers, and takes only bytes.
    target = DeltaStorageHandler(root, dict(lake.storage))._handler.open_output_stream(name)
    with path.open("rb") as file:
        while piece := file.read(8 << 20):
            target.write(piece)
    target.close()  # type: ignore[attr-defined]  # its stub forgets the method that ends the upload


def _check(merge: Merge, actions: Sequence[AddAction]) -> None:
    """Nothing is ever lost by a fault of the sort: the counts agree, or nothing is committed."""
    read = sum(file.rows for file in merge.files)
    wrote = sum(json.loads(action.stats)["numRecords"] for action in actions)
    if read != wrote and all(file.rows for file in merge.files):  # a foreign writer may leave its count out
        raise RuntimeError(f"tidy read {read} rows of {merge.month} and wrote {wrote}; the table is as it was")


def sync(path: Path) -> None:
    """Returns when a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
