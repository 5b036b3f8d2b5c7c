"""Who had converted after how long: Kaplan and Meier's estimate (1958, JASA 53), which takes along whoever is still waiting.

A case that converted is an event at the time from its witness's entry to the conversion. Any other is censored: it was
watched, without converting, from its first entry in range to the earliest of its window's end, ``as_of`` and the exclusion
that ended its witness. Of cases at one moment conversions come before censorings.

The interval is that of the log-log transform ("exponential Greenwood", Kalbfleisch and Prentice 1980), at 95 %: it never
leaves [0, 1]. It is ``lifelines``' and, by ``conf.type = "log-log"``, R's; ``tests/funnels/test_survival.py`` compares. Our
own code because it is ten lines, and sorts integers where scipy's ``ecdf`` sorts floats and carries every case through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from funnels.kernel import Ints
from funnels.match import CONVERTED, NEVER, Outcome, Rules, microseconds
from funnels.stats import Z95

_MICROSECOND: Final = timedelta(microseconds=1)


def survival(outcome: Outcome, rules: Rules) -> list[dict[str, object]]:
    """The curve of an outcome's cases (``curve``)."""
    return curve(*waits(outcome, rules))


def waits(outcome: Outcome, rules: Rules) -> tuple[Ints, NDArray[np.bool_]]:
    """How long each case was watched, in microseconds, and whether it converted then; its witness is by time."""
    converted = outcome.states == CONVERTED
    window, as_of = rules.window // _MICROSECOND, microseconds(rules.as_of)
    watched = np.minimum(window, as_of - outcome.entered)
    barred = outcome.barred != NEVER
    watched[barred] = np.minimum(watched[barred], outcome.barred[barred] - outcome.entered[barred])
    ends = outcome.witness[converted]
    watched[converted] = outcome.event_times[ends[:, -1]] - outcome.event_times[ends[:, 0]]
    return np.maximum(watched, 0), converted  # a reversal within the tolerance of ties is no time


def curve(waited: Ints, converted: NDArray[np.bool_]) -> list[dict[str, object]]:
    """One row per moment at which somebody converted, after the row of the beginning and before that of the longest wait.

    ``waited`` (microseconds) and ``converted`` are parallel, one element per case. All moments are told: ``thinned`` is for
    whoever draws them. ``low`` and ``high`` are None where all have converted. Nobody at all gives no row.

        curve(np.array([0, 2_000_000]), np.array([False, True]))[-1]
        {"seconds": 2.0, "converted": 1.0, "low": None, "high": None}
    """
    if waited.size == 0:
        return []
    times, deaths = np.unique(waited[converted], return_counts=True)
    censored = waited[~converted]
    censored = np.sort(censored[censored < times.max(initial=0)])  # not those who were watched to the end, mostly all
    before = np.cumsum(deaths) - deaths  # conversions earlier than each moment
    waiting = waited.size - before - np.searchsorted(censored, times)
    left = np.cumprod((waiting - deaths) / waiting, dtype=np.float64)
    low, high = _interval(left, deaths, waiting)
    rows = [
        {"seconds": seconds, "converted": share, "low": below, "high": above}
        for seconds, share, below, above in zip(*map(_listed, (times / 1e6, 1 - left, low, high)), strict=True)
    ]
    return _with_ends(rows, float(waited.max()) / 1e6)


def _interval(
    left: NDArray[np.float64], deaths: NDArray[np.int64], waiting: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the share that converted; NaN where none are left."""
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(deaths / (waiting * (waiting - deaths)))
        reach = Z95 * np.sqrt(variance) / -np.log(left)
        low, high = 1 - left ** np.exp(-reach), 1 - left ** np.exp(reach)
    gone = left == 0
    return np.where(gone, np.nan, low), np.where(gone, np.nan, high)


def thinned(rows: Sequence[Mapping[str, object]], points: int) -> list[Mapping[str, object]]:
    """A curve for a picture: all its rows, or the ends and those at which the share that converted first reaches each of so
    many even steps, each as it stands in the whole curve."""
    if len(rows) <= points:
        return list(rows)
    shares = np.array([row["converted"] for row in rows], np.float64)
    reached = np.searchsorted(shares, np.linspace(shares[0], shares[-1], points))
    return [rows[place] for place in np.unique([0, *reached.clip(max=len(rows) - 1), len(rows) - 1]).tolist()]


def _with_ends(rows: list[dict[str, object]], longest: float) -> list[dict[str, object]]:
    if not rows or rows[0]["seconds"] != 0:
        rows = [{"seconds": 0.0, "converted": 0.0, "low": 0.0, "high": 0.0}, *rows]
    return rows if rows[-1]["seconds"] == longest else [*rows, {**rows[-1], "seconds": longest}]


def _listed(values: NDArray[np.float64]) -> list[float | None]:
    """With None for NaN, of which there are few."""
    told: list[float | None] = values.tolist()
    for place in np.flatnonzero(np.isnan(values)).tolist():
        told[place] = None
    return told
