"""Events of one unit at one instant with different values: which comes first is told by their event ids.

Ids are texts, and rows do without them (``tags``). Such units are few, since one moment of one person mostly has one value.
So all are matched as they are, which is right but for the values of witnesses. Where one goes through a moment in doubt, the
ids of rows at such moments are read, and these units, whose rows were put aside, are matched again in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnels.kernel import Codes
from funnels.reading.gather import Ordered
from funnels.reading.parts import Matched, cases_of
from funnels.reading.valued import Values, Which

_PER_ROW: Final = ("masks", "bars", "values", "held", "instants")
_PER_UNIT: Final = ("last_instant", "spent")


def of_units(part: Ordered, units: NDArray[np.intp]) -> Ordered:
    """The rows of these units."""
    kept = np.isin(part.units, units)
    rows = {name: getattr(part, name) for name in _PER_ROW}
    own = {name: getattr(part, name) for name in _PER_UNIT}
    return Ordered(
        units=np.searchsorted(units, part.units[kept]).astype(np.int32),
        times=part.times[kept],
        codes=part.codes[units],
        **{name: one[kept] if one.size else one for name, one in rows.items()},
        **{name: one[units] if one.size else one for name, one in own.items()},
    )


def in_doubt(part: Ordered) -> NDArray[np.intp]:
    """The rows with another value than one before them at the same instant, and maybe more."""
    same = (part.units[1:] == part.units[:-1]) & (part.times[1:] == part.times[:-1])
    return np.flatnonzero(same & (part.values[1:] != part.values[:-1])) + 1


def on_witnesses(aside: Sequence[Ordered], matched: Matched) -> list[Ordered]:
    """The units with a witness that goes through a moment in doubt. Its times are sure, so all others are as they are."""
    owners = [(part.codes[part.units], part.times, in_doubt(part)) for part in aside]
    known = {one for codes, times, rows in owners for one in zip(codes[rows].tolist(), times[rows].tolist(), strict=True)}
    cases = cases_of(matched, np.concatenate([part.codes for part in aside]))
    codes, events = matched.codes[matched.outcome.units[cases]].tolist(), matched.outcome.witness[cases].tolist()
    times = matched.streams.times
    found = [
        code
        for code, rows in zip(codes, events, strict=True)
        if any(row >= 0 and (code, int(times[row])) in known for row in rows)
    ]
    parts = [of_units(part, np.flatnonzero(np.isin(part.codes, found))) for part in aside]
    return [part for part in parts if part.codes.size]


def shared(part: Ordered) -> NDArray[np.intp]:
    """All rows at moments with several."""
    same = (part.units[1:] == part.units[:-1]) & (part.times[1:] == part.times[:-1])
    return np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))


def which(part: Ordered, rows: NDArray[np.intp]) -> Which:
    return Which(part.values[rows], part.codes[part.units[rows]], part.times[rows])


def differing(part: Ordered, values: Values) -> list[Ordered]:
    """The units that have a moment with several values."""
    rows = shared(part)
    found = values.of(which(part, rows))
    same = (part.units[rows[1:]] == part.units[rows[:-1]]) & (part.times[rows[1:]] == part.times[rows[:-1]])
    units = np.unique(part.units[rows[1:]][same & (found[1:] != found[:-1]).any(axis=1)])
    return [of_units(part, units.astype(np.intp))] if units.size else []


def by_ids(aside: Sequence[Ordered], read: Callable[[Codes], pa.Array]) -> Ordered:
    """What was put aside with the rows of each moment in order of their event ids, which ``read`` tells of the numbers of
    rows."""
    firsts = np.cumsum([0, *(part.codes.size for part in aside)])
    units = np.concatenate([part.units + np.int32(first) for part, first in zip(aside, firsts, strict=False)])
    names = ("times", "codes", *_PER_ROW, *_PER_UNIT)
    columns = {name: np.concatenate([getattr(part, name) for part in aside]) for name in names}
    whole = Ordered(units=units.astype(np.int32), **columns)
    rows, ranks = shared(whole), np.zeros(units.size, np.int64)
    ranks[rows] = pc.rank(read(whole.values[rows]), tiebreaker="dense").to_numpy()
    order = np.lexsort((ranks, whole.times, whole.units))
    own = {name: getattr(whole, name) for name in ("units", "times", *_PER_ROW)}
    return replace(whole, **{name: one[order] if one.size else one for name, one in own.items()})


def settle_entries(
    part: Ordered, entry: int, valued: bool, read: Callable[[Codes], pa.Array], *, every: bool = False
) -> None:
    """Puts a moment's rows in order of their event ids, in place, where one may be an entry and they are not all alike.

    ``entry``: the bits of steps that an entry serves; ``valued``: rows that serve the same steps may differ in their values;
    ``read``: the event ids by the numbers of rows, which are ``values``; ``every``: whatever they serve.
    """
    same = (part.units[1:] == part.units[:-1]) & (part.times[1:] == part.times[:-1])
    differ = (part.masks[1:] != part.masks[:-1]) | valued
    if every and part.bars.size:
        differ |= part.bars[1:] != part.bars[:-1]
    units = part.units[1:][same & differ]
    if not units.size:
        return
    wanted = np.zeros(part.codes.size, np.bool_)
    wanted[units] = True
    rows = shared(part)
    rows = rows[wanted[part.units[rows]]]
    moments = np.cumsum(np.insert((np.diff(part.times[rows]) != 0) | (np.diff(part.units[rows]) != 0), 0, False))
    entering = np.bincount(moments, (part.masks[rows] & entry != 0) | every) > 0
    rows, moments = rows[entering[moments]], moments[entering[moments]]
    if not rows.size:
        return
    ranks = pc.rank(read(part.values[rows]), tiebreaker="dense").to_numpy()
    order = rows[np.lexsort((ranks, moments))]
    for column in (part.masks, part.bars, part.values, part.held):
        if column.size:
            column[rows] = column[order]
