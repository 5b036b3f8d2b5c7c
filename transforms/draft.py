"""A stored table under repair: leaves of the version in force, some replaced. Nobody sees it before it is committed.

On disk: ``<table>/leaf-<id>.parquet``, of a table by day ``<table>/month=2026-03/leaf-<id>.parquet`` (UTC month of its
time or date column); of leaves that were written at once the id ends with their number. A leaf holds some 61,440 rows in
the order of the table's key, then its grain; the log of the table tells the least and the greatest key of each.

    replace   Finds the leaves whose rows go or come, and writes them anew without what goes and with what comes, cut so that
              leaves grow and shrink within bounds. Every other leaf stays as it is, on disk and in the log.
    commit    Syncs what was written, then makes one commit: in the place of whatever stands, exactly these leaves.
    discard   Removes what was written; who is killed instead leaves files that no version names: the sweep removes them.

Constraints
- Beside a build's other work (``behind.py``) leaves are written of what a repair moves. Until they are there, the table
  is what stands without what goes and with what comes: a query of it, whose rows are the same.
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
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path
from typing import Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from sql.loader import Query
from transforms.behind import Behind
from transforms.engine import Engine, columns, parquet
from transforms.errors import ModelFailed
from transforms.leaf_writer import LEAF_ROWS, Layout, LeafWriter
from transforms.leaves import Leaf, Run, floors, runs, stored
from transforms.rewrite import sync, upload
from transforms.tables import TABLES

_RUN: Final = 8  # stored leaves whose rows are sorted together, at most
_BEHIND: Final = 1_000_000  # rows that go and come, at most, while others go on: they wait in memory
_ATTEMPTS: Final = 30
_PAUSE: Final = 0.05  # seconds


class Draft:
    """Opens ``query``'s table at a version of the engine's project, as ``base.<table>``; None: without a row.

    ``fits`` is false of a stored table with another schema or other partitions: it begins without a row, to be made anew.
    """

    def __init__(
        self,
        engine: Engine,
        query: Query,
        version: int | None,
        *,
        leaf_rows: int = LEAF_ROWS,
        behind: Behind | None = None,
    ) -> None:
        self._engine, self._lake, self._table = engine, engine.lake, query.name
        self._uri = self._lake.uri(engine.project, self._table)
        self._schema = TABLES[query.name]
        self._types = engine.types(self._schema)
        folder = Path(self._uri) if self._lake.is_local else engine.scratch / self._table  # where leaves are written
        self._layout = Layout(query.name, query.grain, query.subject or query.grain[0], query.moment, folder, leaf_rows)
        self._behind = behind if self._lake.is_local else None
        self._writing: Future[list[Leaf]] | None = None  # leaves in the place of those that ``_leaves`` lacks
        self._outlived: list[Leaf] = []  # of these the ones that nobody needs then
        self._version = version
        self._handle = None if version is None else self._lake.open(engine.project, self._table, version)
        found = stored(self._handle, self._layout.key) if self._handle is not None and self._laid_out(self._handle) else None
        self.fits = self._handle is None or found is not None
        self._leaves = found or []
        self._before = frozenset(self._leaves)
        self._bind()

    @property
    def rows(self) -> int:
        self.settle()
        return sum(leaf.rows for leaf in self._leaves)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """By month and key."""
        self.settle()
        return tuple(self._leaves)

    def repair(self, old: str, made: str) -> int:
        """Puts the rows of relation ``made`` in the place of those of ``old``; how many rows went and came.

        Rows that both have are left alone. The others, gone and come, are the relation ``changed_<table>`` until the end of
        the draft. Raises ``ModelFailed`` where ``made`` does not fit the table.
        """
        self.settle()
        gone, come, changed = self._names
        names = columns(self._schema.names)
        is_new = not self._leaves
        count = self._keep(come, made, old) + self._keep(gone, old, made)
        self._engine.view(changed, f"select {names} from {gone} union all select {names} from {come}")
        self._replace(count, gone, come)
        if count and is_new:  # all that came is all there is, and need not be kept twice
            self._engine.view(come, f"from base.{self._table}")
        return count

    def replace(self, gone: str, come: str) -> int:
        """Removes the rows equal to those of ``gone`` on the grain and adds those of ``come``, both relations of full rows.

        Returns how many rows are in the two. ``base.<table>`` has them so from here on.
        """
        self.settle()
        went, came, _ = self._names
        count = self._keep(came, come) + self._keep(went, gone)
        self._replace(count, went, came)
        return count

    def settle(self) -> None:
        """Waits for the leaves that are being written; raises what kept them from it."""
        if self._writing is not None:
            self._leaves = sorted([*self._leaves, *self._writing.result()], key=lambda leaf: leaf.place)
            self._writing = None
            self._bind()
            _remove(self._outlived)
            self._outlived = []

    def commit(self) -> int | None:
        """The version that holds the draft: the one it began with where nothing changed. Raises what the store raises."""
        self.settle()
        if self._version is None or not self.fits or frozenset(self._leaves) != self._before:
            if self._lake.version(self._engine.project, self._table) is None:
                self._create()
            self._sync()
            self._version, self.fits, self._before = self._swap(), True, frozenset(self._leaves)
        self._let_go()
        return self._version

    def discard(self) -> None:
        """Removes what was written since the last commit, and is the version in force again."""
        if self._writing is not None:
            with suppress(Exception, CancelledError):  # it removes what it wrote
                self.settle()
            self._writing = None
        _remove(self._outlived)
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
        equal = self._layout.equal("rows", "others", self._schema.names)
        apart = f"where not exists (select 1 from {others} as others where {equal})" if others else ""
        try:
            return self._engine.make(name, f"select {cast} from {rows} as rows {apart}", params)
        except Exception as error:
            raise ModelFailed(self._table, error) from error

    def _let_go(self) -> None:
        for name in reversed(self._names):
            self._engine.drop(name)

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
        found = self._runs(gone, come)
        replaced = {leaf for _, run in found for leaf in run.leaves}
        if self._behind is not None and count <= _BEHIND and replaced:
            self._write_behind(self._behind, found, gone, come)
            written = []
        else:
            written = self._written(self._engine, found, gone, come)
        self._leaves = sorted([*(set(self._leaves) - replaced), *written], key=lambda leaf: leaf.place)
        self._bind(replaced if self._writing else ())
        if not self._writing:
            _remove(replaced - self._before)

    def _write_behind(self, behind: Behind, found: Sequence[tuple[str | None, Run]], gone: str, come: str) -> None:
        """Begins to write the leaves; until they are there, ``base.<table>`` tells their rows by what goes and comes."""
        sides = {"gone_rows": gone, "come_rows": come}
        moved = {name: self._engine.table(f"from {rows}") for name, rows in sides.items()}
        names = {name: f"{name}_{self._table}" for name in sides}
        self._outlived = [leaf for _, run in found for leaf in run.leaves if leaf not in self._before]

        def work(engine: Engine) -> list[Leaf]:
            for name, rows in moved.items():
                engine.bind(names[name], rows)
            written = self._written(engine, found, names["gone_rows"], names["come_rows"])
            for name in names.values():
                engine.bind(name, self._schema.empty_table())
            return written

        self._writing = behind.begin(work)

    def _written(self, engine: Engine, found: Sequence[tuple[str | None, Run]], gone: str, come: str) -> list[Leaf]:
        """The leaves in the place of runs, each with its month."""
        writer = LeafWriter(engine, self._layout)
        written: list[Leaf] = []
        try:
            for month, run in found:
                written += writer.write(run, month, self._rows_of(run.leaves), gone, come)
        except BaseException:
            _remove(written)
            raise
        return written

    def _runs(self, gone: str, come: str) -> list[tuple[str | None, Run]]:
        """What is to be written anew, by month."""
        months: dict[str, list[int]] = {}
        for number, leaf in enumerate(self._leaves):
            months.setdefault(leaf.month or "", []).append(number)
        losses, gains = self._losses(gone), self._gains(come, months)
        found = []
        for month in sorted({*losses, *gains}):
            numbers = months.get(month, [])
            if not numbers:
                found.append((month or None, Run((), None, None)))
                continue
            lost, gained = ({n - numbers[0]: rows for n, rows in side.get(month, {}).items()} for side in (losses, gains))
            leaves = [self._leaves[number] for number in numbers]
            found += [(month or None, run) for run in runs(leaves, lost, gained, self._layout.leaf_rows, _RUN)]
        return found

    def _losses(self, gone: str) -> dict[str, dict[int, int]]:
        """By month and leaf how many rows may go."""
        kind = self._schema.field(self._layout.key).type
        schema = pa.schema([("leaf", pa.int64()), ("month", pa.string()), ("low", kind), ("high", kind)])
        rows = [
            {"leaf": number, "month": leaf.month or "", "low": leaf.low, "high": leaf.high}
            for number, leaf in enumerate(self._leaves)
        ]
        self._engine.bind("leaves", pa.Table.from_pylist(rows, schema))
        joined = f'leaves on leaves.month = rows.month and rows."{self._layout.key}" between leaves.low and leaves.high'
        return self._by_month(f"select rows.month, leaf from {self._with_month(gone)} join {joined}")

    def _gains(self, come: str, months: Mapping[str, Sequence[int]]) -> dict[str, dict[int, int]]:
        """By month and leaf how many rows come to it; those of a month without leaves to -1."""
        begin = [
            {"month": month, "floor": floor, "leaf": numbers[0] + at}
            for month, numbers in months.items()
            for floor, at in floors([self._leaves[number] for number in numbers])
        ]
        kind = self._schema.field(self._layout.key).type
        schema = pa.schema([("month", pa.string()), ("floor", kind), ("leaf", pa.int64())])
        self._engine.bind("floors", pa.Table.from_pylist(begin, schema))
        joined = f'floors on floors.month = rows.month and rows."{self._layout.key}" >= floors.floor'
        return self._by_month(
            f"select rows.month, coalesce(leaf, -1) as leaf from {self._with_month(come)} asof left join {joined}"
        )

    def _with_month(self, rows: str) -> str:
        """Keys with the month that they lie in; none is an empty text."""
        day, month = self._layout.day, "''"
        if day is not None:  # microseconds first: to cut a time with a zone costs ten times as much
            month = f'"{day}"' if self._layout.is_date else f'make_timestamp(epoch_us("{day}"))'
            month = f"strftime(date_trunc('month', {month}), '%Y-%m')"
        return f'(select "{self._layout.key}", {month} as month from {rows}) as rows'

    def _by_month(self, text: str) -> dict[str, dict[int, int]]:
        counts: dict[str, dict[int, int]] = {}
        for row in self._engine.table(f"select month, leaf, count(*) as n from ({text}) group by all").to_pylist():
            counts.setdefault(row["month"], {})[row["leaf"]] = row["n"]
        return counts

    # What is stored

    def _bind(self, written_anew: Collection[Leaf] = ()) -> None:
        """``written_anew``: leaves in whose place others are being written."""
        text = self._rows()
        if written_anew:
            went, came, _ = self._names
            left = self._layout.left_of(self._rows_of(sorted(written_anew, key=lambda leaf: leaf.place)), went)
            text = f"{text} union all {left} union all select {columns(self._schema.names)} from {came}"
        self._engine.view(f"base.{self._table}", text)

    def _rows(self) -> str:
        """A query for all rows."""
        return self._rows_of(self._leaves)

    def _rows_of(self, leaves: Sequence[Leaf]) -> str:
        """A query for the rows of some leaves, wherever they lie."""
        names = columns(self._schema.names)
        files = [leaf.fresh or self._layout.folder / leaf.path for leaf in leaves if leaf.fresh or self._lake.is_local]
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
        return ["month"] if self._layout.day else []

    @property
    def _stored_schema(self) -> pa.Schema:
        return self._schema.append(pa.field("month", pa.string())) if self._layout.day else self._schema

    def _laid_out(self, handle: DeltaTable) -> bool:
        return (
            handle.schema() == Schema.from_arrow(self._stored_schema)
            and handle.metadata().partition_columns == self._partitions
        )

    def _sync(self) -> None:
        """Whatever was written is on disk, or in the store, when this returns."""
        fresh = [(leaf, leaf.fresh) for leaf in self._leaves if leaf.fresh and leaf not in self._before]
        for leaf, file in fresh:
            if self._lake.is_local:
                sync(file)
            else:
                upload(self._lake, self._uri, file, leaf.path)
        if fresh and self._lake.is_local:
            for folder in {file.parent for _, file in fresh} | {self._layout.folder}:
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
                added = [_add(leaf, self._layout.key, now) for path, leaf in kept.items() if path not in standing]
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
