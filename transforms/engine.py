"""One DuckDB connection over a project's lake tables at given versions, and over whatever relations are bound to it.

Constraints
- A version's files never change, so whoever holds an engine reads one state of each table, whatever is written meanwhile.
- DuckDB takes a list of files in its relation API but fails on an empty one: a table without files is an empty relation of
  its schema. Its own object-store extension cannot be counted on: tables behind a URL are read through pyarrow.
- Times are UTC and rows leave as Arrow. Rows fetched as Python objects would need a time zone package we do not carry.
- Relations lie in the schema ``base``; one of the same name in ``narrow`` hides it from a query that says no schema. So the
  text of a model runs over all rows, or over the few that a repair narrowed its inputs to, as it stands. What is made
  without a schema is temporary and hides both.
- A partition column that a table's schema does not name (``month`` of built tables) is not among its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from pyarrow.dataset import Dataset, dataset, partitioning
from pyarrow.fs import PyFileSystem

from ingest.lake import Lake
from transforms.scratch import Scratch
from transforms.tables import SCHEMAS


@dataclass(frozen=True)
class Limits:
    """What one engine may take. Beyond ``memory`` it spills below ``scratch``, to a folder that goes when it is closed.

    ``seconds``: how long whoever asks may take; it is theirs to keep, with ``Engine.interrupt``.
    """

    memory: str = "2GB"
    threads: int = 2
    scratch: Path | None = None
    seconds: float | None = None


DEFAULT_LIMITS: Final = Limits()
VECTOR: Final = 2_048  # rows that DuckDB handles at once
_LISTED: Final = range(51, 1_001)  # how many numbers are better written out in a query
_AMONG: Final = 16  # how many numbers a scan is to compare each row with, at most


@dataclass(frozen=True)
class Copied:
    """A written file. ``told``: by quoted column name its ``min`` and ``max`` as texts; of long ones the beginning."""

    file: Path
    rows: int
    size: int  # bytes
    told: Mapping[str, Mapping[str, str]]


class Engine:
    """Use as a context manager, from one thread at a time.

    ``versions`` names the lake tables to open; None, or a table that does not exist yet, is an empty relation. DuckDB is
    started by the first that needs it; ``prepare`` then runs before it does.
    """

    def __init__(
        self,
        lake: Lake,
        project: str,
        versions: Mapping[str, int | None],
        limits: Limits = DEFAULT_LIMITS,
        prepare: Callable[[Engine], None] = lambda engine: None,
    ) -> None:
        self.versions = dict(versions)
        self.interrupted = False
        self._lake, self._project = lake, project
        self._limits, self._prepare = limits, prepare
        self._started: duckdb.DuckDBPyConnection | None = None
        self._spilling: Scratch | None = None
        self._bound = set(versions)
        self._kinds: dict[str, str] = {}  # 'table' or 'view', of what make and view made

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._started is None:
            self._started = self._start()
            for name, version in self.versions.items():
                self._open(name, version)
            self._prepare(self)
        return self._started

    @property
    def _spill(self) -> Scratch:
        if self._spilling is None:
            self._spilling = Scratch(self._limits.scratch)
        return self._spilling

    def _start(self) -> duckdb.DuckDBPyConnection:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": self._limits.threads,
            "memory_limit": self._limits.memory,
            "temp_directory": self._spill.name,
            "preserve_insertion_order": False,
        }
        connection = duckdb.connect(":memory:", config=config)
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set parquet_metadata_cache = true")  # hundreds of files, whose footers many queries look at
        connection.execute("create schema base; create schema narrow; set search_path = 'narrow,base'")
        return connection

    @property
    def relations(self) -> frozenset[str]:
        """The names a query may read."""
        return frozenset(self._bound)

    @property
    def lake(self) -> Lake:
        return self._lake

    @property
    def project(self) -> str:
        return self._project

    @property
    def scratch(self) -> Path:
        """A local folder that goes when the engine is closed."""
        return Path(self._spill.name)

    def bind(self, name: str, rows: pa.Table) -> None:
        """Makes ``rows`` a relation of that name, in place of an earlier one."""
        self._register(name, rows, rows.column_names)

    def make(self, name: str, text: str, params: Mapping[str, object] | None = None) -> int:
        """Keeps the rows of a query as a table, in place of an earlier one; returns how many there are.

        A plain name is temporary; ``base.x`` and ``narrow.x`` lie in those schemas. They spill, and end with the engine.
        """
        self._replace_kind(name, "table")
        temporary = "" if "." in name else "temporary "
        made = self._connection.execute(
            f"create or replace {temporary}table {_quoted(name)} as {text}", dict(params) if params else None
        ).fetchone()
        self._bound.add(name.rpartition(".")[2])
        return 0 if made is None else int(made[0])

    def view(self, name: str, text: str) -> None:
        """Gives a query a name, in place of an earlier one; names as of ``make``. It takes no parameters."""
        self._replace_kind(name, "view")
        temporary = "" if "." in name else "temporary "
        self._connection.execute(f"create or replace {temporary}view {_quoted(name)} as {text}")
        self._bound.add(name.rpartition(".")[2])

    def drop(self, name: str) -> None:
        """Forgets what ``make`` or ``view`` made under this name, if anything; what it hid is to be seen again."""
        if kind := self._kinds.pop(name, None):
            self._connection.execute(f"drop {kind} if exists {_quoted(name)}")
            plain = name.rpartition(".")[2]
            if not any(other.rpartition(".")[2] == plain for other in self._kinds):
                self._bound.discard(plain)

    def copy(
        self, text: str, target: Path, row_group: int, params: Mapping[str, object] | None = None, *, stem: str = ""
    ) -> list[Copied]:
        """Writes the rows of a query into a Parquet file, in the order of the query or in which they lie in its table.

        ``stem``: into many files ``<stem>-<n>.parquet`` of the folder ``target`` instead, each of one row group, which has
        ``row_group`` rows, rounded up to ``VECTOR``. The last one may have fewer.
        """
        form = f"format parquet, compression zstd, compression_level 1, row_group_size {row_group}, return_stats"
        if stem:
            form += f", row_groups_per_file 1, filename_pattern '{stem}-{{i}}', overwrite_or_ignore"
        path = str(target).replace("'", "''")
        self._connection.execute("set preserve_insertion_order = true")
        try:
            written = self._connection.execute(f"copy ({text}) to '{path}' ({form})", dict(params) if params else None)
            return [Copied(Path(file), rows, size, told) for file, rows, size, _, told, *_ in written.fetchall()]
        except BaseException:
            for file in target.glob(f"{stem}-*.parquet") if stem else [target]:
                file.unlink(missing_ok=True)
            raise
        finally:
            self._connection.execute("set preserve_insertion_order = false")

    def types(self, schema: pa.Schema) -> list[str]:
        """What DuckDB calls the types of these columns."""
        return [str(kind) for kind in self._connection.from_arrow(schema.empty_table()).types]

    def read(self, name: str, table: str, files: Sequence[str]) -> None:
        """Makes Parquet files of a lake table a relation of that name; ``files`` as paths, or URLs where the lake is."""
        schema = SCHEMAS[table]
        if not files:
            self.bind(name, schema.empty_table())
        elif not self._lake.is_local:
            uri = self._lake.uri(self._project, table)
            paths = [file.removeprefix(f"{uri}/") for file in files]
            self._register(name, self._dataset(uri, paths, schema), schema.names)
        else:
            self.view(f"base.{name}", f"from {parquet(files, 'month' in schema.names)}")

    def table(self, text: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """The rows of one query, in no order but the query's own."""
        return self._connection.sql(text, params=dict(params) if params else None).to_arrow_table()

    def listed(self, column: str, relation: str) -> str:
        """What an ``in (...)`` takes to find the rows of some numbers: a query for these, or the numbers themselves.

        A scan reads the other columns around those rows alone where it is told the numbers. Of a query it is told no more
        than fifty, of more the least and the greatest; written out it is told some hundreds, but a few are no part of the
        scan then. Of 99 M events in processor seconds: 5 ids 2.1 and written out 7, 97 ids 7.9 and written out 2.9.
        """
        found = self.table(f"select distinct {column} from {relation} limit {_LISTED[-1] + 1}")[column].to_pylist()
        return ", ".join(map(str, found)) if len(found) in _LISTED else f"select {column} from {relation}"

    def among(self, column: str, numbers: str, relation: str) -> str:
        """A condition: ``column``, a 64-bit number, is one of the ``numbers`` of a relation; for a scan that finds few rows.

        Where the numbers are few the scan itself looks at each row, and reads the other columns of row groups that have a
        wanted one. Of an ``in (...)`` a Bloom filter tells it, or nothing does: it finds something in nearly all then:
        of 99 M events 13 columns of 4 ids take 0.8 processor seconds so, and 3.4 as ``in (select ...)``.
        """
        found = self.table(f"select distinct {numbers} as number from {relation} limit {_AMONG + 1}")["number"].to_pylist()
        if len(found) not in range(1, _AMONG + 1):
            return f"{column} in (select {numbers} from {relation})"
        return f"list_position([{', '.join(map(str, found))}]::bigint[], {column}) is not null"

    def batches(self, text: str, rows: int, params: Mapping[str, object] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of one query, so many at a time."""
        yield from self._connection.sql(text, params=dict(params) if params else None).to_arrow_reader(rows)

    def bind_files(self, name: str, handle: DeltaTable, paths: Collection[str]) -> None:
        """Makes some files of a table a relation, without its partition column; ``paths`` as the table's log has them."""
        if self._lake.is_local:
            root = folder_of(handle)
            found = parquet([str(root / path) for path in paths], months=False, by_name=True)
            self.view(f"base.{name}", f"from {found}")
        else:
            fields = pa.schema(handle.schema().to_arrow())
            schema = pa.schema([field for field in fields if field.name not in handle.metadata().partition_columns])
            self._register(name, self._dataset(handle.table_uri, list(paths), schema), schema.names)

    def interrupt(self) -> None:
        """From another thread: the query that runs now, if any, ends with ``duckdb.InterruptException``."""
        self.interrupted = True
        if self._started is not None:
            self._started.interrupt()

    def close(self) -> None:
        if self._started is not None:
            self._started.close()
        if self._spilling is not None:
            self._spilling.cleanup()

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
            known = pa.schema([field for field in pa.schema(handle.schema().to_arrow()) if field.name in schema.names])
            paths = [unquote(path) for path in pa.table(handle.get_add_actions())["path"].to_pylist()]
            self._register(name, self._dataset(handle.table_uri, paths, known), known.names)

    def _dataset(self, uri: str, paths: Sequence[str], schema: pa.Schema) -> Dataset:
        """Files of a table behind a URL. Delta's own dataset of them loses every row of a file whose log tells the least and
        the greatest of some columns only, as soon as a query has a condition (tried on deltalake 1.6)."""
        store = PyFileSystem(DeltaStorageHandler(uri, dict(self._lake.storage)))
        parts = partitioning(pa.schema([("month", pa.string())]), flavor="hive") if "month" in schema.names else None
        return dataset(list(paths), schema, "parquet", filesystem=store, partitioning=parts)

    def _register(self, name: str, rows: pa.Table | Dataset, names: Sequence[str]) -> None:
        self._connection.register(f"_arrow_{name}", rows)
        self.view(f"base.{name}", f"select {columns(names)} from {_quoted(f'_arrow_{name}')}")

    def _replace_kind(self, name: str, kind: str) -> None:
        if self._kinds.get(name, kind) != kind:
            self.drop(name)
        self._kinds[name] = kind


def columns(names: Iterable[str]) -> str:
    """Columns as a select lists them."""
    return ", ".join(f'"{name}"' for name in names)


def parquet(files: Iterable[str], months: bool = False, *, by_name: bool = False) -> str:
    """Local files as a relation of a query; ``months``: with the column that their folders are named by."""
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    return f"read_parquet([{listed}], hive_partitioning = {months}, union_by_name = {by_name})"


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def folder_of(handle: DeltaTable) -> Path:
    """Where a local table lies."""
    uri = handle.table_uri
    return Path(unquote(urlsplit(uri).path) if uri.startswith("file://") else uri)
