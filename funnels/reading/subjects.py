"""What the last build knows of people or of accounts, and who of them is in a cohort, by their numbers.

One look at a table of the build tells it of all; joined to events the same took longer than all the rest of a question. What
is told stays true of a version of the table, so it is kept, up to a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from funnels.filter_sql import Compiler, Parameters
from funnels.filters import COHORT, AnyOf, Condition, Filter
from funnels.reading.codes import MISSING, Codes, Value, encoded
from funnels.reading.scan import Kept
from transforms.engine import Engine

Flags = NDArray[np.bool_]

_KEPT_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Table:
    """A table of the build with a row per subject: its name, its key, and what filters call it."""

    name: str
    key: str
    alias: str


PEOPLE: Final = Table("people", "person_id", "person_now")
ACCOUNTS: Final = Table("accounts", "account_id", "account_now")


@dataclass(frozen=True)
class _Told:
    """``default``: of whom the table does not know."""

    ids: pa.Array
    codes: Codes
    values: Sequence[Value]
    default: bool = False

    @property
    def bytes(self) -> int:
        return 500 + int(self.ids.nbytes) + self.codes.nbytes + 100 * len(self.values)


class Subjects:
    """``codes``: the numbers of subjects by their keys, below ``count``; ``cohorts``: by name the table of its members.

    All that is told has one place more, for what nobody did.
    """

    def __init__(
        self,
        engine: Engine,
        table: Table,
        codes: Callable[[pa.Array], Codes],
        count: int,
        cohorts: Mapping[str, str],
        zone: ZoneInfo,
    ) -> None:
        self._engine, self._table, self.codes = engine, table, codes
        self.count, self._cohorts, self._zone = count, cohorts, zone

    def values(self, name: str) -> tuple[Codes, Sequence[Value]]:
        """The code of each one's value, MISSING where it is null; and the values."""
        if name.startswith(COHORT):
            return self._members(name.removeprefix(COHORT)).astype(np.int32), [False, True]
        told = self._told(name, lambda: self._values(name))
        found = np.full(self.count + 1, MISSING, np.int32)
        numbers = self.codes(told.ids)
        found[numbers[numbers >= 0]] = told.codes[numbers >= 0]
        return found, told.values

    def holds(self, where: Sequence[Filter]) -> Flags:
        found = np.ones(self.count + 1, np.bool_)
        for one in where:
            found &= self._holds(one)
        return found

    def _holds(self, one: Filter) -> Flags:
        if isinstance(one, AnyOf):
            found = np.zeros(self.count + 1, np.bool_)
            for item in one.items:
                found |= self._holds(item)
            return found
        if not isinstance(one, Condition):
            return self.holds(one.items)
        if one.property.startswith(COHORT):
            return self._of_members(one)
        told = self._told(f"{one} {self._zone.key}", lambda: self._differing(one))
        found = np.full(self.count + 1, told.default)
        numbers = self.codes(told.ids)
        found[numbers[numbers >= 0]] = not told.default
        return found

    def _told(self, what: str, ask: Callable[[], _Told]) -> _Told:
        version = self._engine.versions.get(self._table.name)
        lake = self._engine.lake
        key = "\n".join((lake.root, self._engine.project, self._table.name, str(version), what))
        found = _KEPT.get(key)
        if found is None:
            found = ask()
            _KEPT.put(key, found)
        return found

    def _values(self, name: str) -> _Told:
        parameters = Parameters()
        value = Compiler(parameters, self._zone).value(name)
        text = f"select {self._table.key} as id, {value} as value from {self._table.name} as {self._table.alias}"
        rows = self._engine.table(f"select * from ({text}) where value is not null", parameters.values)
        codes, values = encoded(rows["value"])
        return _Told(rows["id"].combine_chunks(), codes, values)

    def _differing(self, one: Condition) -> _Told:
        """The ids of those of whom the condition says another thing than of the unknown."""
        parameters = Parameters()
        text, known = Compiler(parameters, self._zone).all_of([one]), f"{self._table.name} as {self._table.alias}"
        nobody = f"select {text} as true from (select 1) left join {known} on false"
        default = bool(self._engine.table(nobody, parameters.values)["true"][0].as_py())
        ids = self._engine.table(
            f"select {self._table.key} as id from {known} where ({text}) <> {str(default).lower()}", parameters.values
        )
        return _Told(ids["id"].combine_chunks(), np.zeros(0, np.int32), (), default)

    def _members(self, name: str) -> Flags:
        found = np.zeros(self.count + 1, np.bool_)
        numbers = self.codes(self._engine.table(f"select id from {self._cohorts[name]}")["id"].combine_chunks())
        found[numbers[numbers >= 0]] = True
        return found

    def _of_members(self, one: Condition) -> Flags:
        name = one.property.removeprefix(COHORT)
        parameters = Parameters()
        text = Compiler(parameters, self._zone, cohorts={name: "item.member"}).all_of([one])
        both = "(values (false), (true)) as item(member)"
        rows = self._engine.table(f"select member, {text} as true from {both}", parameters.values)
        says = {row["member"]: bool(row["true"]) for row in rows.to_pylist()}
        return np.array([says[False], says[True]])[self._members(name).astype(np.int64)]


_KEPT: Final = Kept[_Told](_KEPT_BYTES, lambda told: told.bytes)
