"""Changes rows of a lake table file by file: what is read is removed and its changed copy added, in one commit.

Constraints
- Nothing about the change stands in Delta's log (a delete's predicate would), and the new files carry no statistics of
texts.
- Files that others add meanwhile are not touched; where another took away a file that was read, all is done anew.
- Of a file no more than _ROWS rows are in memory decoded; of one of 90 MB all would be 2 GB.
"""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, islice
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.dataset import Fragment

from ingest.lake import Lake

_ATTEMPTS: Final = 10
_ROWS: Final = 1 << 16  # of a row group

Change = Callable[[pa.Table], pa.Table]


def change_rows(lake: Lake, project: str, table: str, change: Change, anew: Callable[[], object] = lambda: None) -> int:
    """Replaces each file's rows, part by part, by ``change(rows)``: the very same object where nothing is to change.

    Returns how many files were replaced; without any there is no new version. ``anew`` is called before each try: what
    ``change`` was told in the one before does not count.
    """
    for attempt in range(_ATTEMPTS):
        anew()
        handle = lake.open(project, table)
        if handle is None:
            return 0
        actions = _actions(lake, lake.uri(project, table), handle, change)
        if not actions:
            return 0
        columns = list(handle.metadata().partition_columns)
        try:
            handle.create_write_transaction(actions, mode="append", schema=handle.schema(), partition_by=columns or None)
        except CommitFailedError:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return sum(isinstance(action, RemoveAction) for action in actions)
    return 0


def _actions(lake: Lake, uri: str, handle: DeltaTable, change: Change) -> list[AddAction | RemoveAction]:
    dataset = handle.to_pyarrow_dataset()
    fragments = {fragment.path: fragment for fragment in dataset.get_fragments()}
    store = DeltaStorageHandler(uri, dict(lake.storage))
    actions: list[AddAction | RemoveAction] = []
    for added in pa.table(handle.get_add_actions()).to_pylist():
        partition = {name: None if value is None else str(value) for name, value in (added.get("partition") or {}).items()}
        made = _changed(fragments[added["path"]], dataset.schema, change, partition)
        if made is None:
            continue
        content, rows = made
        now = time.time_ns() // 1_000_000
        actions.append(RemoveAction(added["path"], True, now, added["size_bytes"], partition))
        if rows:
            folder = added["path"].rpartition("/")[0]
            path = f"{folder}/part-{uuid.uuid4()}.zstd.parquet".lstrip("/")
            size = _write(store, path, content)
            stats = json.dumps({"numRecords": rows})
            actions.append(AddAction(path, size, partition, now, True, stats))
    return actions


def _changed(
    fragment: Fragment, schema: pa.Schema, change: Change, partition: Collection[str]
) -> tuple[io.BytesIO, int] | None:
    """The bytes of the changed file and its number of rows; None where nothing in it changes."""
    own = pa.schema([field for field in schema if field.name not in partition])
    content, written = io.BytesIO(), 0
    writer: pq.ParquetWriter | None = None
    for number, rows in enumerate(_parts(fragment, schema)):
        changed = change(rows)
        if writer is None and changed is rows:
            continue
        as_they_were: Iterable[pa.Table] = ()
        if writer is None:
            writer = pq.ParquetWriter(content, own, compression="zstd", compression_level=1)
            as_they_were = islice(_parts(fragment, schema), number)
        for part in chain(as_they_were, [changed]):
            writer.write_table(part.select(own.names), row_group_size=_ROWS)
            written += part.num_rows
    if writer is None:
        return None
    writer.close()
    return content, written


def _parts(fragment: Fragment, schema: pa.Schema) -> Iterator[pa.Table]:
    for batch in fragment.to_batches(schema=schema, batch_size=_ROWS, batch_readahead=0, fragment_readahead=0):
        yield pa.Table.from_batches([batch])


def _write(store: DeltaStorageHandler, path: str, content: io.BytesIO) -> int:
    stream = store._handler.open_output_stream(path)
    stream.write(content.getvalue())
    stream.close()  # type: ignore[attr-defined]  # its stub forgets the method that ends the upload
    return content.tell()
