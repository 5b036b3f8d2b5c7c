"""The few statistics that every answer carries, and those of comparisons.

A zero denominator gives None, never 0 and never an error. scipy is imported where it is used: 70 MB that a process which
compares nothing does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

Z95: Final = 1.959963984540054  # the standard normal's 97.5 % quantile
EXPECTED: Final = 5  # the smallest expected count that chi-square's distribution is trusted with (Cochran 1954)


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


@dataclass(frozen=True, slots=True)
class Table:
    """Two shares side by side: ``part`` of ``whole`` here, ``other_part`` of ``other_whole`` among the rest."""

    part: int
    whole: int
    other_part: int
    other_whole: int

    @property
    def cells(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Converted and not, here and among the rest."""
        return (self.part, self.whole - self.part), (self.other_part, self.other_whole - self.other_part)

    @property
    def least_expected(self) -> float:
        """The smallest count that the four cells would have were both shares equal."""
        parts, wholes = self.part + self.other_part, self.whole + self.other_whole
        return min(self.whole, self.other_whole) * min(parts, wholes - parts) / wholes

    def p_value(self) -> float | None:
        """Two-sided, that both shares are one: Fisher's exact test where a cell is expected to hold fewer than 5, else
        Pearson's chi-square. Without Yates's correction: it makes the test hold its level by making it blunt (Campbell 2007,
        Statistics in Medicine 26), and where the level is in danger the exact test is taken already. None where one side is
        empty.
        """
        if self.whole == 0 or self.other_whole == 0:
            return None
        if self.least_expected < EXPECTED:
            from scipy.stats import fisher_exact

            return min(float(fisher_exact(self.cells).pvalue), 1.0)
        from scipy.special import chdtrc

        parts, wholes = self.part + self.other_part, self.whole + self.other_whole
        share = parts / wholes
        gap = self.part / self.whole - self.other_part / self.other_whole
        square = gap * gap / (share * (1 - share) * (1 / self.whole + 1 / self.other_whole))
        return float(chdtrc(1, square))

    def odds_ratio(self) -> tuple[float, float, float] | None:
        """The odds here over the odds among the rest, then the low and high end of Woolf's 95 % interval (1955, Annals of
        Human Genetics 19). Where a cell is 0, half is added to each (Haldane 1956, Anscombe 1956). None where one side is
        empty.
        """
        if self.whole == 0 or self.other_whole == 0:
            return None
        half = 0.5 if 0 in (*self.cells[0], *self.cells[1]) else 0.0
        (a, b), (c, d) = [[count + half for count in row] for row in self.cells]
        centre, reach = log(a) - log(b) - log(c) + log(d), Z95 * sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        return exp(centre), exp(centre - reach), exp(centre + reach)


def corrected(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for how many were asked (Benjamini, Hochberg 1995, JRSS B 57), in their order; None stays None."""
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    from scipy.stats import false_discovery_control

    found = iter(false_discovery_control(known, method="bh").tolist())
    return [None if p is None else float(next(found)) for p in p_values]
