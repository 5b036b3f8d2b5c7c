"""The answer of section 7 of the funnel's definition, read from the matcher's outcome.

    answer(outcome, labels, rules, zone)["steps"][1]
    {"label": "Paid", "reached": 42, "from_start": 0.42, "from_previous": 0.42, "interval": [0.33, 0.52], "dropped": 0,
     "seconds_from_previous": {"median": 5400.0, "p90": 86400.0, "mean": 20000.0}}

Ratios are shares, not percentages; intervals are Wilson's at 95 % and belong to ``from_start`` and ``conversion``. All
counts are of cases: units, or attempts where attempts are counted (then a group's p-value takes the attempts of one unit
for independent, which flatters it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from funnels.groups import Group, Grouping, in_time, largest
from funnels.match import CONVERTED, EXCLUDED, LOST, PENDING, Outcome, Rules, Tally
from funnels.stats import corrected, quantile, ratio, wilson
from funnels.steps import Json as Json
from funnels.steps import seconds_between, step_rows
from funnels.survival import survival
from funnels.times import iso

GROUPS: Final = 25  # how many groups are listed before the rest are one

_STATES: Final = {"converted": CONVERTED, "pending": PENDING, "excluded": EXCLUDED, "lost": LOST}


@dataclass(frozen=True, slots=True)
class Histogram:
    """Time to convert: from one step to a later one, both counted from 0, in so many bins."""

    start: int
    end: int
    bins: int


def answer(
    outcome: Outcome,
    labels: Sequence[str],
    rules: Rules,
    zone: ZoneInfo,
    grouping: Grouping | None = None,
    limit: int = GROUPS,
    histogram: Histogram | None = None,
) -> Json:
    """What any funnel says; the caller adds its definition, its warnings and which data it read.

    ``labels``: one per step. The trend's buckets start at days of ``zone``. ``grouping`` (of ``groups.breakdown``) and
    ``histogram`` are there only if asked for.
    """
    outcome = in_time(outcome, rules)
    counts = {name: int(np.count_nonzero(outcome.states == state)) for name, state in _STATES.items()}
    entrants = outcome.levels.size
    found: Json = {
        "steps": step_rows(outcome, labels, rules),
        "entrants": entrants,
        **counts,
        "conversion": ratio(counts["converted"], entrants),
        "mature": {**_share(outcome.mature), "to": iso(rules.ripe)},
        "survival": survival(outcome, rules),
        "as_of": iso(rules.as_of),
    }
    if rules.edges:
        found["trend"] = _trend(outcome.trend, rules, zone)
    if histogram is not None:
        found["time_to_convert"] = _time_to_convert(outcome, histogram)
    if grouping is not None:
        found["groups"] = group_rows(grouping, labels, rules, limit)
    return found


def group_rows(grouping: Grouping, labels: Sequence[str], rules: Rules, limit: int) -> list[Json]:
    """A row per listed group; p-values are against all other entrants, corrected over the rows there are."""
    groups = largest(grouping, limit)
    raw = [group.shares.p_value() for group in groups]
    return [_group(group, labels, rules, p, q) for group, p, q in zip(groups, raw, corrected(raw), strict=True)]


def _group(group: Group, labels: Sequence[str], rules: Rules, p_value: float | None, p_corrected: float | None) -> Json:
    entrants, converted = group.shares.whole, group.shares.part
    return {
        "values": list(group.values),
        "other": group.other,
        "steps": step_rows(group.outcome, labels, rules),
        "entrants": entrants,
        "converted": converted,
        "conversion": ratio(converted, entrants),
        "interval": wilson(converted, entrants),
        "p_value": p_value,
        "p_corrected": p_corrected,
    }


def _share(tally: Tally) -> Json:
    return {
        "entrants": tally.entrants,
        "converted": tally.converted,
        "conversion": ratio(tally.converted, tally.entrants),
    }


def _trend(tallies: Sequence[Tally], rules: Rules, zone: ZoneInfo) -> list[Json]:
    """A bucket is complete when it lies inside the range and all its windows have closed."""
    return [
        {
            "start": start.astimezone(zone).date().isoformat(),
            **_share(tally),
            "pending": tally.pending,
            "excluded": tally.excluded,
            "lost": tally.lost,
            "complete": rules.start <= start and end <= rules.end and end + rules.window <= rules.as_of,
        }
        for start, end, tally in zip(rules.edges, rules.edges[1:], tallies, strict=False)
    ]


def _time_to_convert(outcome: Outcome, asked: Histogram) -> Json:
    """Bins from 0 to the longest time, of equal width, closed on the left, the last on both sides; one if all took none."""
    seconds = seconds_between(outcome, asked.start, asked.end)
    longest = float(seconds.max(initial=0.0))
    bins = 0 if not seconds.size else asked.bins if longest else 1
    counts, edges = np.histogram(seconds, max(bins, 1), (0.0, longest or 1.0))
    ends = edges.tolist() if longest else [0.0, 0.0]
    return {
        "count": int(seconds.size),
        "median": quantile(seconds, 0.5),
        "bins": [
            {"from": start, "to": end, "count": int(count)}
            for start, end, count in zip(ends[:bins], ends[1:], counts, strict=False)
        ],
    }
