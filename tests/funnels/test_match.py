"""The matcher: the definition's cases as literals, and its invariants as properties of random streams."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from funnels.kernel import MAX_STEPS
from funnels.match import CONVERTED, EXCLUDED, LOST, PENDING, Outcome, Rules, Streams, Tally, match_streams, warm
from tests.funnels.random_streams import as_rules, as_streams, moment, random_edges, random_events, random_question
from tests.oracle import Event, Question

FOREVER = 10_000
STATES = {CONVERTED: "converted", PENDING: "pending", EXCLUDED: "excluded", LOST: "lost"}


def stream(text: str) -> list[Event]:
    """``"A0 B5 AB5"``: each event's steps, A being the first, and its second."""
    return [
        Event(int(word.strip("ABCDEX")), frozenset("ABCDE".index(name) for name in word if name in "ABCDE"))
        for word in text.split()
    ]


def match(text: str, steps: int = 2, window: int = 10, **changes: object) -> Outcome:
    question = Question((None,) * steps, window, 0, FOREVER, FOREVER)
    return match_streams(as_streams([stream(text)]), as_rules(replace(question, **changes)))  # type: ignore[arg-type]


def told(outcome: Outcome) -> tuple[int, list[int]]:
    """The level and the witness's seconds."""
    if not outcome.units.size:
        return 0, []
    level = int(outcome.levels[0])
    return level, [int(time) // 1_000_000 for time in outcome.times[0, :level]]


def is_pending(outcome: Outcome) -> bool:
    return [int(state) for state in outcome.states] == [PENDING]


@pytest.mark.parametrize(
    ("text", "steps", "told_of_it"),
    [
        ("A0 B10", 2, (2, [0, 10])),  # the window is inclusive
        ("A0 B11", 2, (1, [0])),
        ("A0 A5 B12", 2, (2, [5, 12])),  # a later entry may convert where the first cannot
        ("B3 A3", 2, (2, [3, 3])),  # at one instant any order will do
        ("AB0", 2, (1, [0])),  # one event serves one step
        ("AB0 AB0", 2, (2, [0, 0])),
        ("AB0 B4", 2, (2, [0, 4])),
        ("AB3 A3", 2, (2, [3, 3])),
        ("ABC0 A0 B0", 3, (3, [0, 0, 0])),
        ("AC0 A0 B0", 3, (3, [0, 0, 0])),
        ("AC0 B0", 3, (2, [0, 0])),
        ("B0 A1", 2, (1, [1])),
        ("B0", 2, (0, [])),
        ("X0", 2, (0, [])),
        ("A0 X1 B2 X3", 2, (2, [0, 2])),
        ("A0 A1 B2 B3 C4", 3, (3, [0, 2, 4])),  # the earliest chain of the level
        ("A0 B1 A5 C13", 3, (2, [0, 1])),
        ("A0 B1 A5 B6 C14", 3, (3, [5, 6, 14])),
        ("A7", 1, (1, [7])),
    ],
)
def test_a_stream_reaches_what_the_definition_says(text: str, steps: int, told_of_it: tuple[int, list[int]]) -> None:
    assert told(match(text, steps)) == told_of_it


def test_within_is_the_time_since_the_step_before_and_inclusive() -> None:
    assert told(match("A0 B3 C6", 3, withins=(None, 3, 3))) == (3, [0, 3, 6])
    assert told(match("A0 B4 C6", 3, withins=(None, 3, 3))) == (1, [0])
    assert told(match("A0 B2 B5 C8", 3, withins=(None, 5, 3))) == (3, [0, 5, 8])
    assert told(match("A0 A4 B7", 2, withins=(None, 3))) == (2, [4, 7])


def test_within_may_be_longer_than_the_window_that_still_holds() -> None:
    assert told(match("A0 B11", 2, withins=(None, 300))) == (1, [0])


def test_entries_count_from_start_to_before_end_and_later_steps_after_it() -> None:
    assert told(match("A4 B5", start=5)) == (0, [])
    assert told(match("A5 B9", start=5, end=6)) == (2, [5, 9])
    assert told(match("A6 B9", start=5, end=6)) == (0, [])
    assert told(match("A4 A5 B14 B15", start=5, end=6)) == (2, [5, 14])


def test_events_at_as_of_count_and_later_ones_do_not() -> None:
    assert told(match("A0 B5", as_of=5)) == (2, [0, 5])
    assert told(match("A0 B5", as_of=4)) == (1, [0])


def test_a_unit_is_pending_until_its_window_and_its_within_have_passed() -> None:
    assert is_pending(match("A0", as_of=9))
    assert not is_pending(match("A0", as_of=10))
    assert not is_pending(match("A0", as_of=9, withins=(None, 9)))
    assert is_pending(match("A0", as_of=9, withins=(None, 10)))
    assert is_pending(match("A0 A5", as_of=12))
    assert not is_pending(match("A0 B1", as_of=2))


def ruled(text: str, steps: int = 3, window: int = 10, **changes: object) -> list[tuple[str, list[int | None]]]:
    """Per case its state and the seconds of its witness; ``"A0 B2! C3/1"``: B is excluded too, C holds another value."""
    events = []
    for word in text.split():
        name, _, held = word.replace("!", "").partition("/")
        [event] = stream(name)
        events.append(replace(event, bars=frozenset({0} if "!" in word else ()), held=int(held or 0)))
    question = replace(Question((None,) * steps, window, 0, FOREVER, FOREVER), **changes)  # type: ignore[arg-type]
    outcome = match_streams(as_streams([events], question), as_rules(question))
    return [
        (STATES[int(state)], [None if row < 0 else int(outcome.event_times[row]) // 1_000_000 for row in rows])
        for state, rows in zip(outcome.states, outcome.witness, strict=True)
    ]


def test_strict_order_bears_no_other_event_between_neighbours_but_beside_them() -> None:
    assert ruled("A0 X1 A2 B3 C3 X3", order="strict") == [("converted", [2, 3, 3])]
    assert ruled("A0 X1 B2", 2, order="strict") == [("lost", [0, None])]
    assert ruled("A0 B1 X2", order="strict", as_of=2) == [("lost", [0, 1, None])]
    assert ruled("A0 B2", order="strict", as_of=2) == [("pending", [0, 2, None])]


def test_in_any_order_the_earliest_event_of_the_chain_enters() -> None:
    assert ruled("C0 A4 B9", order="any") == [("converted", [4, 9, 0])]
    assert ruled("C0 A4 B11", order="any") == [("lost", [4, None, 0])]
    assert ruled("AB0 A1 X2! C3", order="any", exclusions=((0, 2),)) == [("excluded", [1, 0, None])]


def test_ties_are_taken_in_order_or_not_at_all_or_with_a_tolerance() -> None:
    assert ruled("A1 B1", 2, ties="strict") == [("lost", [1, None])]
    assert ruled("B0 A2", 2, ties=2) == [("converted", [2, 0])]
    assert ruled("B0 A3", 2, ties=2) == [("lost", [3, None])]


def test_an_exclusion_ends_a_chain_and_keeps_what_it_had_reached() -> None:
    assert ruled("A0 B1 X2! C3", exclusions=((0, 2),)) == [("excluded", [0, 1, None])]
    assert ruled("A0 B1 X1! C1", exclusions=((0, 2),)) == [("converted", [0, 1, 1])]
    assert ruled("A0 X0! B1 C2 X3!", exclusions=((0, 2),)) == [("converted", [0, 1, 2])]
    assert ruled("A0 X1! A2 B3 C4", exclusions=((0, 2),)) == [("converted", [2, 3, 4])]
    assert ruled("A0 B1! C2", exclusions=((0, 2),)) == [("excluded", [0, 1, None])]  # what serves may exclude, too
    assert ruled("A0 X1! B2 C3", exclusions=((1, 2),)) == [("converted", [0, 2, 3])]
    assert ruled("A0 X11!", exclusions=((0, 2),)) == [("lost", [0, None, None])]


def test_held_values_are_those_of_one_chain_and_of_its_exclusions() -> None:
    assert ruled("A0/1 B1/2 C2/1", hold=True) == [("lost", [0, None, None])]
    assert ruled("A0/1 A1/2 B2/2 X3!/1 C4/2", hold=True, exclusions=((0, 2),)) == [("converted", [1, 2, 4])]


def test_an_optional_step_is_taken_where_the_required_ones_stay_as_early() -> None:
    optional = frozenset({1})
    assert ruled("A0 B1 C2", optional=optional) == [("converted", [0, 1, 2])]
    assert ruled("A0 C2 B3", optional=optional) == [("converted", [0, None, 2])]
    assert ruled("A0 B2 C4", optional=optional, withins=(None, None, 3)) == [("converted", [0, 2, 4])]  # a stepping stone


def test_the_witness_is_the_earliest_or_the_shortest_chain() -> None:
    assert ruled("A0 A5 B6", 2) == [("converted", [0, 6])]
    assert ruled("A0 A5 B6", 2, witness="shortest") == [("converted", [5, 6])]


def test_of_re_entries_the_first_one_may_be_the_only_one() -> None:
    assert ruled("A0 A5 B12", 2) == [("converted", [5, 12])]
    assert ruled("A0 A5 B12", 2, reentry="first") == [("lost", [0, None])]


def test_an_attempt_ends_with_a_conversion_its_last_window_or_exclusions() -> None:
    assert ruled("A0 A2 B3 A3 A4 A20 B31", 2, count="attempts") == [
        ("converted", [0, 3]),
        ("lost", [4, None]),
        ("lost", [20, None]),
    ]
    assert ruled("A0 X1! A2 B3", 2, count="attempts", exclusions=((0, 1),)) == [
        ("excluded", [0, None]),
        ("converted", [2, 3]),
    ]


def test_a_spent_step_can_no_longer_come() -> None:
    assert ruled("A0", 2, as_of=5) == [("pending", [0, None])]
    question = Question((None, None), 10, 0, FOREVER, 5, first_ever=frozenset({1}))
    spent = as_streams([[*stream("A2"), replace(stream("X0")[0], named=frozenset({1}))]], question)
    assert match_streams(spent, as_rules(question)).states.tolist() == [LOST]


def test_rules_that_do_not_go_together_are_refused() -> None:
    for changes, told_why in (
        ({"optional": frozenset({0})}, "neither the first nor the last"),
        ({"exclusions": ((1, 1),)}, "after one required step"),
        ({"order": "any", "withins": (None, 3, None)}, "no within"),
        ({"ties": 2, "order": "strict"}, "needs order sequential"),
    ):
        with pytest.raises(ValueError, match=told_why):
            ruled("A0 B1", **changes)
    with pytest.raises(ValueError, match="cannot match the same event"):
        ruled("AB0", ties=2)


def test_many_units_on_many_threads_are_answered_as_one_after_the_other() -> None:
    dice = np.random.default_rng(7)
    units = np.sort(dice.integers(0, 40_000, 450_000)).astype(np.int32)
    times = dice.integers(0, 10**12, units.size)
    times = times[np.lexsort((times, units))]
    streams = Streams(units, times, 1 << dice.integers(0, 3, units.size), 40_000)
    rules = as_rules(Question((None, None, None), 200_000, 0, 10**6, 10**6), [0, 500_000, 10**6])
    for one in (rules, replace(rules, count="attempts")):
        whole, half = match_streams(streams, one), int(np.searchsorted(units, 20_000))
        first = match_streams(Streams(units[:half], times[:half], streams.masks[:half], 20_000), one)
        second = match_streams(Streams(units[half:] - 20_000, times[half:], streams.masks[half:], 20_000), one)
        assert whole.units.tolist() == [*first.units.tolist(), *(second.units + 20_000).tolist()]
        assert whole.times.tolist() == [*first.times.tolist(), *second.times.tolist()]
        assert whole.mature.entrants == first.mature.entrants + second.mature.entrants
        assert whole.trend[1].converted == first.trend[1].converted + second.trend[1].converted


def test_a_unit_without_events_did_not_enter() -> None:
    streams = Streams(np.array([1], np.int32), np.zeros(1, np.int64), np.ones(1, np.int64), 3)
    outcome = match_streams(streams, as_rules(Question((None,), 10, 0, 9, 9)))
    assert (outcome.units.tolist(), outcome.levels.tolist(), outcome.witness.tolist()) == ([1], [1], [[0]])


def test_nothing_at_all_can_be_matched() -> None:
    outcome = match_streams(as_streams([]), as_rules(Question((None, None), 10, 0, 9, 9), [0, 9]))
    assert (outcome.levels.size, outcome.mature, outcome.trend) == (0, Tally(0, 0, 0, 0, 0), (Tally(0, 0, 0, 0, 0),))


def test_there_is_room_for_every_step_even_at_one_instant() -> None:
    every = (1 << MAX_STEPS) - 1
    streams = Streams(np.zeros(5000, np.int32), np.zeros(5000, np.int64), np.full(5000, every, np.int64), 1)
    outcome = match_streams(streams, as_rules(Question((None,) * MAX_STEPS, 10, 0, 9, 9)))
    assert outcome.levels.tolist() == [MAX_STEPS]


def test_more_steps_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 32 steps, not 33"):
        match_streams(as_streams([]), as_rules(Question((None,) * 33, 10, 0, 9, 9)))


def test_buckets_that_leave_out_entries_are_refused() -> None:
    with pytest.raises(ValueError, match="do not cover"):
        match_streams(as_streams([]), as_rules(Question((None,), 10, 0, 9, 9), [1, 9]))


def test_a_unit_with_entries_in_two_buckets_stands_in_both() -> None:
    question = Question((None, None), 3, 0, 20, 100)
    outcome = match_streams(as_streams([stream("A1 A12 B13"), stream("A2 B3")]), as_rules(question, [0, 10, 20]))
    assert outcome.trend == (Tally(2, 1, 0, 0, 1), Tally(1, 1, 0, 0, 0))


def test_warming_up_compiles_without_a_question() -> None:
    warm()


def cases(number: int) -> list[tuple[Question, list[list[Event]], list[int], random.Random]]:
    drawn = []
    for seed in range(number):
        dice = random.Random(f"properties {seed}")
        question = random_question(dice)
        units = [random_events(question, dice) for _ in range(40)]
        drawn.append((question, units, random_edges(question, dice), dice))
    return drawn


def test_every_unit_is_in_one_state_and_the_witness_keeps_the_rules() -> None:
    for question, units, _, _ in cases(60):
        outcome = match_streams(as_streams(units), as_rules(question))
        assert ((outcome.states == CONVERTED) == (outcome.levels == outcome.steps)).all()
        for case, level in enumerate(outcome.levels):
            times = [int(time) // 1_000_000 for time in outcome.times[case, :level]]
            assert times == sorted(times) and question.start <= times[0] < question.end
            assert times[-1] <= min(times[0] + question.window, question.as_of)
            gaps = [later - earlier for earlier, later in pairwise(times)]
            assert all(within is None or gap <= within for gap, within in zip(gaps, question.withins[1:], strict=False))


def test_the_order_in_which_events_came_is_of_no_account() -> None:
    for question, units, edges, dice in cases(60):
        once = match_streams(as_streams(units), as_rules(question, edges))
        for events in units:
            dice.shuffle(events)
        again = match_streams(as_streams(units), as_rules(question, edges))
        assert once.levels.tolist() == again.levels.tolist() and once.states.tolist() == again.states.tolist()
        assert once.times.tolist() == again.times.tolist()
        assert (once.mature, once.trend) == (again.mature, again.trend)


def test_waiting_never_undoes_a_step_and_only_the_pending_go_on() -> None:
    for question, units, _, dice in cases(60):
        streams = as_streams(units)
        now = replace(question, end=min(question.end, question.as_of + 1))  # no entry is still to come
        before = match_streams(streams, as_rules(now))
        after = match_streams(streams, as_rules(replace(now, as_of=now.as_of + dice.randint(1, 40))))
        assert before.units.tolist() == after.units.tolist() and (after.levels >= before.levels).all()
        converted_since = (after.states == CONVERTED) & (before.states != CONVERTED)
        assert (before.states[converted_since] == PENDING).all()


def test_a_closed_bucket_never_changes() -> None:
    for question, units, edges, dice in cases(60):
        streams, later = as_streams(units), replace(question, as_of=question.as_of + dice.randint(1, 40))
        before, after = (match_streams(streams, as_rules(one, edges)).trend for one in (question, later))
        for (start, end), one, other in zip(pairwise(edges), before, after, strict=True):
            if end + question.window <= question.as_of:
                assert one == other and one.pending == 0, (start, end)


def test_a_longer_window_never_loses_a_step() -> None:
    for question, units, _, _ in cases(60):
        streams, rules = as_streams(units), as_rules(question)
        longer: Rules = replace(rules, window=rules.window + timedelta(seconds=3))
        assert (match_streams(streams, longer).levels >= match_streams(streams, rules).levels).all()


def test_the_mature_range_ends_a_window_before_as_of_but_not_before_it_begins() -> None:
    rules = as_rules(Question((None,), 10, 0, 50, 30))
    assert rules.ripe == moment(20)
    assert replace(rules, as_of=moment(100)).ripe == moment(50)
    assert replace(rules, as_of=moment(5)).ripe == moment(0)
