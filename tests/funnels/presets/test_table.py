"""How products differ, case by case: the documented table, each cell run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from funnels.match import Tally
from funnels.presets import PRESETS, match, refused
from tests.funnels.presets.cases import events_of, preset, streams_of, told, told_all
from tests.funnels.random_streams import as_rules
from tests.oracle import Question

TWO = Question((None, None), 10, 0, 100, 1000)
THREE = Question((None, None, None), 10, 0, 100, 1000)
NAMES = sorted(PRESETS)


@pytest.mark.parametrize("name", NAMES)
def test_b_exactly_at_the_window_s_end_converts(name: str) -> None:
    assert told(name, "A0 B10", TWO) == (2, "converted", [0, 10])
    assert told(name, "A0 B11", TWO) == (1, "lost", [0, None])


@pytest.mark.parametrize("name", NAMES)
def test_a_later_entry_may_convert_but_not_for_mixpanel(name: str) -> None:
    expected = (1, "lost", [0, None]) if name == "mixpanel" else (2, "converted", [5, 12])
    assert told(name, "A0 A5 B12", TWO) == expected


@pytest.mark.parametrize("name", NAMES)
def test_b_stored_before_a_at_the_same_instant(name: str) -> None:
    expected = (1, "lost", [3, None]) if name == "openpanel" else (2, "converted", [3, 3])
    assert told(name, "B3 A3", TWO) == expected


def test_mixpanel_allows_two_seconds_of_reversal_and_amplitude_the_same_second() -> None:
    assert told("mixpanel", "B1 A3", TWO) == (2, "converted", [3, 1])
    assert told("mixpanel", "B0 A3", TWO) == (1, "lost", [3, None])
    assert told("amplitude", "B1 A3", TWO) == (1, "lost", [3, None])


@pytest.mark.parametrize("name", NAMES)
def test_one_event_that_fits_two_steps(name: str) -> None:
    both = name in ("clickhouse", "clickhouse:strict_deduplication", "umami")
    assert told(name, "AB5", TWO) == ((2, "converted", [5, 5]) if both else (1, "lost", [5, None]))


@pytest.mark.parametrize("name", NAMES)
def test_repeated_steps_at_one_instant(name: str) -> None:
    """``A1 B2 B3 C3``: strict_increase forgets B2, strict_deduplication stops at B3."""
    short = name in ("openpanel", "clickhouse:strict_deduplication")
    assert told(name, "A1 B2 B3 C3", THREE)[0] == (2 if short else 3)


def test_clickhouse_s_modes_on_ties_and_repeats() -> None:
    assert told("clickhouse", "A1 B2 B3 C3", replace(THREE, ties="strict"))[0] == 2
    assert told("clickhouse:strict_deduplication", "A0 B1 A2 B3 C4", THREE)[0] == 2


@pytest.mark.parametrize(("name", "level"), [("posthog", 3), ("clickhouse", 1), ("amplitude", 3)])
def test_strict_starts_again_but_not_for_clickhouse(name: str, level: int) -> None:
    assert told(name, "A0 E1 A2 B3 C4", replace(THREE, order="strict"))[0] == level


def test_strict_breaks_at_any_event_between() -> None:
    for name in ("posthog", "clickhouse", "amplitude"):
        assert told(name, "A0 E1 B2 C3", replace(THREE, order="strict"))[0] == 1
    assert told("posthog", "A0 E0 B2 C3", replace(THREE, order="strict"))[0] == 3  # at the same instant: not between


def test_amplitude_takes_either_order_within_a_second_and_one_of_two_alike() -> None:
    millis = Question((None, None), 10_000, 0, 100_000, 1_000_000)
    for text, level in [("B1100 A1900", 2), ("B900 A1100", 1), ("AB1100 AB1900", 1), ("AB1100 AB2100", 2)]:
        streams = streams_of([events_of(text)], millis)
        outcome = match("amplitude", replace(streams, times=streams.times // 1000), as_rules(TWO))
        assert outcome.levels.tolist() == [level], text
        assert outcome.entered.tolist() == [int(streams.times[outcome.witness[0, 0]]) // 1000]


def test_posthog_s_strict_forgives_a_repeated_step() -> None:
    assert told("posthog", "A0 B1 B2 C3", replace(THREE, order="strict"))[0] == 3


EXCLUDING = replace(TWO, exclusions=((0, 1),))


def test_an_exclusion_removes_the_unit_for_posthog_keeps_step_one_for_mixpanel_and_amplitude() -> None:
    assert told("posthog", "A0 X1 B5", EXCLUDING) == (0, "", [])
    assert told("posthog", "A0 X1", EXCLUDING) == (0, "", [])
    assert told("mixpanel", "A0 X3 B6", EXCLUDING) == (1, "excluded", [0, None])
    assert told("amplitude", "A0 X1 B5", EXCLUDING) == (1, "excluded", [0, None])


def test_a_clean_try_after_an_exclusion() -> None:
    assert told("posthog", "A0 X1 B2 A3 B4", EXCLUDING) == (2, "converted", [3, 4])
    assert told("amplitude", "A0 X1 B2 A3 B4", EXCLUDING) == (2, "converted", [3, 4])
    assert told("mixpanel", "A0 X3 B6 A7 B10", EXCLUDING) == (1, "excluded", [0, None])


def test_an_exclusion_before_or_after_its_steps_is_none() -> None:
    for name in ("posthog", "mixpanel", "amplitude"):
        assert told(name, "X0 A3 B6 X9", EXCLUDING) == (2, "converted", [3, 6])


def test_mixpanel_s_two_seconds_hold_for_exclusions_too() -> None:
    assert told("mixpanel", "A0 X2 B6", EXCLUDING) == (2, "converted", [0, 6])
    assert told("mixpanel", "A0 X4 B6", EXCLUDING) == (2, "converted", [0, 6])


def test_posthog_any_order_looks_for_exclusions_until_the_window_s_end() -> None:
    anyhow = replace(EXCLUDING, order="any")
    assert told("posthog", "B0 A3", anyhow) == (2, "converted", [3, 0])
    assert told("posthog", "B0 A3 X9", anyhow) == (0, "", [])
    assert told("posthog", "B0 A3 X11", anyhow) == (2, "converted", [3, 0])


def test_amplitude_any_order_begins_with_the_first_step() -> None:
    anyhow = replace(THREE, order="any")
    assert told("amplitude", "A0 C1 B2", anyhow) == (3, "converted", [0, 2, 1])
    assert told("amplitude", "C0 A1 B2", anyhow) == (2, "lost", [1, 2, None])
    assert told("amplitude", "A0 A5 C6 BC12", anyhow) == (3, "converted", [5, 12, 6])
    assert told("amplitude", "A0 BC1 B3", anyhow) == (3, "converted", [0, 3, 1])


@pytest.mark.parametrize("name", NAMES)
def test_a_step_after_the_range_s_end(name: str) -> None:
    counts = name in ("amplitude", "mixpanel")
    assert told(name, "A0 B6", replace(TWO, end=5))[0] == (2 if counts else 1)


def test_the_window_of_umami_runs_from_the_previous_step() -> None:
    assert told("umami", "A0 B8 C16", THREE) == (3, "converted", [0, 8, 16])
    for name in set(NAMES) - {"umami"}:
        assert told(name, "A0 B8 C16", THREE)[0] == 2


def test_posthog_passes_over_an_optional_step_that_was_not_reached_in_time() -> None:
    optional = replace(THREE, optional=frozenset({1}))
    assert told("posthog", "A0 C3", optional) == (2, "converted", [0, None, 3])
    assert told("posthog", "A0 B1 C3", optional) == (2, "converted", [0, 1, 3])
    assert told("posthog", "A0 B1", optional) == (1, "lost", [0, 1, None])


def test_mixpanel_s_totals_enter_again_after_leaving() -> None:
    totals = replace(TWO, count="attempts")
    assert [case[1:] for case in told_all("mixpanel", "A0 A5 B6 A20 A29 A31 B32", totals)] == [
        ("converted", [0, 6]),
        ("lost", [20, None]),
        ("converted", [31, 32]),
    ]
    excluding = replace(totals, exclusions=((0, 1),))
    assert [case[1] for case in told_all("mixpanel", "A0 AX5 A9 B13", excluding)] == ["excluded", "converted"]


def test_mixpanel_holds_the_value_of_the_entry() -> None:
    held = [replace(event, held=value) for event, value in zip(events_of("A0 A1 B2 B3"), [None, 1, 2, 1], strict=True)]
    outcome = preset("mixpanel", [held], replace(TWO, hold=True))
    assert (outcome.times // 1_000_000).tolist() == [[1, 3]]


@pytest.mark.parametrize("name", NAMES)
def test_figures_add_up_by_bucket_and_nobody_is_pending(name: str) -> None:
    units = [events_of("A0 B1"), events_of("A12 B13"), events_of("A1 A14"), events_of("B3")]
    outcome = preset(name, units, replace(TWO, end=20, as_of=19), edges=[0, 10, 20])
    assert outcome.units.tolist() == [0, 1, 2]
    assert outcome.entered.tolist() == [0, 12_000_000, outcome.entered[2]]
    assert outcome.mature == Tally(2, 1, 0, 0, 1)
    assert outcome.trend == (Tally(2, 1, 0, 0, 1), Tally(2, 1, 0, 0, 1))


def test_what_a_product_has_no_rule_for_is_refused() -> None:
    question = replace(THREE, withins=(None, 3, None), count="attempts")
    streams, rules = streams_of([events_of("A0")], question), as_rules(question)
    assert refused("posthog", streams, rules) == ["count: attempts", "within"]
    assert refused("mixpanel", streams, rules) == ["within"]
    with pytest.raises(ValueError, match="the preset umami has no count: attempts, within"):
        match("umami", streams, rules)
    anyhow = replace(EXCLUDING, order="any")
    assert refused("amplitude", streams_of([], anyhow), as_rules(anyhow)) == ["exclude under order: any"]


@pytest.mark.parametrize("name", NAMES)
def test_nobody_at_all(name: str) -> None:
    assert preset(name, [], TWO).units.size == 0
    assert preset(name, [[], events_of("E1")], TWO, edges=[0, 100]).trend == (Tally(0, 0, 0, 0, 0),)
