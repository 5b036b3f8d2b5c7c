"""Streams that are matched part after part, people after people, so that never all events are in memory.

An answer is made of cases and of the events that served them. So of each part these events are kept, all others forgotten; a
part is so small that all of it is done while it lies in the cache, each on a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from funnels.groups import Match
from funnels.kernel import Ints
from funnels.kernel.words import compiled
from funnels.match import Outcome, Rules, Streams, Tally
from funnels.reading.gather import Ordered

_PER_CASE: Final = ("levels", "states", "entered", "barred")


@dataclass(frozen=True)
class Matched:
    """``streams`` has only the events of witnesses; ``codes`` are those of its units."""

    streams: Streams
    outcome: Outcome
    codes: NDArray[np.integer]


def match_parts(
    rounds: Iterable[Sequence[Callable[[], Ordered]]], rules: Rules, threads: ThreadPoolExecutor | None, match: Match
) -> Matched:
    """Put each part in order and match it, those of a round on these threads, if any, and put the outcomes together."""

    def work(part: Callable[[], Ordered]) -> Matched:
        return _kept(match_part(part(), rules, match))

    found = [one for parts in rounds for one in (threads.map(work, parts) if threads else map(work, parts))]
    return found[0] if len(found) == 1 else _together(found)


def match_part(part: Ordered, rules: Rules, match: Match) -> Matched:
    streams = as_streams(part)
    return Matched(streams, match(streams, rules), part.codes)


def as_streams(part: Ordered) -> Streams:
    more = {name: getattr(part, name) for name in ("bars", "held", "values", "instants", "last_instant", "spent")}
    return Streams(part.units, part.times, part.masks, len(part.codes), **more)


def with_witnesses(matched: Matched, other: Matched) -> Matched:
    """With the witnesses of the people of ``other`` as they are there, of the same cases; its rows come behind."""
    first, streams = matched.streams.times.size, matched.streams
    mine, theirs = cases_of(matched, other.codes), cases_of(other, other.codes)
    witness = matched.outcome.witness.copy()
    witness[mine] = _joined([other.outcome.witness[theirs]], np.array([first]))
    times = np.concatenate([streams.times, other.streams.times])
    joined = Streams(
        np.concatenate([streams.units, other.streams.units + np.int32(streams.count)]),
        times,
        np.concatenate([streams.masks, other.streams.masks]),
        streams.count + other.streams.count,
        values=np.concatenate([streams.values, other.streams.values]),
    )
    outcome = replace(matched.outcome, witness=witness, event_times=times)
    return Matched(joined, outcome, np.concatenate([matched.codes, other.codes]))


def cases_of(matched: Matched, people: NDArray[np.integer]) -> NDArray[np.intp]:
    """In order of the unit's code and the entry."""
    codes = matched.codes[matched.outcome.units]
    cases = np.flatnonzero(np.isin(codes, people))
    return cases[np.lexsort((matched.outcome.entered[cases], codes[cases]))]


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
    rows, used, whole = places[witness], used[:-1], one.streams
    streams = Streams(
        whole.units[used],
        whole.times[used],
        whole.masks[used],
        whole.count,
        values=whole.values[used] if whole.values.size else whole.values,
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
        values=np.concatenate([one.streams.values for one in found]),
    )
    outcome = replace(
        outcomes[0],
        units=np.concatenate([one.units + np.int32(first) for one, first in zip(outcomes, units, strict=False)]),
        witness=_joined([one.witness for one in outcomes], rows),
        mature=_sum([one.mature for one in outcomes]),
        trend=tuple(_sum(buckets) for buckets in zip(*(one.trend for one in outcomes), strict=True)),
        event_times=times,
        **{name: np.concatenate([getattr(one, name) for one in outcomes]) for name in _PER_CASE},
    )
    return Matched(streams, outcome, np.concatenate([one.codes for one in found]))


def _joined(witnesses: Sequence[Ints], rows: Ints) -> Ints:
    """``rows[part]``: where the rows of a part begin among all."""
    found = np.empty((sum(map(len, witnesses)), witnesses[0].shape[1]), np.int64)
    begin = 0
    for witness, first in zip(witnesses, rows.tolist(), strict=False):
        _move(witness, first, found[begin : begin + len(witness)])
        begin += len(witness)
    return found


@compiled
def _move(witness: Ints, by: int, into: Ints) -> None:
    for case in range(witness.shape[0]):
        for step in range(witness.shape[1]):
            into[case, step] = witness[case, step] + by if witness[case, step] >= 0 else -1


def _sum(tallies: Sequence[Tally]) -> Tally:
    return Tally(*(sum(getattr(one, name) for one in tallies) for name in Tally.__slots__))
