"""The viral coefficient: how many new people does a new person bring, within the horizon after registering.

Observed K over the people old enough for it (its denominator), split by whether an invitee opened a new account or
joined the inviter's. Whoever registered too recently is left out of both numbers, since K would be biased down
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from math import sqrt
from statistics import median
from typing import Final

from funnels import traffic
from funnels.definitions.definition import Definitions, Virality
from funnels.figures import Figure, Group, Measured, Point
from funnels.periods import midnight, periods
from funnels.question import MetricQuestion, Range, earliest
from funnels.stats import Z95, ratio
from sql.loader import load
from transforms.engine import Engine

DAY: Final = 86_400.0  # seconds


@dataclass(frozen=True)
class Brought:
    """What the inviters of one period and channel brought; all but the median adds up."""

    start: date | None
    channel: str | None
    registered: int
    base: int  # of these, old enough
    out_count: int
    in_count: int
    squares: int  # sum over inviters of (people brought)^2
    cycles: list[float]  # seconds from an inviter's registration to an invitee's

    def figure(self) -> Figure:
        brought = self.out_count + self.in_count
        if self.base == 0:
            return Figure(None, 0, 0, reason="immature" if self.registered else "no_base")
        return Figure(brought / self.base, brought, self.base, mean_interval(brought, self.squares, self.base))


def mean_interval(total: int, squares: int, count: int) -> tuple[float, float] | None:
    """95 % interval of a mean of counts: mean +- z s / sqrt(n) with the sample variance s^2 (central limit), cut off at 0.

    None below two counts, which have no variance. ``mean_interval(4, 10, 4) == (0.0, 2.38...)``: offspring 0, 1, 3, 0.
    """
    if count < 2:
        return None
    mean = total / count
    reach = Z95 * sqrt(max(squares - count * mean * mean, 0.0) / (count - 1) / count)
    return max(mean - reach, 0.0), mean + reach


def settings(definitions: Definitions) -> dict[str, object]:
    """What the number depends on, shown beside it."""
    return {"horizon_days": definitions.virality.horizon.total_seconds() / DAY, "stage": definitions.virality.stage}


def measure(engine: Engine, definitions: Definitions, question: MetricQuestion) -> Measured:
    virality = definitions.virality
    rows = _brought(engine, virality, question, question.range)
    whole = _sum(rows)
    return Measured(
        whole.figure(),
        _parts(whole),
        tuple(_series(rows, virality, question)),
        tuple(_groups(rows)) if question.by_channel else (),
        _previous(engine, virality, question) if question.compare else None,
        traffic.people(engine),
    )


def _brought(engine: Engine, virality: Virality, question: MetricQuestion, asked: Range) -> list[Brought]:
    params = {
        "stage": virality.stage,
        "horizon": virality.horizon,
        "start": asked.start,
        "until": asked.end,
        "as_of": question.as_of,
        "grain": question.grain,
        "zone": question.zone.key,
    }
    rows = engine.table(load("metrics", "viral_coefficient").text, params)
    return [Brought(*row.values()) for row in rows.select([field.name for field in fields(Brought)]).to_pylist()]


def _sum(rows: Iterable[Brought]) -> Brought:
    """All of them in one, of no period and no channel."""
    taken = list(rows)
    return Brought(
        None,
        None,
        sum(row.registered for row in taken),
        sum(row.base for row in taken),
        sum(row.out_count for row in taken),
        sum(row.in_count for row in taken),
        sum(row.squares for row in taken),
        [seconds for row in taken for seconds in row.cycles],
    )


def _parts(whole: Brought) -> dict[str, float | None]:
    return {
        "k_out": ratio(whole.out_count, whole.base),
        "k_in": ratio(whole.in_count, whole.base),
        "cycle_days_median": median(whole.cycles) / DAY if whole.cycles else None,
    }


def _series(rows: list[Brought], virality: Virality, question: MetricQuestion) -> Iterator[Point]:
    """A point per period of the range, also where nobody registered."""
    asked, zone = question.range, question.zone
    oldest = earliest(asked.end, question.grain).date()
    starts = [midnight(row.start, zone) for row in rows if row.start and row.start >= oldest]
    start = asked.start or min(starts, default=asked.end)
    for period in periods(start, asked.end, question.grain, zone):
        whole = start <= period.start and period.end <= asked.end
        mature = period.end + virality.horizon <= question.as_of
        yield Point(period.name, _sum(row for row in rows if row.start == period.name).figure(), whole and mature)


def _groups(rows: list[Brought]) -> list[Group]:
    channels = sorted({row.channel for row in rows if row.channel is not None})
    groups = [Group((channel,), _sum(row for row in rows if row.channel == channel).figure()) for channel in channels]
    return sorted(groups, key=lambda group: -(group.figure.denominator or 0))


def _previous(engine: Engine, virality: Virality, question: MetricQuestion) -> Figure:
    """The same over the range of equal length just before; nothing was before the beginning."""
    start, end = question.range.start, question.range.end
    if start is None:
        return Figure(None, reason="no_base")
    return _sum(_brought(engine, virality, question, Range(start - (end - start), start))).figure()
