"""One DuckDB connection over a project's lake tables at given versions, and over whatever relations are bound to it.

Constraints
- A version's files never change, so whoever holds an engine reads one state of each table, whatever is written meanwhile.
- DuckDB takes a list of files in its relation API but fails on an empty one: a table without files is an empty relation of
  its schema. Its own object-store extension cannot be counted on: tables behind a URL are read through pyarrow.
- Times are UTC and rows leave as Arrow. Rows fetched as Python objects would need a time zone package we do not carry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from pyarrow.dataset import FileSystemDataset

from ingest.lake import Lake
from transforms.scratch import Scratch
from transforms.tables import SCHEMAS


@dataclass(frozen=True)
class Limits:
    """What one engine may take. Beyond ``memory`` it spills below ``scratch``, to a folder that goes when it is closed."""

    memory: str = "2GB"
    threads: int = 2
    scratch: Path | None = None


DEFAULT_LIMITS: Final = Limits()


class Engine:
    """Use as a context manager, from one thread at a time.

    ``versions`` names the lake tables to open; None, or a table that does not exist yet, is an empty relation.
    """

    def __init__(
        self, lake: Lake, project: str, versions: Mapping[str, int | None], limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.versions = dict(versions)
        self._lake, self._project = lake, project
        self._spill = Scratch(limits.scratch)
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": limits.threads,
            "memory_limit": limits.memory,
            "temp_directory": self._spill.name,
            "preserve_insertion_order": False,
        }
        self._connection = duckdb.connect(":memory:", config=config)
        self._connection.execute("set TimeZone = 'UTC'")
        self._bound: set[str] = set()
        for name, version in versions.items():
            self._open(name, version)

    @property
    def relations(self) -> frozenset[str]:
        """The names a query may read."""
        return frozenset(self._bound)

    def bind(self, name: str, rows: pa.Table) -> None:
        """Makes ``rows`` a relation of that name, in place of an earlier one."""
        self._connection.register(name, rows)
        self._bound.add(name)

    def read(self, name: str, table: str, files: Sequence[str]) -> None:
        """Makes local Parquet files of a lake table a relation of that name."""
        schema = SCHEMAS[table]
        if not files:
            self.bind(name, schema.empty_table())
            return
        rows = self._connection.read_parquet(list(files), hive_partitioning="month" in schema.names)
        rows.create_view(name)
        self._bound.add(name)

    def table(self, text: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """The rows of one query, in no order but the query's own."""
        return self._connection.sql(text, params=dict(params) if params else None).to_arrow_table()

    def batches(self, text: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The rows of one query, so many at a time."""
        yield from self._connection.sql(text).to_arrow_reader(rows)

    def bind_files(self, name: str, handle: DeltaTable, paths: Collection[str]) -> None:
        """Makes some files of a table a relation, without its partition column; ``paths`` as the table's log has them."""
        if self._lake.is_local:
            root = folder_of(handle)
            rows = self._connection.read_parquet(
                [str(root / path) for path in paths], hive_partitioning=False, union_by_name=True
            )
            rows.create_view(name)
        else:
            whole = handle.to_pyarrow_dataset()
            chosen = [fragment for fragment in whole.get_fragments() if fragment.path.lstrip("/") in paths]
            self._connection.register(name, FileSystemDataset(chosen, whole.schema, whole.format, whole.filesystem))
        self._bound.add(name)

    def close(self) -> None:
        self._connection.close()
        self._spill.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _open(self, name: str, version: int | None) -> None:
        schema = SCHEMAS[name]
        handle = None if version is None else self._lake.open(self._project, name, version)
        files = [] if handle is None else handle.file_uris()
        if handle is None or not files:
            self.bind(name, schema.empty_table())
        elif self._lake.is_local:
            self.read(name, name, [unquote(file) for file in files])  # Delta writes blanks as in a URL, in paths too
        else:
            self._connection.register(name, handle.to_pyarrow_dataset())
            self._bound.add(name)


def folder_of(handle: DeltaTable) -> Path:
    """Where a local table lies."""
    uri = handle.table_uri
    return Path(unquote(urlsplit(uri).path) if uri.startswith("file://") else uri)
