"""The north star: how many people or accounts did, often enough in a period, what the product is for.

Periods are counted whole: a range shows every period that it touches, never a part of one; ``complete`` are those that
lie in the range and are over. The value is the latest of these; ``compare`` gives the one before it. Distinct units do
not add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from funnels.definitions.definition import Definitions, Internal, NorthStar
from funnels.figures import Figure, Group, Measured, Point
from funnels.models.selections import left_out, matching
from funnels.periods import Period, midnight, period_of, periods, previous_period
from funnels.question import MetricQuestion, earliest
from sql.loader import load
from transforms.engine import Engine


@dataclass(frozen=True)
class Active:
    """How many units of one channel were active in the period that begins on a day."""

    start: date
    channel: str | None
    units: int


def settings(definitions: Definitions) -> dict[str, object]:
    """What the number depends on, shown beside it."""
    star = definitions.north_star
    events = [selection.event for selection in star.selections]
    named = {"name": star.name, "title": star.title, "unit": star.unit}
    return {**named, "events": events, "times": star.times, "per": star.per}


def measure(engine: Engine, definitions: Definitions, question: MetricQuestion) -> Measured:
    star, asked = definitions.north_star, question.range
    internal = None if question.internal else definitions.internal
    rows = _active(engine, star, internal, question)
    ours = 0 if internal is None else left_out(engine, [star.selections], internal, asked.start, asked.end)
    shown = _shown(rows, question)
    over = [period for period in shown if _complete(period, question)]
    series = tuple(Point(period.name, _count(rows, period), _complete(period, question)) for period in shown)
    if not over:
        nothing = Figure(None, reason="immature" if shown else "no_base")
        return Measured(nothing, series=series, previous=nothing if question.compare else None, internal_left_out=ours)
    latest = over[-1]
    return Measured(
        _count(rows, latest),
        series=series,
        groups=_groups(rows, latest) if question.by_channel else (),
        previous=_count(rows, previous_period(latest, question.grain, question.zone)) if question.compare else None,
        internal_left_out=ours,
    )


def _active(engine: Engine, star: NorthStar, internal: Internal | None, question: MetricQuestion) -> list[Active]:
    """From one period before the range on: the first one shown may be compared with it."""
    grain, zone = question.grain, question.zone
    start = question.range.start and previous_period(period_of(question.range.start, grain, zone), grain, zone).start
    last = period_of(question.range.end - timedelta(microseconds=1), grain, zone)
    engine.bind("matches", matching(engine, [star.selections], internal, start, last.end))
    params = {"unit": star.unit, "grain": grain, "zone": zone.key, "times": star.times}
    rows = engine.table(load("metrics", "north_star").text, params).to_pylist()
    return [Active(row["start"], row["channel"], row["units"]) for row in rows]


def _shown(rows: list[Active], question: MetricQuestion) -> list[Period]:
    """The periods of the range; without a start, from the first one in which a unit was active."""
    end, grain, zone = question.range.end, question.grain, question.zone
    oldest = earliest(end, grain).date()
    first = min((midnight(row.start, zone) for row in rows if row.start >= oldest), default=end)
    return periods(question.range.start or first, end, grain, zone)


def _complete(period: Period, question: MetricQuestion) -> bool:
    start = question.range.start
    return (start is None or start <= period.start) and period.end <= min(question.range.end, question.as_of)


def _count(rows: list[Active], period: Period) -> Figure:
    units = sum(row.units for row in rows if row.start == period.name)
    return Figure(units, units)


def _groups(rows: list[Active], period: Period) -> tuple[Group, ...]:
    active = sorted((row for row in rows if row.start == period.name), key=lambda row: (-row.units, row.channel or ""))
    return tuple(Group((row.channel,), Figure(row.units, row.units)) for row in active)
