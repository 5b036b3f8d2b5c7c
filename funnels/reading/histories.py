"""What was known of people or of accounts at a time: the values of one trait by their numbers, in order of time.

Read once per question from the calls that tell the trait (``traits_then``), instead of being joined to every event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from funnels.filter_sql import Compiler, Parameters, then_relation
from funnels.filters import Condition
from funnels.kernel import Ints
from funnels.kernel.words import compiled
from funnels.reading.codes import MISSING, Codes, Value, encoded
from funnels.reading.traits_then import history
from transforms.engine import Engine


@dataclass(frozen=True)
class History:
    """From ``first[subject]`` on: since when each of ``codes`` held."""

    first: Ints
    since: Ints
    codes: Codes
    values: Sequence[Value]

    def at(self, subjects: Ints, times: Ints) -> Codes:
        """The code of each one's value at a time; MISSING where there was none, and of nobody (-1)."""
        found = np.full(subjects.size, MISSING, np.int32)
        _latest(subjects, times, self.first, self.since, self.codes, found)
        return found


Numbers = Callable[[pa.Array], Codes]  # of subjects by their ids


def history_of(engine: Engine, name: str, codes: Numbers, count: int, zone: ZoneInfo) -> History:
    """``name``: ``person.plan``; ``codes``: numbers below ``count``."""
    parameters = Parameters()
    rows = _told(engine, Compiler(parameters, zone).value(name), _calls(name, parameters), parameters)
    told, values = encoded(rows["value"])
    return _ordered(rows, told, values, codes, count)


def told_then(engine: Engine, one: Condition, codes: Numbers, count: int, zone: ZoneInfo) -> tuple[History, bool]:
    """Since when a condition held (code 1) or not (0), and what it says where nothing was known."""
    parameters = Parameters()
    true = Compiler(parameters, zone).all_of([one])
    calls = _calls(one.property, parameters)
    rows = _told(engine, true, calls, parameters)
    nobody = f"select {true} as true from (select 1) left join {calls} on false"
    default = bool(engine.table(nobody, parameters.values)["true"][0].as_py())
    return _ordered(rows, rows["value"].to_numpy().astype(np.int32), (False, True), codes, count), default


def _told(engine: Engine, expression: str, calls: str, parameters: Parameters) -> pa.Table:
    return engine.table(f"select subject, epoch_us(since) as since, {expression} as value from {calls}", parameters.values)


def _calls(name: str, parameters: Parameters) -> str:
    root, key = name.split(".")[:2]
    return f"({history(root, key, parameters)}) as {then_relation(root, key)}"


def _ordered(rows: pa.Table, told: Codes, values: Sequence[Value], codes: Numbers, count: int) -> History:
    subjects, since = codes(rows["subject"].combine_chunks()), rows["since"].to_numpy()
    order = np.lexsort((since, subjects))
    order = order[subjects[order] >= 0]
    first = np.searchsorted(subjects[order], np.arange(count + 1)).astype(np.int64)
    return History(first, since[order].astype(np.int64), told[order], values)


@compiled
def _latest(subjects: Ints, times: Ints, first: Ints, since: Ints, codes: Codes, found: Codes) -> None:
    for i in range(subjects.size):
        if subjects[i] >= 0:
            low, high = first[subjects[i]], first[subjects[i] + 1]
            while low < high:
                middle = (low + high) >> 1
                if since[middle] <= times[i]:
                    low = middle + 1
                else:
                    high = middle
            if low > first[subjects[i]]:
                found[i] = codes[low - 1]
