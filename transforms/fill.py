"""A table by day that is made from nothing: the rows of a month of events after another (``spans.prepare_part``).

What a part made waits in the engine until the next part is known, which takes some of it back: a session that goes on, or a
day of the zone that lies in both. So hardly a leaf is written twice. Rows that reach further back, before what waits, go the
way of a repair.

    fill      what is before the part's month is written, the rest waits
    finish    the rest is written, too
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from sql.loader import Query
from transforms.draft import Draft
from transforms.engine import Engine, columns
from transforms.leaf_writer import LeafWriter

_EVER: Final = date.max


class Filling(Draft):
    """A draft without a row, of a table by day."""

    def __init__(self, engine: Engine, query: Query, *, leaf_rows: int) -> None:
        self._waiting = ""  # a query for the rows that wait
        self._since: date | None = None  # the day before which no row waits
        self._round = 0
        super().__init__(engine, query, None, leaf_rows=leaf_rows)

    def fill(
        self, gone: str, text: str, params: Mapping[str, object], month: str, made: Callable[[], object] = lambda: None
    ) -> None:
        """Takes out the rows equal to those of ``gone`` on the grain and adds those of a query, made of a month's events.

        ``base.<table>`` has them so from here on; ``went_<table>``, ``came_<table>`` and ``changed_<table>`` tell them until
        the next time. ``made`` is called as soon as nothing more is read of ``gone`` or by the query.
        """
        went, came, changed = self._names
        names = columns(self._schema.names)
        self._round += 1
        fresh = f"base.{self._stage('fresh')}"
        self._keep(went, gone)
        self._keep(fresh, f"(\n{text}\n)", params=params)
        made()
        self._refuse_nulls(fresh)
        self._engine.view(came, f"from {fresh}")
        self._engine.view(changed, f"select {names} from {went} union all select {names} from {fresh}")
        if self._since is not None:
            self._mend(went, fresh)
        self._turn(went, fresh, date.fromisoformat(f"{month}-01"))

    def finish(self) -> None:
        """Writes whatever waits."""
        if self._waiting:
            self._write_before(_EVER, self._waiting, self._waiting)
        self._let_wait("")
        for number in (0, 1):
            self._forget(number)

    def discard(self) -> None:
        self._let_wait("")
        super().discard()

    def _mend(self, went: str, fresh: str) -> None:
        """Of rows that are written already."""
        early = f"where {self._earlier(self._since)}"
        found = self._engine.table(
            f"(select 1 from {went} {early} limit 1) union all (select 1 from {fresh} {early} limit 1)"
        )
        if found.num_rows:
            self._engine.view("early_went", f"from {went} {early}")
            self._engine.view("early_came", f"from {fresh} {early}")
            self._replace(found.num_rows, "early_went", "early_came")

    def _turn(self, went: str, fresh: str, since: date) -> None:
        """What waits from here on, and the leaves of what need not wait any more."""
        names = columns(self._schema.names)
        come = f"select {names} from {fresh} where not ({self._earlier(self._since)})"
        rows = most = come
        if self._waiting:
            left = self._layout.left_of(self._waiting, went)
            rows, most = f"{left} union all {come}", f"{self._waiting} union all {come}"
        self._write_before(since, rows, most)
        later = f"not ({self._earlier(since)})"
        waiting = f"select {names} from {fresh} where {later}"
        if self._waiting and self._engine.table(f"select 1 from ({self._waiting}) where {later} limit 1").num_rows:
            late = f"base.{self._stage('late')}"
            self._engine.make(late, f"select {names} from ({rows}) where {later}")
            waiting = f"select {names} from {late}"
        self._since = since
        self._let_wait(waiting)
        self._forget((self._round + 1) % 2)  # a month's rows that nobody reads would push others out of memory

    def _write_before(self, until: date, rows: str, most: str) -> None:
        """Adds leaves of the rows of a query before a day; ``most``: a query for all of them and few more."""
        layout, writer = self._layout, LeafWriter(self._engine, self._layout)
        order = columns(dict.fromkeys((layout.key, *layout.grain)))
        for month, count in self._months(most, until):
            within, params = layout.where(month)
            written = writer.write_sorted(month, f"from ({rows}) where {within} order by {order}", params, count)
            self._leaves = sorted([*self._leaves, *written], key=lambda leaf: leaf.place)

    def _months(self, rows: str, until: date) -> list[tuple[str, int]]:
        """Months and how many rows they have. To cut times with a zone is dear, and mostly all are of one month."""
        edges = self._engine.table(
            f'select min("{self._layout.day}") as least, max("{self._layout.day}") as greatest, count(*) as n '
            f"from ({rows}) where {self._earlier(until)}"
        ).to_pylist()[0]
        least, greatest = edges["least"], edges["greatest"]
        if not edges["n"]:
            return []
        if (least.year, least.month) == (greatest.year, greatest.month):
            return [(least.isoformat()[:7], edges["n"])]
        day = f'"{self._layout.day}"' if self._layout.is_date else f'make_timestamp(epoch_us("{self._layout.day}"))'
        counts = self._engine.table(f"""
            select strftime(date_trunc('month', {day}), '%Y-%m') as month, count(*) as n
            from ({rows}) where {self._earlier(until)} group by all order by month
        """)
        return list(zip(counts["month"].to_pylist(), counts["n"].to_pylist(), strict=True))

    def _earlier(self, day: date | None) -> str:
        """A condition on rows."""
        if day is None or day == _EVER:
            return "false" if day is None else "true"
        moment = f"date '{day}'" if self._layout.is_date else f"timestamptz '{day} 00:00:00+00'"
        return f'"{self._layout.day}" < {moment}'

    def _forget(self, number: int) -> None:
        """What an even or odd round made."""
        for what in ("fresh", "late"):
            self._engine.drop(f"base.{what}_{self._table}_{number}")

    def _stage(self, what: str) -> str:
        """A name that the last round's does not have."""
        return f"{what}_{self._table}_{self._round % 2}"

    def _let_wait(self, rows: str) -> None:
        self._waiting = rows
        self._bind()

    def _rows(self) -> str:
        return f"{super()._rows()} union all {self._waiting}" if self._waiting else super()._rows()
