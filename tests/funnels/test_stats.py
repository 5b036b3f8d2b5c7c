"""The statistics of an answer, against published and hand-made values."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import chi2_contingency, fisher_exact
from scipy.stats.contingency import expected_freq

from funnels.stats import Table, corrected, quantile, ratio, spread, wilson


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


def test_few_expected_take_fishers_exact_test_and_many_chi_square_without_correction() -> None:
    # Fisher's tea: 3 of 4 right. Agresti, Categorical Data Analysis, 3.5.2
    assert Table(3, 4, 1, 4).p_value() == pytest.approx(0.4857, abs=5e-5)
    # Campbell 2007: Yates 1984's example would be 0.0736 exact; 20 of 30 against 10 of 30 has no small expectation
    assert Table(20, 30, 10, 30).p_value() == pytest.approx(float(chi2_contingency([[20, 10], [10, 20]], False).pvalue))


@pytest.mark.parametrize("seed", range(40))
def test_the_p_value_is_scipys(seed: int) -> None:
    random = np.random.default_rng(seed)
    wholes = random.integers(1, 10 ** random.integers(1, 5), 2)
    parts = random.binomial(wholes, random.uniform(0.01, 0.99))
    found = Table(int(parts[0]), int(wholes[0]), int(parts[1]), int(wholes[1]))
    if 0 in (parts.sum(), (wholes - parts).sum()):
        assert found.p_value() == 1.0
    elif expected_freq(np.array(found.cells)).min() < 5:
        assert found.p_value() == pytest.approx(float(fisher_exact(found.cells).pvalue))
    else:
        assert found.p_value() == pytest.approx(float(chi2_contingency(found.cells, False).pvalue), rel=1e-6)


def test_a_group_without_a_rest_has_nothing_to_be_compared_with() -> None:
    assert Table(3, 10, 0, 0).p_value() is None
    assert Table(0, 0, 3, 10).p_value() is None
    assert Table(3, 10, 0, 0).odds_ratio() is None
    assert Table(10, 10, 20, 20).p_value() == 1.0


def test_a_hundred_million_units_are_compared_at_once() -> None:
    assert Table(0, 5, 10, 100_000_000).p_value() == 1.0
    assert Table(50_000, 50_000_000, 51_000, 50_000_000).p_value() == pytest.approx(0.00163, abs=1e-4)


def test_the_odds_ratio_has_woolfs_interval() -> None:
    # Bland and Altman 2000, BMJ 320: hay fever and eczema, 141 of 561 against 928 of 14453
    assert Table(141, 561, 928, 14453).odds_ratio() == pytest.approx((4.89, 4.00, 5.99), abs=0.01)


def test_an_empty_cell_adds_a_half_to_each() -> None:
    assert Table(0, 10, 5, 10).odds_ratio() == pytest.approx((1 / 21, 0.002203, 1.029278), rel=1e-3)
    found = Table(10, 10, 5, 10).odds_ratio()
    assert found is not None and found[0] == pytest.approx(10.5 * 5.5 / (0.5 * 5.5))


def test_p_values_are_corrected_over_those_there_are() -> None:
    # Benjamini and Hochberg 1995, section 4.1: the fourth smallest of 15 is the last below 0.05
    published = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    published += [0.7590, 1.0000]
    found = corrected([None, *published, None])
    assert found[0] is None and found[-1] is None
    kept = [p for p in found if p is not None]
    assert [p < 0.05 for p in kept] == [True] * 4 + [False] * 11
    assert kept[0] == pytest.approx(0.0015)
    assert corrected([None]) == [None]
    assert corrected([]) == []


def test_a_server_that_compares_nothing_does_not_load_scipy() -> None:
    code = "import sys, funnels.stats, funnels.result; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
