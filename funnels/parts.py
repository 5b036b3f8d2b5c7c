"""Streams that are matched part after part, people after people, so that never all events are in memory.

An answer is made of cases and of the events that served them. So of each part these events are kept, all others forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from funnels.gather import Ordered
from funnels.match import Outcome, Rules, Streams, Tally, match_streams

_PER_CASE: Final = ("levels", "states", "entered", "barred")


@dataclass(frozen=True)
class Matched:
    """``streams`` has only the events of witnesses, unless there was one part only; ``codes`` are those of its units."""

    streams: Streams
    outcome: Outcome
    codes: NDArray[np.int32]


def match_parts(parts: Iterable[Ordered], rules: Rules) -> Matched:
    """Match each part, and put the outcomes together."""
    found: list[Matched] = []
    for part in parts:
        streams = as_streams(part)
        one = Matched(streams, match_streams(streams, rules), part.codes)
        found = [*map(_kept, found), _kept(one)] if found else [one]
    return found[0] if len(found) == 1 else _together(found)


def as_streams(part: Ordered) -> Streams:
    return Streams(part.units, part.times, part.masks, len(part.codes))


def _kept(one: Matched) -> Matched:
    """With the events of witnesses alone."""
    witness = one.outcome.witness
    used = np.zeros(one.streams.times.size + 1, np.bool_)  # the last place is that of -1
    used[witness] = True
    used[-1] = False
    if used[:-1].all():
        return one
    places = np.cumsum(used) - 1
    places[-1] = -1
    rows, used = places[witness], used[:-1]
    streams = replace(
        one.streams, units=one.streams.units[used], times=one.streams.times[used], masks=one.streams.masks[used]
    )
    return Matched(streams, replace(one.outcome, witness=rows, event_times=streams.times), one.codes)


def _together(found: Sequence[Matched]) -> Matched:
    units = np.cumsum([0, *(one.streams.count for one in found)])
    rows = np.cumsum([0, *(one.streams.times.size for one in found)])
    outcomes = [one.outcome for one in found]
    times = np.concatenate([one.streams.times for one in found])
    streams = Streams(
        np.concatenate([one.streams.units + np.int32(first) for one, first in zip(found, units, strict=False)]),
        times,
        np.concatenate([one.streams.masks for one in found]),
        int(units[-1]),
    )
    outcome = replace(
        outcomes[0],
        units=np.concatenate([one.units + np.int32(first) for one, first in zip(outcomes, units, strict=False)]),
        witness=np.concatenate([_moved(one.witness, int(first)) for one, first in zip(outcomes, rows, strict=False)]),
        mature=_sum([one.mature for one in outcomes]),
        trend=tuple(_sum(buckets) for buckets in zip(*(one.trend for one in outcomes), strict=True)),
        event_times=times,
        **{name: np.concatenate([getattr(one, name) for one in outcomes]) for name in _PER_CASE},
    )
    return Matched(streams, outcome, np.concatenate([one.codes for one in found]))


def _moved(witness: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    return np.where(witness < 0, -1, witness + by)


def _sum(tallies: Sequence[Tally]) -> Tally:
    return Tally(*(sum(getattr(one, name) for one in tallies) for name in Tally.__slots__))
