"""The answer of section 7 of the funnel's definition, read from the matcher's outcome.

    answer(outcome, labels, rules, zone)["steps"][1]
    {"label": "Paid", "reached": 42, "from_start": 0.42, "from_previous": 0.42, "interval": [0.33, 0.52], "dropped": 0,
     "seconds_from_previous": {"median": 5400.0, "p90": 86400.0, "mean": 20000.0}}

Ratios are shares, not percentages; intervals are Wilson's at 95 % and belong to ``from_start`` and ``conversion``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from funnels.kernel import Ints
from funnels.match import CONVERTED, EXCLUDED, PENDING, Outcome, Rules, Tally
from funnels.stats import ratio, spread, wilson

GROUPS: Final = 25  # how many groups are listed before the rest are one

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Groups:
    """One group per unit: ``values[codes[unit]]``. None is a value like any other, the group of those without one."""

    codes: Ints
    values: Sequence[str | None]


def answer(
    outcome: Outcome, labels: Sequence[str], rules: Rules, zone: ZoneInfo, groups: Groups | None = None, limit: int = GROUPS
) -> Json:
    """What any funnel says; the caller adds its definition, its warnings and which data it read.

    The trend's buckets start at days of ``zone``. ``groups`` is there only if groups are asked for.
    """
    everyone = np.ones(outcome.levels.size, np.bool_)
    entrants, converted = _entrants(outcome, everyone), _converted(outcome, everyone)
    pending, excluded = (int((outcome.states == state).sum()) for state in (PENDING, EXCLUDED))
    found: Json = {
        "steps": _steps(outcome, labels, everyone),
        "entrants": entrants,
        "converted": converted,
        "pending": pending,
        "excluded": excluded,
        "lost": entrants - converted - pending - excluded,
        "conversion": ratio(converted, entrants),
        "mature": {**_share(outcome.mature), "to": iso(rules.ripe)},
        "as_of": iso(rules.as_of),
    }
    if rules.edges:
        found["trend"] = _trend(outcome.trend, rules, zone)
    if groups is not None:
        found["groups"] = _groups(outcome, labels, groups, limit)
    return found


def iso(time: datetime) -> str:
    """``2026-01-25T00:00:00Z``; microseconds only where there are some."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _entrants(outcome: Outcome, among: NDArray[np.bool_]) -> int:
    return int(((outcome.levels > 0) & among).sum())


def _converted(outcome: Outcome, among: NDArray[np.bool_]) -> int:
    return int(((outcome.states == CONVERTED) & among).sum())


def _steps(outcome: Outcome, labels: Sequence[str], among: NDArray[np.bool_]) -> list[Json]:
    """One row per step, over the units chosen by ``among``."""
    ends = np.bincount(outcome.levels[among], minlength=outcome.steps + 1)  # units by the last step of their witness
    reached = [int(ends[step:].sum()) for step in range(1, outcome.steps + 1)]
    return [
        {
            "label": label,
            "reached": reached[step],
            "from_start": ratio(reached[step], reached[0]),
            "from_previous": ratio(reached[step], reached[step - 1]) if step else None,
            "interval": wilson(reached[step], reached[0]),
            "dropped": int(ends[step + 1]) if step + 1 < outcome.steps else 0,
            "seconds_from_previous": _seconds(outcome, step, among) if step else None,
        }
        for step, label in enumerate(labels)
    ]


def _seconds(outcome: Outcome, step: int, among: NDArray[np.bool_]) -> dict[str, float] | None:
    chosen = (outcome.levels > step) & among
    return spread((outcome.times[chosen, step] - outcome.times[chosen, step - 1]) / 1e6)


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
            "complete": rules.start <= start and end <= rules.end and end + rules.window <= rules.as_of,
        }
        for start, end, tally in zip(rules.edges, rules.edges[1:], tallies, strict=False)
    ]


def _groups(outcome: Outcome, labels: Sequence[str], groups: Groups, limit: int) -> list[Json]:
    """The largest groups that anyone entered in, largest first (then by name); the rest in one row marked ``other``."""
    codes = groups.codes[outcome.units]
    sizes = np.bincount(codes, minlength=len(groups.values))
    order = sorted(np.flatnonzero(sizes).tolist(), key=lambda code: (-sizes[code], groups.values[code] or ""))
    listed = [_group(outcome, labels, codes == code, [groups.values[code]], other=False) for code in order[:limit]]
    if len(order) > limit:
        listed.append(_group(outcome, labels, np.isin(codes, order[limit:]), [], other=True))
    return listed


def _group(
    outcome: Outcome, labels: Sequence[str], among: NDArray[np.bool_], values: list[str | None], *, other: bool
) -> Json:
    entrants, converted = _entrants(outcome, among), _converted(outcome, among)
    return {
        "values": values,
        "other": other,
        "steps": _steps(outcome, labels, among),
        "entrants": entrants,
        "converted": converted,
        "conversion": ratio(converted, entrants),
        "interval": wilson(converted, entrants),
    }
