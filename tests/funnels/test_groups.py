"""Breakdowns: attribution by hand, and held to a plain walk and to one funnel per value on random streams."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from funnels.errors import TooLarge
from funnels.groups import Attribution, Grouping, Values, breakdown, largest
from funnels.match import CONVERTED, Exclusion, Outcome, Rules, Streams, match_streams
from funnels.result import answer
from funnels.stats import Table
from tests.funnels.random_streams import as_rules, random_events, random_question
from tests.oracle import Event, Question
from transforms.engine import Limits

COUNTRIES: list[Values] = [("de",), ("fr",)]
Told = list[tuple[tuple[object, ...], int, int]]


def streams_of(units: list[list[tuple[Event, int]]]) -> Streams:
    """The engine's arrays; each event with the code of its value."""
    rows = [(unit, event, code) for unit, events in enumerate(units) for event, code in events]
    rows.sort(key=lambda row: (row[0], row[1].time))
    return Streams(
        units=np.array([unit for unit, _, _ in rows], np.int32),
        times=np.array([event.time * 1_000_000 for _, event, _ in rows], np.int64),
        masks=np.array([sum(1 << step for step in event.steps) for _, event, _ in rows], np.int64),
        count=len(units),
        values=np.array([code for _, _, code in rows], np.int32),
    )


def unit(text: str) -> list[tuple[Event, int]]:
    """``"A0:de B5:-"``: steps, second, and the code of a country; ``-`` for none."""
    codes = {"de": 0, "fr": 1, "-": -1}
    words = [word.replace(":", " ").split() for word in text.split()]
    return [(Event(int(name[1:]), frozenset({"ABC".index(name[0])})), codes[value]) for name, value in words]


def grouped(
    units: list[str], attribution: Attribution, steps: int = 2, values: list[Values] = COUNTRIES, **changes: object
) -> Grouping:
    streams = streams_of([unit(text) for text in units])
    rules = replace(as_rules(Question((None,) * steps, 10, 0, 100, 200)), **changes)  # type: ignore[arg-type]
    return breakdown(match_streams(streams, rules), streams, rules, values, attribution)


def told(grouping: Grouping, limit: int = 25) -> Told:
    return [(group.values, group.shares.whole, group.shares.part) for group in largest(grouping, limit)]


def test_first_is_the_value_at_the_entry_else_the_first_known_one_along_the_witness() -> None:
    units = ["A0:de B1:fr", "A0:- B1:fr C2:de", "A0:-", "A0:de A1:fr B2:fr"]
    assert told(grouped(units, "first", 3)) == [(("de",), 2, 0), ((None,), 1, 0), (("fr",), 1, 1)]


def test_last_is_the_last_known_value() -> None:
    units = ["A0:de B1:fr", "A0:fr B1:-", "A0:-"]
    assert told(grouped(units, "last")) == [(("fr",), 2, 2), ((None,), 1, 0)]


def test_a_step_groups_by_its_own_event_and_who_did_not_reach_it_has_none() -> None:
    units = ["A0:de B1:fr", "A0:fr B1:-", "A0:de"]
    assert told(grouped(units, 1)) == [((None,), 2, 1), (("fr",), 1, 1)]


def test_all_counts_a_unit_for_each_value_that_a_whole_chain_carries() -> None:
    units = ["A0:de A0:fr B1:fr", "A0:de B1:fr", "A0:- B1:-"]
    assert told(grouped(units, "all")) == [(("de",), 2, 0), ((None,), 1, 1), (("fr",), 1, 1)]


def test_under_all_the_rest_are_the_units_that_are_not_in_the_group() -> None:
    groups = largest(grouped(["A0:de A0:fr B1:fr", "A0:de B1:fr", "A0:fr B1:fr"], "all"), 25)
    assert [group.shares for group in groups] == [Table(0, 2, 1, 1), Table(2, 2, 1, 1)]


def test_under_all_a_unit_of_several_smaller_groups_counts_once_in_the_rest() -> None:
    values: list[Values] = [("de",), ("fr",)]
    grouping = grouped(["A0:- B1:-", "A0:- B1:-", "A0:- A0:de A1:fr B2:fr"], "all", values=values)
    assert told(grouping, limit=1) == [((None,), 3, 2), ((), 1, 1)]


def test_under_all_an_exclusion_counts_whatever_its_value() -> None:
    streams = streams_of([unit("A0:de B5:de"), unit("A0:de B5:de")])
    times, codes = np.array([0, 3, 5, 0, 5]) * 1_000_000, np.array([0, 1, 0, 0, 0], np.int32)
    streams = replace(
        streams,
        units=np.array([0, 0, 0, 1, 1], np.int32),
        times=times,
        masks=np.array([1, 0, 2, 1, 2]),
        values=codes,
        bars=np.array([0, 1, 0, 0, 0]),
    )
    seen: list[Streams] = []

    def match(lanes: Streams, rules: Rules) -> Outcome:
        seen.append(lanes)
        return match_streams(lanes, rules)

    rules = as_rules(Question((None, None), 10, 0, 100, 200))
    breakdown(match_streams(streams, rules), streams, rules, COUNTRIES, "all", match)
    assert (seen[0].units.tolist(), seen[0].masks.tolist(), seen[0].bars.tolist()) == (
        [0, 0, 0, 1, 1],
        [1, 0, 2, 1, 2],
        [0, 1, 0, 0, 0],
    )


def test_several_properties_are_attributed_each_by_itself() -> None:
    values: list[Values] = [("de", None), (None, True), (None, 1)]
    streams = streams_of([[(Event(0, frozenset({0})), 0), (Event(1, frozenset({1})), 1)]] * 2)
    rules = as_rules(Question((None, None), 10, 0, 100, 200))
    outcome = match_streams(streams, rules)
    assert told(breakdown(outcome, streams, rules, values, "first")) == [(("de", True), 2, 2)]
    assert told(breakdown(outcome, streams, rules, values, 0)) == [(("de", None), 2, 2)]
    mixed = replace(streams, values=np.array([0, 1, 0, 2], np.int32))  # true is not 1
    assert len(largest(breakdown(match_streams(mixed, rules), mixed, rules, values, "first"), 25)) == 2


def test_groups_of_one_size_are_listed_by_name_and_cut_there() -> None:
    values: list[Values] = [("c",), ("a",), ("b",)]
    units = [[(Event(0, frozenset({0})), code)] for code in (0, 1, 2)]
    streams, rules = streams_of(units), as_rules(Question((None,), 10, 0, 100, 200))
    grouping = breakdown(match_streams(streams, rules), streams, rules, values, "first")
    assert told(grouping, limit=2) == [(("a",), 1, 1), (("b",), 1, 1), ((), 1, 1)]


def test_nobody_has_no_groups() -> None:
    for attribution in ("first", "last", "all", 1):
        assert told(grouped([], attribution)) == []


@pytest.mark.parametrize("seed", range(30))
def test_attribution_agrees_with_a_walk_along_each_witness(seed: int) -> None:
    random, streams, rules = world(seed)
    outcome = match_streams(streams, rules)
    attribution: Attribution = random.choice(["first", "last", random.randrange(outcome.steps)])
    expected = dict[object, list[int]]()
    for row, state in zip(outcome.witness.tolist(), outcome.states.tolist(), strict=True):
        codes = [-1 if event < 0 else int(streams.values[event]) for event in row]
        known = [code for code in codes if code >= 0]
        code = {"first": known[:1] or [-1], "last": known[-1:] or [-1]}.get(str(attribution), [])
        value = (code or [codes[int(attribution)]])[0] if isinstance(attribution, str) else codes[attribution]
        told_of = expected.setdefault(COUNTRIES[value] if value >= 0 else (None,), [0, 0])
        told_of[0] += 1
        told_of[1] += state == CONVERTED
    found = told(breakdown(outcome, streams, rules, COUNTRIES, attribution))
    assert {values: [entrants, converted] for values, entrants, converted in found} == expected


@pytest.mark.parametrize("seed", range(30))
def test_all_agrees_with_one_funnel_per_value(seed: int) -> None:
    _, streams, rules = world(seed)
    found = told(breakdown(match_streams(streams, rules), streams, rules, COUNTRIES, "all"))
    expected = []
    for code, values in ((0, ("de",)), (1, ("fr",)), (-1, (None,))):
        there = streams.values == code
        own = replace(streams, units=streams.units[there], times=streams.times[there], masks=streams.masks[there])
        outcome = match_streams(own, rules)
        if outcome.levels.size:
            expected.append((values, outcome.levels.size, int((outcome.states == CONVERTED).sum())))
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_excluded_events_in_too_many_lanes_are_refused_before_they_take_the_memory() -> None:
    """A person of a thousand events, each excluded and with a value of its own: a million rows."""
    codes = np.arange(1000, dtype=np.int32)
    ones = np.ones(1000, np.int64)
    streams = Streams(np.zeros(1000, np.int32), codes.astype(np.int64) * 1_000_000, 3 * ones, 1, bars=ones, values=codes)
    rules = replace(as_rules(Question((None, None), 10, 0, 2000, 3000)), exclusions=(Exclusion(0, 1),))
    values: list[Values] = [(str(code),) for code in codes]
    outcome = match_streams(streams, rules)
    with pytest.raises(TooLarge, match="more memory than one may") as caught:
        breakdown(outcome, streams, rules, values, "all", limits=Limits("16MiB"))
    assert any("attribution all" in one for one in caught.value.narrow)
    assert len(breakdown(outcome, streams, rules, values, "all", limits=Limits("128MiB")).codes) == 1000


def world(seed: int) -> tuple[Random, Streams, Rules]:
    random = Random(f"groups {seed}")
    question = random_question(random)
    units = [[(event, random.randint(-1, 1)) for event in random_events(question, random)] for _ in range(40)]
    return random, streams_of(units), as_rules(question)


def test_a_breakdown_of_the_answer_has_steps_of_its_own_that_sum() -> None:
    _, streams, rules = world(3)
    outcome = match_streams(streams, rules)
    grouping = breakdown(outcome, streams, rules, COUNTRIES, "first")
    labels = [str(step) for step in range(outcome.steps)]
    found = answer(outcome, labels, rules, ZoneInfo("UTC"), grouping, limit=1)
    groups, steps = found["groups"], found["steps"]
    assert isinstance(groups, list) and isinstance(steps, list)
    assert [group["other"] for group in groups] == [False, True]
    for name in ("reached", "dropped"):
        assert [sum(group["steps"][place][name] for group in groups) for place in range(len(labels))] == [
            step[name] for step in steps
        ]
