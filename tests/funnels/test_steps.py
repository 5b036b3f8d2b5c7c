"""Rows of steps, and how long cases were watched, from outcomes written by hand: optional steps, exclusions, any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from funnels.groups import in_time
from funnels.match import CONVERTED, EXCLUDED, LOST, NEVER, PENDING, Outcome, Rules, Tally
from funnels.steps import last_steps, step_rows
from funnels.survival import waits
from tests.funnels.random_streams import moment

NOBODY = Tally(0, 0, 0, 0, 0)
RULES = Rules((None,) * 3, timedelta(seconds=10), moment(0), moment(100), moment(200))
LABELS = ["A", "B", "C"]


def outcome(*cases: tuple[int, int, list[int | None]], barred: int | None = None) -> Outcome:
    """Each case's level, state and the seconds of its witness; its first entry is a second before."""
    seconds = [second for _, _, times in cases for second in times]
    events = iter(range(len(seconds)))
    rows = [[-1 if second is None else event for second, event in zip(times, events, strict=False)] for _, _, times in cases]
    entered = [1_000_000 * (min(second for second in times if second is not None) - 1) for _, _, times in cases]
    return Outcome(
        units=np.arange(len(cases), dtype=np.int32),
        levels=np.array([level for level, _, _ in cases]),
        states=np.array([state for _, state, _ in cases], np.int8),
        witness=np.array(rows),
        entered=np.array(entered),
        barred=np.array([NEVER if barred is None or state != EXCLUDED else barred * 1_000_000 for _, state, _ in cases]),
        mature=NOBODY,
        trend=(),
        event_times=np.array([0 if second is None else second * 1_000_000 for second in seconds]),
    )


def test_an_optional_step_is_reached_by_whoever_took_it_and_may_be_where_one_drops() -> None:
    found = outcome(
        (2, CONVERTED, [1, 2, 5]),
        (2, CONVERTED, [1, None, 9]),
        (1, LOST, [1, 4, None]),  # went no further than the optional step
        (1, PENDING, [1, None, None]),
    )
    rules = replace(RULES, optional=frozenset({1}))
    rows = step_rows(found, LABELS, rules)
    assert [(row["reached"], row["dropped"]) for row in rows] == [(4, 1), (2, 1), (2, 0)]
    assert [row["from_previous"] for row in rows] == [None, 0.5, 0.5]  # C from A: B is optional
    assert rows[1]["seconds_from_previous"] == {"median": 2.0, "p90": pytest.approx(2.8), "mean": 2.0}
    assert rows[2]["seconds_from_previous"] == {"median": 6.0, "p90": pytest.approx(7.6), "mean": 6.0}  # 4 and 8 from A
    assert last_steps(found, rules).tolist() == [2, 2, 1, 0]


def test_a_reversal_within_the_tolerance_of_ties_took_no_time() -> None:
    rows = step_rows(outcome((2, LOST, [5, 4, None])), LABELS, replace(RULES, ties=timedelta(seconds=2)))
    assert rows[1]["seconds_from_previous"] == {"median": 0.0, "p90": 0.0, "mean": 0.0}


def test_in_any_order_step_k_is_the_kth_event_in_time() -> None:
    rules = replace(RULES, order="any")
    found = in_time(outcome((2, LOST, [None, 2, 4]), (3, CONVERTED, [1, 2, 9])), rules)
    rows = step_rows(found, LABELS, rules)
    assert [(row["reached"], row["dropped"]) for row in rows] == [(2, 0), (2, 1), (1, 0)]
    assert rows[1]["seconds_from_previous"] == {"median": 1.5, "p90": pytest.approx(1.9), "mean": 1.5}


def test_whoever_did_not_convert_was_watched_from_the_first_entry_until_window_as_of_or_exclusion() -> None:
    found = outcome(
        (3, CONVERTED, [3, 4, 8]),  # 5 s from the witness's own entry
        (1, LOST, [20, None, None]),
        (2, EXCLUDED, [20, 21, None]),
        (1, PENDING, [196, None, None]),
        barred=23,
    )
    seconds, converted = waits(found, RULES)
    assert (seconds / 1e6).tolist() == [5.0, 10.0, 4.0, 5.0]
    assert converted.tolist() == [True, False, False, False]
