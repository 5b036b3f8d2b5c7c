"""The lake: Delta Lake tables, one directory per project and table: ``<root>/<project>/<table>/``.

Constraints
- A commit that repeats an application transaction is accepted by Delta, and a check followed by a write *by path* can store
  a batch twice. So ``append`` opens a fresh handle, reads the transaction's version from it, and writes through that same
  handle; a concurrent commit makes it begin again.
- A fresh handle per commit stays fast (22 ms at 3,000 commits); a reused handle or a path does not.
- A reader names the version it wants: files of a version are immutable, so whoever holds their list reads one state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import ColumnProperties, CommitProperties, DeltaTable, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from pyarrow.dataset import FileSystemDataset, ParquetFileFormat
from pyarrow.dataset import field as field_of
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, PyFileSystem, SubTreeFileSystem

_COMMIT: Final = re.compile(r"([0-9]{20})\.json")
PROJECT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_ATTEMPTS: Final = 20
# Against Snappy, 300,000 events of 600 bytes: 61 instead of 95 bytes an event, the flush 7 % slower. Level 3 gains nothing.
# In these columns hardly two rows are equal: without a dictionary an event takes 29 instead of 36 bytes, 16 % less time.
_DISTINCT: Final = ("event_id", "time", "original_time", "log_offset")
_PARQUET: Final = WriterProperties(
    compression="ZSTD",
    compression_level=1,
    column_properties={name: ColumnProperties(dictionary_enabled=False) for name in _DISTINCT},
)
TOLD: Final = ("event", "actor_id", "time", "received_at")  # columns whose least and greatest the log of the table tells


@dataclass(frozen=True)
class Lake:
    """Tables under a local folder or an object store's URL (``s3://bucket/prefix``)."""

    root: str
    storage: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        return "://" not in self.root

    def uri(self, project: str, table: str) -> str:
        return f"{self.root.rstrip('/')}/{project}/{table}"

    def open(self, project: str, table: str, version: int | None = None) -> DeltaTable | None:
        """A fresh handle, or None where the table does not exist yet. A version that is no longer kept is an error."""
        try:
            return DeltaTable(self.uri(project, table), version=version, storage_options=dict(self.storage) or None)
        except TableNotFoundError:
            if version is not None and self.version(project, table) is not None:
                raise
            return None

    def version(self, project: str, table: str) -> int | None:
        """The newest version, None where there is no table. Of a local one its log's names tell, without a look into it."""
        if self.is_local and (newest := _newest_commit(f"{self.uri(project, table)}/_delta_log")) is not None:
            return newest
        handle = self.open(project, table)
        return None if handle is None else handle.version()

    def files(self, project: str, table: str, version: int | None = None) -> list[str]:
        """The Parquet files of a version (default: the newest), as paths or URLs; empty where there is no table."""
        handle = self.open(project, table, version)
        return [] if handle is None else sorted(handle.file_uris())

    def dataset(self, project: str, table: str, version: int | None = None) -> FileSystemDataset | None:
        """The files of a version, to be scanned by Arrow; None where the table does not exist yet. By month it is pruned.

        Local files are Arrow's own: deltalake's are objects of Python, and a process that ends while one of Arrow's threads
        still lets go of them is aborted (seen in one of four). And deltalake's own dataset takes a least value that the log
        does not tell for one that nothing is greater than: of files that were written again it skipped every row (seen).
        """
        handle = self.open(project, table, version)
        if handle is None:
            return None
        store = self._files(project, table)
        schema, form = pa.schema(handle.schema().to_arrow()), ParquetFileFormat()
        added = pa.table(handle.get_add_actions(flatten=True))
        months = added["partition.month"] if "partition.month" in added.column_names else pa.nulls(added.num_rows)
        fragments = [
            form.make_fragment(unquote(path), store, None if month is None else field_of("month") == month)
            for path, month in zip(added["path"].to_pylist(), months.to_pylist(), strict=True)
        ]
        return FileSystemDataset(fragments, schema, form, store)

    def _files(self, project: str, table: str) -> FileSystem:
        if self.is_local:
            return SubTreeFileSystem(str(Path(self.uri(project, table)).absolute()), LocalFileSystem())
        return PyFileSystem(DeltaStorageHandler(self.uri(project, table), dict(self.storage)))

    def append(self, project: str, table: str, rows: pa.Table, *, writer: str, batch: int, partition: str | None) -> bool:
        """Add ``rows`` as batch number ``batch`` of ``writer``, once: False if the lake already has that batch.

        Batches of one writer must come in rising order. Raises ``OSError`` or a ``deltalake`` error where the store is away
        or full; nothing is added then, and the same call may be made again.
        """
        for attempt in range(_ATTEMPTS):
            handle = self.open(project, table) or self._create(project, table, rows.schema, partition)
            done = handle.transaction_version(writer)
            if done is not None and done >= batch:
                return False
            once = CommitProperties(max_commit_retries=0, app_transactions=[Transaction(writer, batch)])
            try:
                write_deltalake(handle, rows, mode="append", commit_properties=once, writer_properties=_PARQUET)
            except CommitFailedError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return True
        return False

    def tables(self, project: str) -> list[str]:
        """Every table a project has, whoever writes it."""
        store = PyFileSystem(DeltaStorageHandler(self.uri(project, ""), dict(self.storage)))
        found = store.get_file_info(FileSelector("", allow_not_found=True))
        names = [info.base_name for info in found if info.type == FileType.Directory]
        return sorted(name for name in names if not name.startswith("_") and self.version(project, name) is not None)

    def partitions(self, project: str, table: str) -> list[dict[str, str]]:
        handle = self.open(project, table)
        return [] if handle is None else [dict(one) for one in handle.partitions()]

    def delete(self, project: str, table: str, predicate: str) -> int:
        """Remove the rows of a SQL predicate as of now; what is appended meanwhile stays. Returns how many went.

        The predicate stays in Delta's log: it must not hold what nobody may read. Without a match no version is made.
        """
        for attempt in range(_ATTEMPTS):
            handle = self.open(project, table)
            if handle is None:
                return 0
            try:
                gone = handle.delete(predicate, writer_properties=_PARQUET)
            except CommitFailedError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return int(gone["num_deleted_rows"])
        return 0

    def replace(self, project: str, table: str, rows: pa.Table) -> int:
        """Make ``rows`` the whole of a table that one builder owns; returns the new version."""
        handle = self.open(project, table) or self._create(project, table, rows.schema, None)
        write_deltalake(handle, rows, mode="overwrite", schema_mode="overwrite", writer_properties=_PARQUET)
        return handle.version()

    def _create(self, project: str, table: str, schema: pa.Schema, partition: str | None) -> DeltaTable:
        try:
            return DeltaTable.create(
                self.uri(project, table),
                Schema.from_arrow(schema),
                mode="ignore",
                partition_by=[partition] if partition else None,
                storage_options=dict(self.storage) or None,
            )
        except CommitFailedError:  # another writer created it in the same moment; "ignore" does not cover that
            if handle := self.open(project, table):
                return handle
            raise

    def create_folder(self) -> None:
        if self.is_local:
            Path(self.root).mkdir(parents=True, exist_ok=True)


def told(metadata: pq.FileMetaData) -> str:
    """What the log of a table is to tell of a file, from its footer: the ``stats`` of an action, JSON."""
    least: dict[str, object] = {}
    greatest: dict[str, object] = {}
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    for position in range(metadata.num_columns):
        name = metadata.schema.column(position).path
        found = [group.column(position).statistics for group in groups]
        if name in TOLD and all(one is not None and one.has_min_max for one in found):
            least[name] = _written_out(min(one.min for one in found))
            greatest[name] = _written_out(max(one.max for one in found))
    nulls = dict.fromkeys(least, 0)
    return json.dumps({"numRecords": metadata.num_rows, "minValues": least, "maxValues": greatest, "nullCount": nulls})


def _written_out(value: object) -> object:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value


def _newest_commit(log: str) -> int | None:
    """Commits appear whole under their number, and the newest is never removed."""
    try:
        found = [match[1] for path in Path(log).iterdir() if (match := _COMMIT.fullmatch(path.name))]
    except FileNotFoundError:
        return None
    return int(max(found)) if found else None
