"""A stored table under repair: leaves of the version in force, some replaced. Nobody sees it before it is committed.

On disk: ``<table>/leaf-<id>.parquet``, of a table by day ``<table>/month=2026-03/leaf-<id>.parquet`` (UTC month of its
time or date column); of leaves that were written at once the id ends with their number. A leaf holds some 65,536 rows in
the order of the table's key, then its grain; the log of the table tells the least and the greatest key of each.

    replace   Finds the leaves whose rows go or come, and writes them anew without what goes and with what comes, cut so that
              leaves grow and shrink within bounds. Every other leaf stays as it is, on disk and in the log.
    commit    Syncs what was written, then makes one commit: in the place of whatever stands, exactly these leaves.
    discard   Removes what was written; who is killed instead leaves files that no version names: the sweep removes them.

Constraints
- Memory is the engine's: rows never pass through Python. Stored leaves are sorted eight at a time, what comes where no
  leaf stands at once, on its way into the files, with spill (tried: 25 M rows cut by key before the sort read the spilled
  rows 14 times, no faster).
- One builder owns a table. Another commit meanwhile (a vacuum; a build that lost its lease) makes the commit look again:
  what it leaves is these leaves and no others, as a replacement of the whole would.
- A key may lie in two neighbouring leaves. What goes is looked for in both, what comes goes to the second.
- Delta cannot change the partitions of a table and add files in one commit: a table whose layout does not fit is emptied
  first. Nobody reads that version, a manifest names the one before or the one after.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from sql.loader import Query
from transforms.engine import VECTOR, Copied, Engine, columns, parquet
from transforms.errors import ModelFailed
from transforms.leaves import Key, Leaf, Run, floors, runs, stored
from transforms.rewrite import ROW_GROUP, sync, upload
from transforms.tables import TABLES

LEAF: Final = "leaf-"  # how the files begin that are written here
LEAF_ROWS: Final = 65_536
_RUN: Final = 8  # stored leaves whose rows are sorted together
_ATTEMPTS: Final = 30
_PAUSE: Final = 0.05  # seconds


class Draft:
    """Opens ``query``'s table at a version of the engine's project, as ``base.<table>``; None: without a row.

    ``fits`` is false of a stored table with another schema or other partitions: it begins without a row, to be made anew.
    """

    def __init__(self, engine: Engine, query: Query, version: int | None, *, leaf_rows: int = LEAF_ROWS) -> None:
        self._engine, self._lake, self._table, self._leaf_rows = engine, engine.lake, query.name, leaf_rows
        self._uri = self._lake.uri(engine.project, self._table)
        self._schema = TABLES[query.name]
        self._types = engine.types(self._schema)
        self._grain, self._key = query.grain, query.subject or query.grain[0]
        self._day = query.moment
        self._folder = Path(self._uri) if self._lake.is_local else engine.scratch / self._table  # where leaves are written
        self._version = version
        self._handle = None if version is None else self._lake.open(engine.project, self._table, version)
        found = stored(self._handle, self._key) if self._handle is not None and self._laid_out(self._handle) else None
        self.fits = self._handle is None or found is not None
        self._leaves = found or []
        self._before = frozenset(self._leaves)
        self._bind()

    @property
    def rows(self) -> int:
        return sum(leaf.rows for leaf in self._leaves)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """By month and key."""
        return tuple(self._leaves)

    def repair(self, old: str, made: str) -> int:
        """Puts the rows of relation ``made`` in the place of those of ``old``; how many rows went and came.

        Rows that both have are left alone. The others, gone and come, are the relation ``changed_<table>`` until the end of
        the draft. Raises ``ModelFailed`` where ``made`` does not fit the table.
        """
        gone, come, changed = self._names
        names = columns(self._schema.names)
        count = self._keep(come, made, old) + self._keep(gone, old, made)
        self._engine.view(changed, f"select {names} from {gone} union all select {names} from {come}")
        self._replace(count, gone, come)
        return count

    def replace(self, gone: str, come: str) -> int:
        """Removes the rows equal to those of ``gone`` on the grain and adds those of ``come``, both relations of full rows.

        Returns how many rows are in the two. ``base.<table>`` has them so from here on.
        """
        went, came, _ = self._names
        count = self._keep(came, come) + self._keep(went, gone)
        self._replace(count, went, came)
        return count

    def commit(self) -> int | None:
        """The version that holds the draft: the one it began with where nothing changed. Raises what the store raises."""
        if self._version is None or not self.fits or frozenset(self._leaves) != self._before:
            if self._lake.version(self._engine.project, self._table) is None:
                self._create()
            self._settle()
            self._version, self.fits, self._before = self._swap(), True, frozenset(self._leaves)
        self._let_go()
        return self._version

    def discard(self) -> None:
        """Removes what was written since the last commit, and is the version in force again."""
        written = [leaf for leaf in self._leaves if leaf not in self._before]
        self._leaves = sorted(self._before, key=lambda leaf: leaf.place)
        self._bind()
        self._let_go()
        _remove(written)

    # What goes and comes

    @property
    def _names(self) -> tuple[str, str, str]:
        return f"went_{self._table}", f"came_{self._table}", f"changed_{self._table}"

    def _keep(self, name: str, rows: str, others: str | None = None, *, params: Mapping[str, object] | None = None) -> int:
        """Keeps ``rows`` in the table's types under a name, less those that ``others`` has as well."""
        cast = ", ".join(
            f'cast(rows."{column}" as {kind}) as "{column}"'
            for column, kind in zip(self._schema.names, self._types, strict=True)
        )
        equal = self._equal("rows", "others", self._schema.names)
        apart = f"where not exists (select 1 from {others} as others where {equal})" if others else ""
        try:
            return self._engine.make(name, f"select {cast} from {rows} as rows {apart}", params)
        except Exception as error:
            raise ModelFailed(self._table, error) from error

    def _let_go(self) -> None:
        for name in reversed(self._names):
            self._engine.drop(name)

    def _equal(self, left: str, right: str, names: Iterable[str]) -> str:
        def one(name: str) -> str:
            same = "is not distinct from" if self._schema.field(name).nullable else "="
            return f'{left}."{name}" {same} {right}."{name}"'

        return " and ".join(map(one, names))

    def _refuse_nulls(self, rows: str) -> None:
        must = [field.name for field in self._schema if not field.nullable]
        empty = self._engine.table(
            "select " + ", ".join(f'count(*) - count("{name}") as "{name}"' for name in must) + f" from {rows}"
        )
        if faults := [f"{name} is empty in {number} rows" for name, number in empty.to_pylist()[0].items() if number]:
            raise ModelFailed(self._table, ValueError("; ".join(faults)))

    # The leaves

    def _replace(self, count: int, gone: str, come: str) -> None:
        if not count:
            return
        self._refuse_nulls(come)
        replaced: list[Leaf] = []
        written: list[Leaf] = []
        try:
            for month in self._months(gone, come):
                for run in self._runs(month, gone, come):
                    replaced += run.leaves
                    written += self._write(run, month, gone, come)
        except BaseException:
            _remove(written)
            raise
        left = set(replaced)
        self._leaves = sorted([leaf for leaf in self._leaves if leaf not in left] + written, key=lambda leaf: leaf.place)
        self._bind()
        _remove(leaf for leaf in replaced if leaf not in self._before)

    def _months(self, gone: str, come: str) -> list[str | None]:
        if self._day is None:
            return [None]
        # Microseconds first: to cut a time with a zone costs ten times as much.
        moment = f'"{self._day}"' if self._is_date else f'make_timestamp(epoch_us("{self._day}"))'
        months = " union ".join(f"select date_trunc('month', {moment}) as month from {rows}" for rows in (gone, come))
        found = self._engine.table(f"select strftime(month, '%Y-%m') as month from ({months}) order by month")
        return list(found["month"].to_pylist())

    def _runs(self, month: str | None, gone: str, come: str) -> list[Run]:
        leaves = [leaf for leaf in self._leaves if leaf.month == month]
        if not leaves:
            return [Run((), None, None)]
        where, params = self._where(month, None, None)
        low, high, begin = ([leaf.low for leaf in leaves], [leaf.high for leaf in leaves], floors(leaves))
        numbers = pa.array(range(len(leaves)))
        self._engine.bind("leaves", pa.table({"leaf": numbers, "low": low, "high": high}))
        self._engine.bind("floors", pa.table({"floor": [floor for floor, _ in begin], "leaf": [leaf for _, leaf in begin]}))
        going = f'{gone} as rows join leaves on rows."{self._key}" between leaves.low and leaves.high'
        coming = f'{come} as rows asof join floors on rows."{self._key}" >= floors.floor'
        gains, losses = (
            self._engine.table(f"select leaf, count(*) as n from {joined} where {where} group by leaf", params).to_pylist()
            for joined in (coming, going)
        )
        return runs(
            leaves,
            {row["leaf"]: row["n"] for row in losses},
            {row["leaf"]: row["n"] for row in gains},
            self._leaf_rows,
            _RUN,
        )

    def _write(self, run: Run, month: str | None, gone: str, come: str) -> Iterator[Leaf]:
        """The leaves that come in the place of a run."""
        names, order = columns(self._schema.names), columns(dict.fromkeys((self._key, *self._grain)))
        coming, params = self._where(month, run.floor, run.until)
        text = f"select {names} from {come} where {coming}"
        if run.leaves:
            equal = self._equal("rows", "gone", self._grain)
            text += f""" union all
                select {names} from ({self._rows_of(run.leaves)}) as rows
                where not exists (select 1 from {gone} as gone where {equal})"""
            yield from self._write_counted(month, f"{text} order by {order}", params)
        else:
            count = self._engine.table(f"select count(*) as n from {come} where {coming}", params)["n"][0].as_py()
            yield from self._write_sorted(month, f"{text} order by {order}", params, count)

    def _parts(self, count: int) -> int:
        """Over how many leaves so many rows are spread."""
        return min(count, 1) if count <= self._leaf_rows * 3 // 2 else -(-count // self._leaf_rows)

    def _write_sorted(self, month: str | None, text: str, params: Mapping[str, object], count: int) -> Iterator[Leaf]:
        """Leaves of a query's ``count`` rows, or a few less, that are sorted on the way into them."""
        parts = self._parts(count)
        if parts > 1 and self._leaf_rows < VECTOR:
            yield from self._write_counted(month, text, params)
        elif parts:
            yield from self._write_leaves(month, text, params, ROW_GROUP if parts == 1 else -(-count // parts), parts > 1)

    def _write_counted(self, month: str | None, text: str, params: Mapping[str, object]) -> Iterator[Leaf]:
        """Leaves of a query's rows, sorted first, that are cut anywhere."""
        names, count = columns(self._schema.names), self._engine.make("leaf_rows", text, params)
        parts = self._parts(count)
        for part in range(parts):
            first, last = part * count // parts, (part + 1) * count // parts
            rows = f"select {names} from leaf_rows where rowid >= {first} and rowid < {last}"
            yield from self._write_leaves(month, rows, {}, ROW_GROUP)
        self._engine.drop("leaf_rows")

    def _write_leaves(
        self, month: str | None, text: str, params: Mapping[str, object], row_group: int, many: bool = False
    ) -> Iterator[Leaf]:
        """A leaf of sorted rows, or ``many``, each of a row group."""
        folder = self._folder if month is None else self._folder / f"month={month}"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{LEAF}{uuid.uuid4().hex}"
        if many:
            written = self._engine.copy(text, folder, row_group, params, stem=name)
        else:
            written = self._engine.copy(text, folder / f"{name}.parquet", row_group, params)
        for one in written:
            if not one.rows:
                one.file.unlink()
                continue
            low, high = self._edges(one)
            path = one.file.name if month is None else f"month={month}/{one.file.name}"
            yield Leaf(path, month, one.rows, low, high, one.size, folder / one.file.name)

    def _edges(self, written: Copied) -> tuple[Key, Key]:
        """The least and the greatest key of a file."""
        if pa.types.is_integer(self._schema.field(self._key).type):
            told = written.told[f'"{self._key}"']
            return int(told["min"]), int(told["max"])
        edges = f'select min("{self._key}") as low, max("{self._key}") as high from {parquet([str(written.file)])}'
        found = self._engine.table(edges)
        return found["low"][0].as_py(), found["high"][0].as_py()

    def _where(self, month: str | None, floor: Key | None, until: Key | None) -> tuple[str, Mapping[str, object]]:
        """A condition on rows, with its parameters: of this month, with keys from ``floor`` on and before ``until``."""
        parts, params = ["true"], dict[str, object]()
        if month is not None:
            year, number = map(int, month.split("-"))
            since, end = date(year, number, 1), date(year + number // 12, number % 12 + 1, 1)
            params = {"since": since, "end": end} if self._is_date else {"since": _midnight(since), "end": _midnight(end)}
            parts += [f'"{self._day}" >= $since', f'"{self._day}" < $end']
        for name, sign, bound in (("floor", ">=", floor), ("until", "<", until)):
            if bound is not None:
                parts.append(f'"{self._key}" {sign} ${name}')
                params[name] = bound
        return " and ".join(parts), params

    @property
    def _is_date(self) -> bool:
        return self._day is not None and bool(pa.types.is_date(self._schema.field(self._day).type))

    # What is stored

    def _bind(self) -> None:
        self._engine.view(f"base.{self._table}", self._rows())

    def _rows(self) -> str:
        """A query for all rows."""
        return self._rows_of(self._leaves)

    def _rows_of(self, leaves: Sequence[Leaf]) -> str:
        """A query for the rows of some leaves, wherever they lie."""
        names = columns(self._schema.names)
        files = [leaf.fresh or self._folder / leaf.path for leaf in leaves if leaf.fresh or self._lake.is_local]
        away = {leaf.path for leaf in leaves if not leaf.fresh} if not self._lake.is_local else set()
        parts = [f"select {names} from {parquet(map(str, files))}"] if files else []
        if away and self._handle is not None:
            name = f"{self._table}_{uuid.uuid4().hex}"
            self._engine.bind_files(name, self._handle, away)
            parts.append(f'select {names} from base."{name}"')
        if not parts:
            nothing = ", ".join(
                f'cast(null as {kind}) as "{name}"' for name, kind in zip(self._schema.names, self._types, strict=True)
            )
            return f"select {nothing} where false"
        return " union all ".join(parts)

    @property
    def _partitions(self) -> list[str]:
        return ["month"] if self._day else []

    @property
    def _stored_schema(self) -> pa.Schema:
        return self._schema.append(pa.field("month", pa.string())) if self._day else self._schema

    def _laid_out(self, handle: DeltaTable) -> bool:
        return (
            handle.schema() == Schema.from_arrow(self._stored_schema)
            and handle.metadata().partition_columns == self._partitions
        )

    def _settle(self) -> None:
        """Whatever was written is on disk, or in the store, when this returns."""
        fresh = [(leaf, leaf.fresh) for leaf in self._leaves if leaf.fresh and leaf not in self._before]
        for leaf, file in fresh:
            if self._lake.is_local:
                sync(file)
            else:
                upload(self._lake, self._uri, file, leaf.path)
        if fresh and self._lake.is_local:
            for folder in {file.parent for _, file in fresh} | {self._folder}:
                sync(folder)

    def _swap(self) -> int:
        """Makes these leaves the whole of the table; the version that has it so."""
        kept = {leaf.path: leaf for leaf in self._leaves}
        for _ in range(_ATTEMPTS):
            handle = self._lake.open(self._engine.project, self._table)
            if handle is None:
                break
            now = int(time.time() * 1000)
            try:
                if not self._laid_out(handle):
                    write_deltalake(
                        handle,
                        self._stored_schema.empty_table(),
                        mode="overwrite",
                        schema_mode="overwrite",
                        partition_by=self._partitions or None,
                    )
                    continue
                standing = _standing(handle)
                if handle.version() and standing.keys() == kept.keys():  # went through, though it seemed to fail
                    return handle.version()
                added = [_add(leaf, self._key, now) for path, leaf in kept.items() if path not in standing]
                removed = [
                    RemoveAction(path, True, now, size, partition)
                    for path, (size, partition) in standing.items()
                    if path not in kept
                ]
                once = CommitProperties(max_commit_retries=0, custom_metadata={"jcurve": "build"})
                handle.create_write_transaction(
                    [*added, *removed], "append", handle.schema(), self._partitions, commit_properties=once
                )
            except CommitFailedError:
                time.sleep(random.uniform(0, _PAUSE))
            else:
                return handle.version() + 1
        raise CommitFailedError(f"table {self._table!r} is committed to by others all the time; build again")

    def _create(self) -> None:
        DeltaTable.create(
            self._uri,
            Schema.from_arrow(self._stored_schema),
            mode="ignore",
            partition_by=self._partitions or None,
            storage_options=dict(self._lake.storage) or None,
        )


def _standing(handle: DeltaTable) -> dict[str, tuple[int, dict[str, str | None]]]:
    """Size and partition of each file of a version."""
    told = pa.table(handle.get_add_actions(flatten=True))
    months = told["partition.month"].to_pylist() if "partition.month" in told.column_names else None
    found = zip(told["path"].to_pylist(), told["size_bytes"].to_pylist(), strict=True)
    return {path: (size, {"month": months[number]} if months else {}) for number, (path, size) in enumerate(found)}


def _add(leaf: Leaf, key: str, now: int) -> AddAction:
    stats = {"numRecords": leaf.rows, "minValues": {key: leaf.low}, "maxValues": {key: leaf.high}, "nullCount": {key: 0}}
    return AddAction(leaf.path, leaf.size, {"month": leaf.month} if leaf.month else {}, now, True, json.dumps(stats))


def _remove(leaves: Iterable[Leaf]) -> None:
    for leaf in leaves:
        if leaf.fresh:
            leaf.fresh.unlink(missing_ok=True)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
