"""What is asked of a metric or a stage funnel: the parameters of its address, read, checked and defaulted.

Dates without a time are midnight in the project's zone, and so are times without an offset. All faults are told at
once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from funnels.errors import Faults, suggestion
from funnels.filters import read_moment
from funnels.periods import GRAINS, Grain

MOST_PERIODS: Final = 3_000
_DAYS: Final[Mapping[Grain, int]] = {"day": 1, "week": 7, "month": 31}
_WHY_NOT: Final = (
    "stages and invitations are found with internal traffic left out, so it cannot be put back into what is made of them; "
    "ask POST /api/funnel, over raw events, with internal: include"
)
_TIMES: Final = ("2026-01-31", "2026-01-31T09:30:00Z")


@dataclass
class Parameters:
    """Reads one parameter after the other and notes what is wrong; ``finish`` raises ``BadRequest`` with all of it."""

    given: Mapping[str, str]
    zone: ZoneInfo
    faults: Faults = field(default_factory=Faults)
    _asked: list[str] = field(default_factory=list)

    def text(self, name: str) -> str | None:
        """The parameter as given; None where it is missing or empty."""
        self._asked.append(name)
        return self.given.get(name) or None

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        found = self.text(name)
        if found is None or found in allowed:
            return found
        self.faults.add(name, found, allowed, f"unknown {name} {found!r}{suggestion(found, allowed)}")
        return None

    def grain(self, name: str, allowed: Collection[Grain] = GRAINS) -> Grain | None:
        found = self.choice(name, allowed)
        return next((grain for grain in GRAINS if grain == found), None)

    def moment(self, name: str) -> datetime | None:
        """A moment in UTC."""
        found = self.text(name)
        if found is None:
            return None
        moment = read_moment(found, self.zone)
        if moment is None:
            self.faults.add(name, found, _TIMES, "write a date, or a time with its offset from UTC")
            return None
        return moment.astimezone(UTC)

    def finish(self) -> None:
        self.faults.unknown_keys(self.given, self._asked, "")
        self.faults.raise_any()


def read_internal(parameters: Parameters, *, built_without: bool) -> bool:
    """Whether internal traffic is put back in; what is ``built_without`` it refuses."""
    included = parameters.choice("internal", ("exclude", "include")) == "include"
    if included and built_without:
        parameters.faults.add("internal", "include", ["exclude"], _WHY_NOT)
    return included


@dataclass(frozen=True)
class Range:
    """Moments ``start <= t < end``; ``start`` None is from the first one there is."""

    start: datetime | None
    end: datetime


def read_range(parameters: Parameters, as_of: datetime) -> Range:
    """``from`` and ``to``; without ``to``, up to ``as_of``."""
    start, end = parameters.moment("from"), parameters.moment("to")
    if start is not None and start >= (end or as_of):
        allowed = [f"a time before {(end or as_of).astimezone(parameters.zone).isoformat()}"]
        parameters.faults.add("from", parameters.given["from"], allowed, "the range is empty: it ends before it begins")
    return Range(start, end or as_of)


def check_periods(parameters: Parameters, name: str, asked: Range, grain: Grain | None) -> None:
    """Notes a series that is too long to be meant."""
    if grain and asked.start and asked.start < earliest(asked.end, grain):
        parameters.faults.add(name, grain, GRAINS, f"the range has more than {MOST_PERIODS} such periods")


def earliest(end: datetime, grain: Grain) -> datetime:
    """The beginning of the longest series that ends there. One that was given no start begins no earlier: a single event
    from a clock in the year 1 would stretch it over the centuries."""
    return end - timedelta(days=MOST_PERIODS * _DAYS[grain])


@dataclass(frozen=True)
class MetricQuestion:
    """One metric over one range; ``by_channel``: also apart by channel; ``compare``: also as it was before.

    ``internal``: internal traffic is put back in.
    """

    range: Range
    grain: Grain
    zone: ZoneInfo
    by_channel: bool
    compare: bool
    as_of: datetime
    internal: bool = False


def read_metric_question(
    given: Mapping[str, str],
    grains: Collection[Grain],
    default: Grain,
    zone: ZoneInfo,
    as_of: datetime,
    *,
    built_without_internal: bool = False,
) -> MetricQuestion:
    """``built_without_internal``: the metric reads tables that leave internal traffic out.

    Raises ``BadRequest`` with everything that is wrong.
    """
    parameters = Parameters(given, zone)
    question = MetricQuestion(
        read_range(parameters, as_of),
        parameters.grain("grain", grains) or default,
        zone,
        parameters.choice("by", ["channel"]) is not None,
        parameters.choice("compare", ["previous"]) is not None,
        as_of,
        read_internal(parameters, built_without=built_without_internal),
    )
    check_periods(parameters, "grain", question.range, question.grain)
    parameters.finish()
    return question
