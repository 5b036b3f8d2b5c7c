"""The funnel's definition, and the matcher's door: streams of units and rules in, one outcome per unit out.

Raw events and stage tables both come as ``Streams``; every number shown of a funnel is read from one ``Outcome``.
``kernel`` computes what stands here in linear time; ``tests/oracle.py`` reads it literally, and the two must agree.

1. Words. A *unit* is who is counted, a person or an account; events without one are left out and their number is told. A
   unit's *stream* is its events, each event id once, by time. A *chain* is distinct events that match the steps in their
   order, from the first step on; its first event is the *entry*. One event serves one step of a chain at most, and every
   beginning of a valid chain is valid. A unit's *level* is the largest number of steps that a valid chain matches. That
   such a chain exists is meant literally: no greedy reading may undercount it.
2. Validity. Times do not fall along a chain. Events at one instant may be taken in any order, so within an instant steps
   and events are matched as a bipartite graph. From the entry to each event passes at most the window; from each event to
   the next at most the next step's ``within``, where it has one. Both are inclusive, and elapsed time, not calendar days.
3. Ranges and states. An entry counts if it lies in [from, to); later steps count until the window ends, also after ``to``,
   but not after ``as_of`` (events at that very moment count). A unit that entered is in the first of these states that
   holds: *converted* (a chain matches all steps), *pending* (events after ``as_of`` could still complete a chain: its
   window and its next step's ``within`` both end later), *lost*. These three partition the entrants. *Mature* figures are
   the same funnel over entries whose window has closed, which leaves nobody pending.
4. The witness. Times come from one chain per unit: of the chains of its level the one with the lexicographically smallest
   times.
5. Counting. Each unit counts once. Every entry in range may begin a chain. A bucket of the trend is a funnel of its own
   over the entries in it: so a closed bucket never changes, and a unit with entries in two buckets stands in both.
6. Filters: ``funnels.filters``. 7. The question: ``funnels.request``; the answer: ``funnels.result``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from funnels import kernel
from funnels.kernel import ALWAYS, CONVERTED, EXCLUDED, LOST, MAX_STEPS, NEVER, PENDING, Ints

__all__ = [
    "CONVERTED",
    "EXCLUDED",
    "LOST",
    "NEVER",
    "PENDING",
    "Codes",
    "Exclusion",
    "Outcome",
    "Rules",
    "Streams",
    "Tally",
    "match_streams",
    "microseconds",
    "warm",
]

Codes = NDArray[np.int32]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def _none() -> Ints:
    return np.zeros(0, np.int64)


def _no_codes() -> Codes:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class Streams:
    """The events of many units, ordered by (unit, time, event id); arrays are parallel, those not needed have size 0.

    A unit may have no event at all: it then simply did not enter. ``unit_ids[code]`` is a unit's public id; it stays empty
    where nobody lists the units.
    """

    units: Codes  # from 0, rising
    times: Ints  # microseconds since 1970 UTC, rising within a unit
    masks: Ints  # bit k: the event may serve step k (from 0)
    count: int  # how many units there are; codes are below it
    unit_ids: Sequence[str] = ()
    # Exclusions. Bit x: the event is one that rules.exclusions[x] excludes.
    bars: Ints = field(default_factory=_none)
    # Hold constant: the event's held values; -1: one of them is null, so it serves no step and bars nothing.
    held: Codes = field(default_factory=_no_codes)
    # Order strict: which one of the unit's instants of any name, until as_of, the event's is, from 0; by unit the last one.
    instants: Codes = field(default_factory=_no_codes)
    last_instant: Codes = field(default_factory=_no_codes)
    # First ever, by unit. Bit k: the first event in all history among step k's names lies at or before as_of.
    spent: Ints = field(default_factory=_none)
    # Breakdown: the event's values; -1: null. The matcher does not read them.
    values: Codes = field(default_factory=_no_codes)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """No excluded event between these two required steps, counted from 0; ``before`` is greater than ``after``."""

    after: int
    before: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What a chain must obey: one ``within`` per step (None: no limit; the first step's is ignored).

    Entries count if ``start <= t < end``; ``window``, ``withins`` and ``as_of`` are inclusive. ``edges`` are those of the
    trend's buckets, one more than there are buckets; together they must cover the range. Empty: no trend.
    """

    withins: tuple[timedelta | None, ...]
    window: timedelta
    start: datetime
    end: datetime
    as_of: datetime
    edges: tuple[datetime, ...] = ()
    order: Literal["sequential", "strict", "any"] = "sequential"
    ties: Literal["in_order", "strict"] | timedelta = "in_order"
    optional: frozenset[int] = frozenset()  # steps from 0; neither the first nor the last
    reentry: Literal["any", "first"] = "any"
    witness: Literal["earliest", "shortest"] = "earliest"
    count: Literal["units", "attempts"] = "units"
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def ripe(self) -> datetime:
        """The end of the mature range: entries before it have had their whole window."""
        return max(self.start, min(self.end, self.as_of - self.window))


@dataclass(frozen=True, slots=True)
class Tally:
    """Cases that entered; each of them is in one of the four states."""

    entrants: int
    converted: int
    pending: int
    excluded: int
    lost: int


@dataclass(frozen=True)
class Outcome:
    """What became of each case, and the mature figures and the trend.

    A case is a unit that entered, or (``count: attempts``) an attempt. Cases are in order of unit and entry; the arrays are
    parallel, one row per case.
    """

    units: Codes
    levels: Ints  # required steps that the witness matches, at least 1
    states: NDArray[np.int8]  # CONVERTED, PENDING, EXCLUDED or LOST
    witness: Ints  # (cases, steps) the row of the event that served the step; -1: not reached, or optional and not taken
    entered: Ints  # the case's first entry in range, in microseconds since 1970
    barred: Ints  # the time of the exclusion that ended the witness (state EXCLUDED); NEVER for others
    mature: Tally
    trend: tuple[Tally, ...]
    event_times: Ints  # those of the streams

    @property
    def steps(self) -> int:
        return int(self.witness.shape[1])

    @cached_property
    def times(self) -> Ints:
        """(cases, steps) the witness's times; NEVER where the step has no event."""
        if not self.event_times.size:
            return np.full(self.witness.shape, NEVER, np.int64)
        return np.where(self.witness < 0, NEVER, self.event_times[self.witness])


def microseconds(time: datetime) -> int:
    """Microseconds since 1970 of an aware time, exactly."""
    return (time - _EPOCH) // _MICROSECOND


def match_streams(streams: Streams, rules: Rules) -> Outcome:
    """Match every unit of ``streams``; linear in events, on the calling thread, without the GIL."""
    _check(rules)
    steps, buckets = len(rules.withins), max(len(rules.edges) - 1, 0)
    answer = kernel.Answer(
        levels=np.zeros(streams.count, np.int64),
        states=np.zeros(streams.count, np.int8),
        witness=np.full((streams.count, steps), -1, np.int64),
        entered=np.full(streams.count, NEVER, np.int64),
        mature=np.zeros(5, np.int64),
        trend=np.zeros((buckets, 5), np.int64),
    )
    offsets = np.searchsorted(streams.units, np.arange(streams.count + 1)).astype(np.int64)
    kernel.match_units(streams.times, streams.masks, offsets, _in_numbers(rules), answer)
    cases = np.flatnonzero(answer.levels)
    return Outcome(
        units=cases.astype(np.int32),
        levels=answer.levels[cases],
        states=answer.states[cases],
        witness=answer.witness[cases],
        entered=answer.entered[cases],
        barred=np.full(cases.size, NEVER, np.int64),
        mature=Tally(*map(int, answer.mature)),
        trend=tuple(Tally(*map(int, row)) for row in answer.trend),
        event_times=streams.times,
    )


def warm() -> None:
    """Compile the matcher, or load it from numba's cache, so that no reader waits for it (some 10 s the first time)."""
    start, end = _EPOCH, _EPOCH + timedelta(days=2)
    streams = Streams(np.zeros(2, np.int32), np.zeros(2, np.int64), np.array([1, 2], np.int64), 1)
    match_streams(streams, Rules((None, None), timedelta(days=1), start, end, end, (start, end)))


def _check(rules: Rules) -> None:
    if not 1 <= len(rules.withins) <= MAX_STEPS:
        raise ValueError(f"a funnel has 1 to {MAX_STEPS} steps, not {len(rules.withins)}")
    if rules.edges and not (rules.edges[0] <= rules.start and rules.end <= rules.edges[-1]):
        raise ValueError("the trend's buckets do not cover the range of entries")
    asked = (rules.order, rules.ties, rules.optional, rules.reentry, rules.witness, rules.count, rules.exclusions)
    if asked != ("sequential", "in_order", frozenset(), "any", "earliest", "units", ()):
        raise NotImplementedError(f"the matcher does not know these rules yet: {asked}")


def _in_numbers(rules: Rules) -> kernel.Rules:
    withins = [ALWAYS if within is None else within // _MICROSECOND for within in rules.withins]
    return kernel.Rules(
        within=np.array([ALWAYS, *withins[1:]], np.int64),
        window=rules.window // _MICROSECOND,
        start=microseconds(rules.start),
        end=microseconds(rules.end),
        as_of=microseconds(rules.as_of),
        edges=np.array([microseconds(edge) for edge in rules.edges], np.int64),
    )
