"""Days, weeks (from Monday) and months in a reporting zone: calendar periods, whatever the clocks did that night."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

Grain = Literal["day", "week", "month"]
GRAINS: Final[tuple[Grain, ...]] = ("day", "week", "month")


@dataclass(frozen=True)
class Period:
    """``name`` is its first day in the zone; [start, end) are its edges in UTC."""

    name: date
    start: datetime
    end: datetime


def first_day(day: date, grain: Grain) -> date:
    """The first day of the period that ``day`` lies in: the Monday for a week."""
    if grain == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if grain == "month" else day


def next_first_day(first: date, grain: Grain) -> date:
    if grain == "month":
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if grain == "week" else 1)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The beginning of a day in the zone, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def period_of(moment: datetime, grain: Grain, zone: ZoneInfo) -> Period:
    first = first_day(moment.astimezone(zone).date(), grain)
    return Period(first, midnight(first, zone), midnight(next_first_day(first, grain), zone))


def previous_period(period: Period, grain: Grain, zone: ZoneInfo) -> Period:
    return period_of(period.start - timedelta(microseconds=1), grain, zone)


def periods(start: datetime, end: datetime, grain: Grain, zone: ZoneInfo) -> list[Period]:
    """The periods that [start, end) touches, in order; none where it is empty."""
    found: list[Period] = []
    at = start
    while at < end:
        found.append(period_of(at, grain, zone))
        at = found[-1].end
    return found
