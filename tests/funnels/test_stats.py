"""The statistics of an answer, against published and hand-made values."""

from __future__ import annotations

import numpy as np
import pytest

from funnels.stats import quantile, ratio, spread, wilson


def test_a_ratio_without_a_denominator_is_nothing() -> None:
    assert ratio(0, 0) is None
    assert ratio(0, 5) == 0.0


@pytest.mark.parametrize(
    ("successes", "trials", "interval"),
    [  # Newcombe 1998, Statistics in Medicine 17, table I, method 3
        (81, 263, [0.2553, 0.3662]),
        (15, 148, [0.0624, 0.1605]),
        (0, 20, [0.0, 0.1611]),
        (1, 29, [0.0061, 0.1718]),
        (29, 29, [0.8830, 1.0]),
    ],
)
def test_the_interval_is_wilsons(successes: int, trials: int, interval: list[float]) -> None:
    assert wilson(successes, trials) == pytest.approx(interval, abs=5e-5)


def test_the_interval_of_the_definitions_example() -> None:
    assert wilson(1000, 1000) == pytest.approx([0.996, 1.0], abs=5e-4)
    assert wilson(420, 1000) == pytest.approx([0.39, 0.451], abs=5e-4)


def test_no_trials_have_no_interval() -> None:
    assert wilson(0, 0) is None


def test_quantiles_interpolate_linearly() -> None:
    values = np.array([4.0, 1.0, 3.0, 2.0])
    assert [quantile(values, share) for share in (0.0, 0.5, 0.9, 1.0)] == pytest.approx([1.0, 2.5, 3.7, 4.0])
    assert quantile(np.array([]), 0.5) is None


def test_a_spread_tells_median_ninth_decile_and_mean() -> None:
    assert spread(np.array([0.0, 10.0, 50.0])) == pytest.approx({"median": 10.0, "p90": 42.0, "mean": 20.0})
    assert spread(np.array([])) is None
