"""What is matched, by which rules, and what comes of it: the words of ``funnels.match``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from funnels.kernel import NEVER, Codes, Ints

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Microseconds since 1970 of an aware time, exactly."""
    return (time - _EPOCH) // _MICROSECOND


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
