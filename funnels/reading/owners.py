"""Whose the rows of a row group are, kept: a look at ``who`` for each of them costs as much as all else that is done to it.

What is kept was told by the table of a build, and files never change. So it also serves a question for which changes since
are laid over that table: rows of nobody, and of people whom the changes touch, are looked up anew (``gather.take``).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from funnels.kernel import Codes
from funnels.kernel.words import Ints, compiled
from funnels.reading.scan import Kept, Rows
from funnels.reading.who import INTERNAL, NOBODY, Who, find_values

INSIDER: Final = 1 << 30
"""The bit of an internal actor's rows, beside the number of the person."""
_KEPT_BYTES: Final = 64 << 20


def owners(known: Who, rows: Rows) -> Codes:
    """By row: the number of its person, with ``INSIDER``; NOBODY. By the table that ``known`` is laid over, if any."""
    base = known.base or known
    key = f"{base.number}\n{rows.key}"
    found = _KEPT.get(key)
    if found is None:
        values = np.empty(rows.actors.size, np.int64)
        find_values(base.slots, base.shift, rows.actors, rows.actors.size, values)
        found = np.empty(values.size, np.int32)
        _pack(values, found)
        _KEPT.put(key, found)
    return found


def forget() -> None:
    """Keep nothing: for measuring."""
    _KEPT.clear()


@compiled
def _pack(values: Ints, found: Codes) -> None:
    for i in range(values.size):
        value = values[i]
        found[i] = NOBODY if value < 0 else value | INSIDER if value >= INTERNAL else value


_KEPT: Final = Kept[Codes](_KEPT_BYTES, lambda codes: codes.nbytes + 200)
