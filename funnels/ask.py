"""A funnel as a question: frozen, checked, with every default filled in. Steps count from 0 here, from 1 in a request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from funnels.definitions.definition import Cohort
from funnels.filters import COHORT, Filter, conditions
from funnels.periods import Grain

Unit = Literal["person", "account", "session"]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
Order = Literal["sequential", "strict", "any"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
Ties = Literal["in_order", "strict"] | timedelta  # a tolerance: a later step may precede the one before it by so much
TIES: Final[tuple[Literal["in_order", "strict"], ...]] = ("in_order", "strict")
Reentry = Literal["any", "first"]
REENTRIES: Final[tuple[Reentry, ...]] = get_args(Reentry)
Witness = Literal["earliest", "shortest"]
WITNESSES: Final[tuple[Witness, ...]] = get_args(Witness)
Count = Literal["units", "attempts"]
COUNTS: Final[tuple[Count, ...]] = get_args(Count)
Touch = Literal["first", "last", "all"]
TOUCHES: Final[tuple[Touch, ...]] = get_args(Touch)
Traffic = Literal["exclude", "include"]  # internal traffic: left out, or put back in
TRAFFIC: Final[tuple[Traffic, ...]] = get_args(Traffic)
ANY_EVENT: Final = "*"


@dataclass(frozen=True, slots=True)
class Choice:
    """One kind of event that serves a step: its name (or ANY_EVENT), and all that must hold of it."""

    event: str
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Any of ``choices`` serves it; ``where`` must hold besides.

    ``first_ever``: only the unit's first event of these names counts, before any filter.
    """

    choices: tuple[Choice, ...]
    label: str
    within: timedelta | None = None
    where: tuple[Filter, ...] = ()
    optional: bool = False
    first_ever: bool = False

    @property
    def event_names(self) -> frozenset[str]:
        return frozenset(choice.event for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Exclude:
    """Events that end a chain between two required steps; under order any, between its first event and its last."""

    choices: tuple[Choice, ...]
    where: tuple[Filter, ...]
    after: int
    before: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Groups by the values of ``by``, properties and cohorts; ``attribution`` may be a required step."""

    by: tuple[str, ...]
    attribution: Touch | int = "first"
    limit: int = 25


@dataclass(frozen=True, slots=True)
class TimeToConvert:
    """A histogram of the time between two steps of the witness."""

    start: int
    end: int
    bins: int = 20


@dataclass(frozen=True, slots=True)
class Funnel:
    """One question. Entries count if ``start <= t < end``; ``as_of`` None is the data's completeness mark."""

    steps: tuple[Step, ...]
    start: datetime
    end: datetime
    window: timedelta
    zone: ZoneInfo
    unit: Unit = "person"
    where: tuple[Filter, ...] = ()
    trend: Grain | None = None
    as_of: datetime | None = None
    internal: Traffic = "exclude"
    order: Order = "sequential"
    ties: Ties = "in_order"
    reentry: Reentry = "any"
    witness: Witness = "earliest"
    count: Count = "units"
    hold: tuple[str, ...] = ()
    exclude: tuple[Exclude, ...] = ()
    breakdown: Breakdown | None = None
    time_to_convert: TimeToConvert | None = None
    preset: str | None = None  # a name of funnels.presets
    cohorts: tuple[Cohort, ...] = ()  # those that are used

    @property
    def required(self) -> tuple[int, ...]:
        """The steps that are not optional."""
        return tuple(number for number, step in enumerate(self.steps) if not step.optional)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Of all steps and exclusions."""
        return tuple(choice for part in self._parts for choice in part.choices)

    @property
    def event_names(self) -> tuple[str, ...]:
        """The names asked for, each once, in order; without ANY_EVENT."""
        return tuple(dict.fromkeys(choice.event for choice in self.choices if choice.event != ANY_EVENT))

    @property
    def named(self) -> tuple[str, ...]:
        """Those, and the names that the cohorts ask for."""
        asked = (one.event for cohort in self.cohorts for did in cohort.did for one in did.selections)
        return tuple(dict.fromkeys((*self.event_names, *(name for name in asked if name != ANY_EVENT))))

    @property
    def takes_any_event(self) -> bool:
        return any(choice.event == ANY_EVENT for choice in self.choices)

    @property
    def filtered(self) -> frozenset[str]:
        """Every property that a filter reads."""
        return frozenset(condition.property for part in self._filters() for condition in conditions(part))

    @property
    def cohorts_named(self) -> frozenset[str]:
        return frozenset(name.removeprefix(COHORT) for name in self.properties if name.startswith(COHORT))

    @property
    def reads_build(self) -> bool:
        """Whether it asks what the last build knows: ``person_now``, ``account_now``, stages."""
        now = any(name.startswith(("person_now.", "account_now.")) for name in self.properties)
        return now or any(cohort.where or cohort.stages for cohort in self.cohorts)

    @property
    def properties(self) -> frozenset[str]:
        """Every property that is read: by filters, held constant, or broken down by."""
        return self.filtered | {*self.hold, *(self.breakdown.by if self.breakdown else ())}

    @property
    def _parts(self) -> tuple[Step | Exclude, ...]:
        return (*self.steps, *self.exclude)

    def _filters(self) -> Iterator[tuple[Filter, ...]]:
        yield self.where
        for part in self._parts:
            yield part.where
        for choice in self.choices:
            yield choice.where
