"""Changes rows of a lake table file by file: what is read is removed and its changed copy added, in one commit.

Constraints
- Nothing about the change stands in Delta's log (a delete's predicate would), and the new files carry no statistics of
texts.
- Files that others add meanwhile are not touched; where another took away a file that was read, all is done anew.
"""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction

from ingest.lake import Lake

_ATTEMPTS: Final = 10
_ROWS: Final = 1 << 16  # of a row group

Change = Callable[[pa.Table], pa.Table]


def change_rows(lake: Lake, project: str, table: str, change: Change) -> int:
    """Replaces each file's rows by ``change(rows)``, which returns the very same object where nothing changes.

    Returns how many files were replaced; without any there is no new version.
    """
    for attempt in range(_ATTEMPTS):
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
        rows = fragments[added["path"]].to_table(schema=dataset.schema)
        changed = change(rows)
        if changed is rows:
            continue
        partition = {name: None if value is None else str(value) for name, value in (added.get("partition") or {}).items()}
        now = time.time_ns() // 1_000_000
        actions.append(RemoveAction(added["path"], True, now, added["size_bytes"], partition))
        if changed.num_rows:
            folder = added["path"].rpartition("/")[0]
            path = f"{folder}/part-{uuid.uuid4()}.zstd.parquet".lstrip("/")
            size = _write(store, path, changed.drop_columns(list(partition)))
            stats = json.dumps({"numRecords": changed.num_rows})
            actions.append(AddAction(path, size, partition, now, True, stats))
    return actions


def _write(store: DeltaStorageHandler, path: str, rows: pa.Table) -> int:
    content = io.BytesIO()
    pq.write_table(rows, content, compression="zstd", compression_level=1, row_group_size=_ROWS)
    stream = store._handler.open_output_stream(path)
    stream.write(content.getvalue())
    stream.close()  # type: ignore[attr-defined]  # its stub forgets the method that ends the upload
    return content.tell()
