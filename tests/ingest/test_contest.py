from __future__ import annotations

import random

import pytest

from ingest.contest import Place, are_copies, decide
from ingest.ids import DAY

LIMIT = 30 * DAY


def place(received_at: int, log: str = "b", offset: int = 0, month: int = 0) -> Place:
    return Place(received_at, log, offset, month)


def test_the_smaller_place_stays_by_moment_then_log_then_offset() -> None:
    stored = place(10, "b", 5)
    for smaller in (place(9, "c", 9), place(10, "a", 9), place(10, "b", 4)):
        verdict = decide([smaller], [stored], [stored.seen], LIMIT)
        assert (verdict.kept, verdict.won, verdict.displaced, verdict.seen) == ({0}, {0}, [stored], [smaller.seen])
    for larger in (place(11, "a", 1), place(10, "c", 1), place(10, "b", 6)):
        verdict = decide([larger], [stored], [stored.seen], LIMIT)
        assert (verdict.kept, verdict.won, verdict.displaced, verdict.seen) == (set(), set(), [], [stored.seen])


def test_of_several_newcomers_only_the_smallest_stays() -> None:
    stored = place(10)
    verdict = decide([place(7), place(8), place(9)], [stored], [stored.seen], LIMIT)
    assert (verdict.kept, verdict.displaced) == ({0}, [stored])


def test_a_newcomer_displaces_all_that_are_copies_of_it_though_they_are_none_of_each_other() -> None:
    before, behind = place(50 * DAY, month=1), place(90 * DAY, month=2)
    newcomer = place(40 * DAY, month=2)
    verdict = decide([newcomer], [before, behind], [before.seen, behind.seen], LIMIT)
    assert (verdict.displaced, verdict.seen) == ([before, behind], [newcomer.seen])


def test_a_row_that_came_before_and_is_a_copy_by_its_month_alone_wins_though_the_index_has_forgotten_it() -> None:
    forgotten, stored = place(0, month=1), place(210 * DAY, month=7)
    verdict = decide([place(205 * DAY, month=1)], [forgotten, stored], [stored.seen], LIMIT)
    assert (verdict.kept, verdict.seen) == (set(), [stored.seen])


def test_a_copy_of_what_has_left_the_lake_goes() -> None:
    assert decide([place(5)], [], [place(10).seen], LIMIT).kept == set()


def test_what_is_no_copy_of_anything_known_stays_and_displaces_nothing() -> None:
    stored = place(90 * DAY, month=9)
    verdict = decide([place(0, month=1), place(1, month=1)], [stored], [stored.seen], LIMIT)
    assert (verdict.kept, verdict.won, verdict.displaced) == ({0}, set(), [])
    assert verdict.seen == [stored.seen, (0, 1)]


def test_what_was_decided_before_a_crash_is_decided_again_the_same() -> None:
    stored, newcomers = place(10, "b"), [place(7, "a"), place(8, "a", 1)]
    first = decide(newcomers, [stored], [stored.seen], LIMIT)
    again = decide(newcomers, [newcomers[0]], [stored.seen], LIMIT)  # the lake has it, the index not yet
    assert (again.kept, again.won, again.seen) == (first.kept, first.won, first.seen) == ({0}, {0}, [newcomers[0].seen])


@pytest.mark.parametrize("seed", range(200))
def test_no_two_copies_stand_in_whatever_order_they_come_and_within_a_limit_the_smallest_does(seed: int) -> None:
    chance = random.Random(seed)
    days = 30 if seed % 2 else 120  # copies of each other all, or some of some
    places = [place(chance.randrange(days) * DAY, chance.choice("abc"), at, chance.randrange(3)) for at in range(9)]
    chance.shuffle(places)
    standing: list[Place] = []
    seen: list[tuple[int, int]] = []
    while places:
        group, places = sorted(places[:2]), places[2:]
        verdict = decide(group, standing, seen, LIMIT)
        standing = [one for one in standing if one not in verdict.displaced] + [group[at] for at in sorted(verdict.kept)]
        seen = verdict.seen
        assert sorted(seen) == sorted(one.seen for one in standing)
    assert not any(are_copies(one.seen, other.seen, LIMIT) for one in standing for other in standing if one < other)
    if days == 30:
        assert len(standing) == 1
