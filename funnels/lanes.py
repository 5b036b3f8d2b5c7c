"""Lanes: a unit's events of one value, for the breakdown in which a whole chain must carry it.

Every excluded event of the unit lies in each of its lanes, whatever its value (it serves a step in its own lane only), and
the places of instants are those of the whole unit: so exclusions and strict neighbours count as they do for the unit. An
excluded event is repeated for each value that its unit has, and memory grows so: with the square of a unit's events, if each
has a value of its own. What would pass the question's memory is refused before it is made.

Under ``reentry: "first"`` a unit has one lane at most, that of its first entry in range: no other chain may begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from funnels.bounds import in_bytes, too_large
from funnels.kernel import Ints
from funnels.match import Rules, Streams, microseconds
from transforms.engine import DEFAULT_LIMITS, Limits

_BYTES: Final = 56  # of one event of a lane, with all that stands beside it until the lanes are matched
_Item = TypeVar("_Item", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Lanes:
    """``streams``: the lanes as units. By lane, the code of its value, and the unit that owns it."""

    streams: Streams
    codes: Ints
    owners: Ints


def split(streams: Streams, rules: Rules, values: int, limits: Limits = DEFAULT_LIMITS) -> Lanes:
    """Each (unit, value) in which an event serves a step; ``values``: how many there are, and the code of null's lanes.

    Raises ``TooLarge``.
    """
    kinds = values + 1
    code = np.where(streams.values < 0, values, streams.values)
    own = streams.units.astype(np.int64) * kinds + code
    serving = np.flatnonzero(streams.masks != 0)
    rows = serving[np.argsort(own[serving], kind="stable")]
    lanes, starts = np.unique(own[rows], return_index=True)
    lane = np.repeat(np.arange(lanes.size), np.diff(starts, append=rows.size))
    if rules.reentry == "first":
        kept = np.isin(lanes, own[_first_entries(streams, rules)])
        rows, lane, lanes = rows[kept[lane]], (np.cumsum(kept) - 1)[lane[kept[lane]]], lanes[kept]
    owners = lanes // kinds
    if streams.bars.size:
        rows, lane = _with_exclusions(streams, rows, lane, owners, limits)
    narrow = Streams(
        units=lane.astype(np.int32),
        times=streams.times[rows],
        masks=np.where(own[rows] == lanes[lane], streams.masks[rows], 0),
        count=lanes.size,
        bars=_taken(streams.bars, rows),
        held=_taken(streams.held, rows),
        instants=_taken(streams.instants, rows),
        last_instant=_taken(streams.last_instant, owners),
        spent=_taken(streams.spent, owners),
    )
    return Lanes(narrow, lanes % kinds, owners)


def _with_exclusions(streams: Streams, rows: Ints, lane: Ints, owners: Ints, limits: Limits) -> tuple[Ints, Ints]:
    """The rows of each lane, and among them every excluded event of its owner, in the order of the streams."""
    barring = np.flatnonzero(streams.bars)
    starts = np.searchsorted(owners, streams.units[barring])
    copies = np.searchsorted(owners, streams.units[barring], "right") - starts
    if (rows.size + int(copies.sum())) * _BYTES > in_bytes(limits.memory):
        raise too_large(limits)
    nth = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
    alone = streams.bars[rows] == 0
    rows = np.concatenate([rows[alone], np.repeat(barring, copies)])
    lane = np.concatenate([lane[alone], np.repeat(starts, copies) + nth])
    order = np.lexsort((rows, lane))
    return rows[order], lane[order]


def _first_entries(streams: Streams, rules: Rules) -> NDArray[np.intp]:
    """Each unit's first entry in range: the one that may begin a chain, so that only its lane has any."""
    entry = streams.masks != 0 if rules.order == "any" else (streams.masks & 1) != 0
    entry &= (streams.times >= microseconds(rules.start)) & (streams.times < microseconds(rules.end))
    if streams.held.size:
        entry &= streams.held >= 0
    rows = np.flatnonzero(entry)
    return rows[np.unique(streams.units[rows], return_index=True)[1]]


def _taken(array: NDArray[_Item], rows: Ints) -> NDArray[_Item]:
    return array[rows] if array.size else array
