"""Leaves as files: rows in the order of a table's key, cut into files of about as many rows each.

Memory is the engine's: rows never pass through Python. What comes in the place of stored leaves is sorted leaf by leaf (of
neighbours that are too small, a few at a time), what comes where none stands at once, on its way into the files, with spill
(tried: 25 M rows cut by key before the sort read the spilled rows 14 times, no faster).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from transforms.engine import VECTOR, Copied, Engine, columns, parquet
from transforms.leaves import Key, Leaf, Run
from transforms.rewrite import ROW_GROUP
from transforms.tables import TABLES

LEAF: Final = "leaf-"  # how the files begin that are written here

# DuckDB hands sorted rows to its threads 122,880 at a time, and each writes files of its own. Leaves of half as many are cut
# where these end; of another size, two out of three would hold rows of two places, and a key lie in two leaves.
LEAF_ROWS: Final = 61_440


@dataclass(frozen=True)
class Layout:
    """How a table lies in files: below ``folder``, by ``key``, of a table by day (its column ``day``) in months."""

    table: str
    grain: tuple[str, ...]
    key: str
    day: str | None
    folder: Path
    leaf_rows: int

    @property
    def schema(self) -> pa.Schema:
        return TABLES[self.table]

    @property
    def is_date(self) -> bool:
        return self.day is not None and bool(pa.types.is_date(self.schema.field(self.day).type))

    def equal(self, left: str, right: str, names: Iterable[str]) -> str:
        """A condition: two rows have the same values, or none, in these columns."""

        def one(name: str) -> str:
            same = "is not distinct from" if self.schema.field(name).nullable else "="
            return f'{left}."{name}" {same} {right}."{name}"'

        return " and ".join(map(one, names))

    def left_of(self, rows: str, gone: str) -> str:
        """A query for ``rows``, a query, without those that are equal to one of relation ``gone`` on the grain."""
        equal = self.equal("rows", "gone", self.grain)
        names = columns(self.schema.names)
        return f"select {names} from ({rows}) as rows where not exists (select 1 from {gone} as gone where {equal})"

    def where(self, month: str | None, floor: Key | None = None, until: Key | None = None) -> tuple[str, dict[str, object]]:
        """A condition on rows, with its parameters: of this month, with keys from ``floor`` on and before ``until``."""
        parts, params = ["true"], dict[str, object]()
        if month is not None:
            year, number = map(int, month.split("-"))
            since, end = date(year, number, 1), date(year + number // 12, number % 12 + 1, 1)
            params = {"since": since, "end": end} if self.is_date else {"since": _midnight(since), "end": _midnight(end)}
            parts += [f'"{self.day}" >= $since', f'"{self.day}" < $end']
        for name, sign, bound in (("floor", ">=", floor), ("until", "<", until)):
            if bound is not None:
                parts.append(f'"{self.key}" {sign} ${name}')
                params[name] = bound
        return " and ".join(parts), params


class LeafWriter:
    """Writes leaves of one table by an engine; whoever asks for them syncs the files, or removes them."""

    def __init__(self, engine: Engine, layout: Layout) -> None:
        self._engine, self._layout = engine, layout
        self._names = columns(layout.schema.names)
        self._order = columns(dict.fromkeys((layout.key, *layout.grain)))

    def write(self, run: Run, month: str | None, standing: str, gone: str, come: str) -> Iterator[Leaf]:
        """The leaves that come in the place of a run, whose rows are the query ``standing``."""
        coming, params = self._layout.where(month, run.floor, run.until)
        text = f"select {self._names} from {come} where {coming}"
        if not run.leaves:
            count = self._engine.table(f"select count(*) as n from {come} where {coming}", params)["n"][0].as_py()
            yield from self.write_sorted(month, f"{text} order by {self._order}", params, count)
            return
        text += f" union all {self._layout.left_of(standing, gone)} order by {self._order}"
        if self._parts(run.rows) == 1:
            yield from self._write_leaves(month, text, params, ROW_GROUP)
        else:
            yield from self._write_counted(month, text, params)

    def write_sorted(self, month: str | None, text: str, params: Mapping[str, object], count: int) -> Iterator[Leaf]:
        """Leaves of a query's ``count`` rows, or a few less, that are sorted on the way into them."""
        parts = self._parts(count)
        if parts > 1 and self._layout.leaf_rows < VECTOR:
            yield from self._write_counted(month, text, params)
        elif parts:
            yield from self._write_leaves(
                month, text, params, ROW_GROUP if parts == 1 else self._layout.leaf_rows, parts > 1
            )

    def _parts(self, count: int) -> int:
        """Over how many leaves so many rows are spread."""
        return min(count, 1) if count <= self._layout.leaf_rows * 3 // 2 else -(-count // self._layout.leaf_rows)

    def _write_counted(self, month: str | None, text: str, params: Mapping[str, object]) -> Iterator[Leaf]:
        """Leaves of a query's rows, sorted first, that are cut anywhere."""
        count = self._engine.make("leaf_rows", text, params)
        parts = self._parts(count)
        for part in range(parts):
            first, last = part * count // parts, (part + 1) * count // parts
            rows = f"select {self._names} from leaf_rows where rowid >= {first} and rowid < {last}"
            yield from self._write_leaves(month, rows, {}, ROW_GROUP)
        self._engine.drop("leaf_rows")

    def _write_leaves(
        self, month: str | None, text: str, params: Mapping[str, object], row_group: int, many: bool = False
    ) -> Iterator[Leaf]:
        """A leaf of sorted rows, or ``many``, each of a row group."""
        root = self._layout.folder
        folder = root if month is None else root / f"month={month}"
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
        key = self._layout.key
        if pa.types.is_integer(self._layout.schema.field(key).type):
            told = written.told[f'"{key}"']
            return int(told["min"]), int(told["max"])
        edges = f'select min("{key}") as low, max("{key}") as high from {parquet([str(written.file)])}'
        found = self._engine.table(edges)
        return found["low"][0].as_py(), found["high"][0].as_py()


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
