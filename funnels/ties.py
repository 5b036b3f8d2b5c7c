"""Events of one unit at one instant with different values: which comes first is told by their event ids.

Ids are texts, and rows do without them (``tags``). Such units are few, since one moment of one person mostly has one value.
So all are matched as they are, which is right but for the values of witnesses. Where one goes through a moment in doubt, the
rows at such moments are asked of a query that orders them, and these units, whose rows were put aside, are matched again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnels.gather import Ordered
from funnels.kernel import Codes
from funnels.match import Streams
from funnels.parts import Matched, cases_of


def of_units(part: Ordered, units: NDArray[np.intp]) -> Ordered:
    """The rows of these units."""
    kept = np.isin(part.units, units)
    numbers = np.searchsorted(units, part.units[kept]).astype(np.int32)
    bars = part.bars[kept] if part.bars.size else part.bars
    held = part.held[kept] if part.held.size else part.held
    return Ordered(numbers, part.times[kept], part.masks[kept], part.codes[units], bars, part.values[kept], held)


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


def differing(part: Ordered, read: Callable[[Codes], Codes]) -> list[Ordered]:
    """The units that have a moment with several values: what ``read`` (rows, properties) says of the numbers of rows."""
    rows = shared(part)
    found = read(part.values[rows])
    same = (part.units[rows[1:]] == part.units[rows[:-1]]) & (part.times[rows[1:]] == part.times[rows[:-1]])
    units = np.unique(part.units[rows[1:]][same & (found[1:] != found[:-1]).any(axis=1)])
    return [of_units(part, units.astype(np.intp))] if units.size else []


def by_ids(aside: Sequence[Ordered], read: Callable[[Codes], pa.Array]) -> tuple[Streams, Codes]:
    """The streams that were put aside with the rows of each moment in order of their event ids, which ``read`` tells of the
    numbers of rows; and the codes of its units."""
    ranks = [np.zeros(part.units.size, np.int64) for part in aside]
    rows = [shared(part) for part in aside]
    ids = pc.rank(read(np.concatenate([part.values[of] for part, of in zip(aside, rows, strict=True)])), tiebreaker="dense")
    ends = np.cumsum([0, *(of.size for of in rows)])
    for rank, of, since, until in zip(ranks, rows, ends, ends[1:], strict=False):
        rank[of] = ids.to_numpy()[since:until]
    firsts = np.cumsum([0, *(part.codes.size for part in aside)])
    units = np.concatenate([part.units + np.int32(first) for part, first in zip(aside, firsts, strict=False)])
    times = np.concatenate([part.times for part in aside])
    order = np.lexsort((np.concatenate(ranks), times, units))
    bars, held = (np.concatenate([getattr(part, name) for part in aside]) for name in ("bars", "held"))
    streams = Streams(
        units[order].astype(np.int32),
        times[order],
        np.concatenate([part.masks for part in aside])[order],
        int(firsts[-1]),
        bars=bars[order] if bars.size else bars,
        held=held[order] if held.size else held,
        values=np.concatenate([part.values for part in aside])[order],
    )
    return streams, np.concatenate([part.codes for part in aside])


def settle_entries(part: Ordered, entry: int, valued: bool, read: Callable[[Codes], pa.Array]) -> None:
    """Puts a moment's rows in order of their event ids, in place, where one may be an entry and they are not all alike.

    ``entry``: the bits of steps that an entry serves; ``valued``: rows that serve the same steps may differ in their values;
    ``read``: the event ids by the numbers of rows, which are ``values``.
    """
    same = (part.units[1:] == part.units[:-1]) & (part.times[1:] == part.times[:-1])
    units = part.units[1:][same & (valued | (part.masks[1:] != part.masks[:-1]))]
    if not units.size:
        return
    wanted = np.zeros(part.codes.size, np.bool_)
    wanted[units] = True
    rows = shared(part)
    rows = rows[wanted[part.units[rows]]]
    moments = np.cumsum(np.insert((np.diff(part.times[rows]) != 0) | (np.diff(part.units[rows]) != 0), 0, False))
    entering = np.bincount(moments, part.masks[rows] & entry != 0) > 0
    rows, moments = rows[entering[moments]], moments[entering[moments]]
    if not rows.size:
        return
    ranks = pc.rank(read(part.values[rows]), tiebreaker="dense").to_numpy()
    order = rows[np.lexsort((ranks, moments))]
    for column in (part.masks, part.bars, part.values, part.held):
        if column.size:
            column[rows] = column[order]


def put_right(aside: Sequence[Ordered], told: Streams, people: Codes) -> tuple[Streams, Codes]:
    """The streams that were put aside, where ``told`` (units are ``people``) has all rows of some moments in order; and the
    codes of its units."""
    codes = np.sort(np.concatenate([part.codes for part in aside]))
    owners = np.concatenate([*(part.codes[part.units] for part in aside), people[told.units]])
    units = np.searchsorted(codes, owners).astype(np.int32)
    times = np.concatenate([*(part.times for part in aside), told.times])
    mine = units.size - told.times.size
    known = {*zip(units[mine:].tolist(), told.times.tolist(), strict=True)}
    kept = [one not in known for one in zip(units[:mine].tolist(), times[:mine].tolist(), strict=True)]
    rows = np.flatnonzero([*kept, *[True] * told.times.size])
    rows = rows[np.lexsort((times[rows], units[rows]))]  # stable: told rows stay in order
    streams = Streams(
        units[rows],
        times[rows],
        np.concatenate([*(part.masks for part in aside), told.masks])[rows],
        codes.size,
        bars=np.concatenate([*(part.bars for part in aside), told.bars])[rows] if told.bars.size else told.bars,
        values=np.concatenate([*(part.values for part in aside), told.values])[rows],
    )
    return streams, codes
