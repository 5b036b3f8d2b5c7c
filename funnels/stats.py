"""The few statistics that every answer carries.

A zero denominator gives None, never 0 and never an error.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

Z95: Final = 1.959963984540054  # the standard normal's 97.5 % quantile


def ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def wilson(successes: int, trials: int) -> list[float] | None:
    """Wilson's 95 % interval for a proportion (Wilson 1927, JASA 22): ``wilson(1000, 1000) == [0.9961..., 1.0]``."""
    if trials == 0:
        return None
    share, square = successes / trials, Z95 * Z95
    centre = share + square / (2 * trials)
    reach = Z95 * sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    scale = 1 + square / trials
    low = 0.0 if successes == 0 else (centre - reach) / scale
    high = 1.0 if successes == trials else (centre + reach) / scale
    return [low, high]


def quantile(values: NDArray[np.float64], share: float) -> float | None:
    """The quantile with linear interpolation (Hyndman and Fan's type 7, as in R, NumPy and DuckDB's ``quantile_cont``)."""
    return float(np.quantile(values, share, method="linear")) if values.size else None


def spread(seconds: NDArray[np.float64]) -> dict[str, float] | None:
    """Median, 90 % quantile and mean of durations in seconds, or None where there are none."""
    if seconds.size == 0:
        return None
    median, p90 = np.quantile(seconds, [0.5, 0.9], method="linear")
    return {"median": float(median), "p90": float(p90), "mean": float(seconds.mean())}
