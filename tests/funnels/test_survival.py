"""Kaplan-Meier: a curve by hand, and lifelines' on random cases."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from numpy.typing import NDArray

from funnels.survival import curve, thinned


def told(seconds: list[float], converted: list[bool]) -> list[tuple[object, ...]]:
    rows = curve((np.array(seconds) * 1e6).astype(np.int64), np.array(converted, np.bool_))
    return [tuple(row.values()) for row in rows]


def random_cases(seed: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 300))
    waited = random.integers(0, random.choice([3, 20, 10_000]), count) * 1_000_000
    return waited, random.random(count) < random.choice([0.0, 0.1, 0.5, 1.0])


def test_a_curve_by_hand() -> None:
    # 4 wait; one converts at 1 s (3/4 left), one is censored at 2, one converts at 2 before it (3/4 * 2/3), one at 9 is left
    found = told([1, 2, 2, 9], [True, True, False, False])
    assert [row[:2] for row in found] == [(0.0, 0.0), (1.0, 0.25), (2.0, 0.5), (9.0, 0.5)]
    assert found[1][2:] == pytest.approx((0.0395, 0.8721), abs=1e-4)  # as R's survfit, conf.type = "log-log"
    assert found[3][2:] == found[2][2:]


def test_a_conversion_after_no_time_counts_at_the_beginning() -> None:
    assert told([0, 5], [True, False])[0][:2] == (0.0, 0.5)


def test_when_all_have_converted_there_is_no_interval() -> None:
    assert told([0, 2], [False, True]) == [(0.0, 0.0, 0.0, 0.0), (2.0, 1.0, None, None)]


def test_nobody_has_no_curve_and_those_who_only_wait_a_flat_one() -> None:
    assert told([], []) == []
    assert told([3, 7], [False, False]) == [(0.0, 0.0, 0.0, 0.0), (7.0, 0.0, 0.0, 0.0)]


@pytest.mark.parametrize("seed", range(60))
def test_random_curves_are_those_of_lifelines(seed: int) -> None:
    waited, converted = random_cases(seed)
    fitted = KaplanMeierFitter().fit(waited / 1e6, converted)
    shares, intervals = fitted.survival_function_at_times, fitted.confidence_interval_
    for row in curve(waited, converted):
        assert row["converted"] == pytest.approx(1 - float(shares(row["seconds"]).iloc[0]))
        if row["low"] is not None and row["converted"]:
            low, high = 1 - intervals.loc[: row["seconds"]].iloc[-1].to_numpy()[::-1]
            assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_a_long_curve_is_told_whole_and_thinned_for_a_picture_keeps_its_values_and_its_ends() -> None:
    random = np.random.default_rng(5)
    waited = random.integers(0, 10**12, 30_000)
    converted = random.random(30_000) < 0.3
    whole = curve(waited, converted)
    assert len(whole) == np.unique(waited[converted]).size + 2
    rows = thinned(whole, 400)
    shares = KaplanMeierFitter().fit(waited / 1e6, converted).survival_function_at_times([row["seconds"] for row in rows])
    assert 200 < len(rows) <= 402
    assert (rows[0], rows[-1]) == (whole[0], whole[-1])
    assert [row["converted"] for row in rows] == pytest.approx((1 - shares).tolist())
    steps = np.diff([float(str(row["converted"])) for row in rows])
    assert np.quantile(steps, 0.95) < 0.006  # the last few, whom nobody waits with, weigh more
    assert thinned(whole[:400], 400) == whole[:400]
