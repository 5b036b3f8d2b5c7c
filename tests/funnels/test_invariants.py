"""What holds of every funnel whatever its options, on random streams (a twentieth of ``JCURVE_TEST_ORACLE_STREAMS``)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from funnels.groups import in_time
from funnels.match import CONVERTED, EXCLUDED, LOST, NEVER, PENDING, Outcome, Tally, match_streams
from funnels.steps import Json, step_rows
from tests.funnels.random_streams import as_rules, as_streams, dressed_events, random_edges, random_question, with_options
from tests.oracle import Event, Question

UNITS = 40
QUESTIONS = max(int(os.environ.get("JCURVE_TEST_ORACLE_STREAMS", "20000")) // 20 // UNITS, 20)


@dataclass(frozen=True)
class World:
    question: Question
    edges: list[int]
    units: list[list[Event]]

    def outcome(self, **changes: object) -> Outcome:
        question = replace(self.question, **changes)  # type: ignore[arg-type]
        return match_streams(as_streams(self.units, question), as_rules(question, self.edges))


def worlds(name: str, **fixed: object) -> Iterator[tuple[World, Random]]:
    for number in range(QUESTIONS):
        random = Random(f"{name} {number}")
        question = replace(with_options(random_question(random), random), **fixed)  # type: ignore[arg-type]
        units = [dressed_events(question, random) for _ in range(UNITS)]
        yield World(question, random_edges(question, random), units), random


def told(outcome: Outcome) -> list[list[object]]:
    """All of an outcome but the row numbers."""
    columns = (outcome.units, outcome.levels, outcome.states, outcome.times, outcome.entered, outcome.barred)
    return [*(column.tolist() for column in columns), [outcome.mature, *outcome.trend]]


def converted(outcome: Outcome) -> set[int]:
    return set(outcome.units[outcome.states == CONVERTED].tolist())


def tally(outcome: Outcome) -> Tally:
    counts = np.bincount(outcome.states, minlength=5)
    return Tally(len(outcome.units), *(int(counts[state]) for state in (CONVERTED, PENDING, EXCLUDED, LOST)))


def added(tallies: Sequence[Tally]) -> Tally:
    columns = [(one.entrants, one.converted, one.pending, one.excluded, one.lost) for one in tallies]
    return Tally(*map(sum, zip(*columns, strict=True)))


def test_states_partition_those_who_entered() -> None:
    for world, _ in worlds("states"):
        outcome = world.outcome()
        for one in (tally(outcome), outcome.mature, *outcome.trend):
            assert one.entrants == one.converted + one.pending + one.excluded + one.lost
        assert set(outcome.states.tolist()) <= {CONVERTED, PENDING, EXCLUDED, LOST}
        assert ((outcome.barred != NEVER) == (outcome.states == EXCLUDED)).all()
        required = len(world.question.required)
        assert ((outcome.levels == required) == (outcome.states == CONVERTED)).all() and (outcome.levels >= 1).all()
        assert outcome.mature.pending == 0


def test_a_unit_is_one_case_and_cases_come_in_order_of_unit_and_entry() -> None:
    for world, _ in worlds("cases"):
        outcome = world.outcome()
        keys = list(zip(outcome.units.tolist(), outcome.entered.tolist(), strict=True))
        assert keys == sorted(set(keys))
        if world.question.count == "units":
            assert len(set(outcome.units.tolist())) == len(keys)
        assert all(world.question.start <= entered // 1_000_000 < world.question.end for _, entered in keys)


def test_the_witness_tells_the_level_by_distinct_events_of_its_unit_that_match() -> None:
    for world, _ in worlds("witness"):
        streams, outcome, required = as_streams(world.units, world.question), world.outcome(), world.question.required
        for case, rows in enumerate(outcome.witness):
            taken = rows[rows >= 0]
            assert len(set(taken.tolist())) == taken.size
            assert (streams.units[taken] == outcome.units[case]).all()
            assert all(streams.masks[row] >> step & 1 for step, row in enumerate(rows) if row >= 0)
            assert int((rows[required] >= 0).sum()) == outcome.levels[case]
            if world.question.order != "any":
                assert (rows[required[: outcome.levels[case]]] >= 0).all()


def test_the_witness_obeys_window_within_and_held_value() -> None:
    for world, _ in worlds("obeys"):
        question, streams, outcome = world.question, as_streams(world.units, world.question), world.outcome()
        slack = question.ties if isinstance(question.ties, int) else 0
        for rows in outcome.witness:
            steps = [step for step in range(len(rows)) if rows[step] >= 0]
            times = [int(streams.times[rows[step]]) // 1_000_000 for step in steps]
            assert max(times) <= question.as_of and max(times) - min(times) <= question.window + slack * len(times)
            if question.order != "any":
                limits = [question.withins[step] for step in steps[1:]]
                gaps = [later - earlier for earlier, later in pairwise(times)]
                assert all(
                    gap >= -slack and (within is None or gap <= within) for gap, within in zip(gaps, limits, strict=True)
                )
                assert question.ties != "strict" or all(gap > 0 for gap in gaps)
            if question.hold:
                assert len(set(streams.held[rows[rows >= 0]].tolist())) == 1 and (streams.held[rows[rows >= 0]] >= 0).all()


def test_reached_never_rises_over_required_steps_and_dropped_sums_to_those_who_did_not_convert() -> None:
    for world, _ in worlds("reached"):
        rules, outcome = as_rules(world.question), world.outcome()
        labels = [str(step) for step in range(outcome.steps)]
        rows = step_rows(in_time(outcome, rules), labels, rules)
        reached = [numbers(row)[0] for step, row in enumerate(rows) if step in world.question.required]
        assert reached == sorted(reached, reverse=True) and reached[0] == len(outcome.units)
        assert sum(numbers(row)[1] for row in rows) == len(outcome.units) - tally(outcome).converted


def numbers(row: Json) -> tuple[int, int]:
    reached, dropped = row["reached"], row["dropped"]
    assert isinstance(reached, int) and isinstance(dropped, int)
    return reached, dropped


def test_a_unit_converts_exactly_if_one_of_its_attempts_does() -> None:
    seen = 0
    for world, _ in worlds("attempts"):
        units, attempts = world.outcome(count="units"), world.outcome(count="attempts")
        assert converted(units) == converted(attempts)
        assert set(units.units.tolist()) == set(attempts.units.tolist())
        assert attempts.units.size >= units.units.size
        seen += attempts.units.size - units.units.size
    assert seen > QUESTIONS


def test_buckets_add_up_to_the_total_where_only_the_first_entry_counts() -> None:
    for world, _ in worlds("buckets", reentry="first"):
        outcome = world.outcome()
        if world.edges:
            assert added(outcome.trend) == tally(outcome)


def test_a_closed_bucket_never_changes() -> None:
    """Its windows have closed; whatever comes after as_of, more time or more events, leaves it."""
    seen = 0
    for world, random in worlds("closed"):
        question = world.question
        later = question.as_of + random.randint(1, 40)
        more = [[*events, *after(question, random, later)] for events in world.units]
        before, late = world.outcome(), replace(world, units=more).outcome(as_of=later)
        for (start, end), one, other in zip(pairwise(world.edges), before.trend, late.trend, strict=True):
            if min(end, question.end) + question.window <= question.as_of:
                assert one == other and one.pending == 0, (question, start, end)
                seen += one.entrants
    assert seen > QUESTIONS


def test_a_later_as_of_never_undoes_a_conversion_and_only_pending_ones_convert() -> None:
    """Of the cases there are at the time: a later entry may convert a unit whose earlier ones were lost."""
    seen = 0
    for world, random in worlds("later", count="units"):
        question = replace(world.question, end=min(world.question.end, world.question.as_of + 1))
        later = question.as_of + random.randint(1, 40)
        more = [[*events, *after(question, random, later)] for events in world.units]
        now = replace(world, question=question, edges=[])
        before, late = now.outcome(), replace(now, units=more).outcome(as_of=later)
        assert converted(before) <= converted(late)
        pending = set(before.units[before.states == PENDING].tolist())
        assert converted(late) - converted(before) <= pending
        seen += len(converted(late) - converted(before))
    assert seen > 0


def test_every_pending_unit_could_convert() -> None:
    """Shown by events that complete it, all at one instant after as_of (so where ties count in order)."""
    seen = 0
    for world, _ in worlds("could", count="units", ties="in_order", first_ever=frozenset()):
        question = world.question
        before = world.outcome()
        for case in np.flatnonzero(before.states == PENDING):
            unit = int(before.units[case])
            assert any(completes(world, unit, held) for held in ({0, 1, 2} if question.hold else {0})), (question, unit)
            seen += 1
    assert seen > QUESTIONS // 2


def completes(world: World, unit: int, held: int) -> bool:
    question, now = world.question, world.question.as_of
    steps = range(len(question.withins))
    coming = [Event(now + 1, frozenset({step}), 10_000 + step, held=held) for step in steps]
    after_now = replace(question, as_of=now + 1, end=min(question.end, now + 1))
    return 0 in converted(World(after_now, [], [[*world.units[unit], *coming]]).outcome())


def after(question: Question, random: Random, until: int) -> list[Event]:
    """Events that come after as_of, with ids of their own."""
    coming = dressed_events(question, random)[:3]
    times = [random.randint(question.as_of + 1, until) for _ in coming]
    return [replace(event, time=time, id=1000 + n) for n, (event, time) in enumerate(zip(coming, times, strict=True))]


def test_duplicates_and_the_order_of_arrival_are_of_no_account() -> None:
    for world, random in worlds("arrival"):
        once = told(world.outcome())
        shuffled = [random.sample(events + events[:2], len(events + events[:2])) for events in world.units]
        assert told(replace(world, units=shuffled).outcome()) == once


def test_units_do_not_look_at_each_other() -> None:
    for world, _ in worlds("alone"):
        together = world.outcome()
        alone = [replace(world, units=[events]).outcome() for events in world.units]
        assert np.concatenate([one.levels for one in alone]).tolist() == together.levels.tolist()
        assert np.concatenate([one.times for one in alone]).tolist() == together.times.tolist()
        assert added([tally(one) for one in alone]) == tally(together)


@pytest.mark.parametrize("option", ["window", "withins", "exclusions", "reentry"])
def test_a_looser_rule_never_loses_a_step(option: str) -> None:
    for world, random in worlds(f"looser {option}", count="units"):
        question = world.question
        looser: dict[str, object] = {
            "window": question.window + random.randint(1, 5),
            "withins": tuple(None if within is None else within + 2 for within in question.withins),
            "exclusions": question.exclusions[:-1],
            "reentry": "any",
        }
        tight, loose = levels(world.outcome()), levels(world.outcome(**{option: looser[option]}))
        assert all(loose.get(unit, 0) >= level for unit, level in tight.items()), question


def levels(outcome: Outcome) -> dict[int, int]:
    return dict(zip(outcome.units.tolist(), outcome.levels.tolist(), strict=True))
