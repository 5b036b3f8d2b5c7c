"""Who an actor is, as a number: whoever is known is found, whatever collides, and a change touches only those it names."""

from __future__ import annotations

import numpy as np

from funnels.kernel import Ints
from funnels.reading.who import INTERNAL, NOBODY, Who, find_values, laid_over, who


def numbers(*values: int) -> Ints:
    return np.array(values, np.int64)


def value_of(known: Who, actor: int) -> int:
    found = numbers(0, 0)
    find_values(known.slots, known.shift, numbers(actor, 77), 1, found)
    assert found[1] == 0
    return int(found[0])


def owner(known: Who, actor: int) -> int | None:
    """The person_id of an actor; None of one who is nobody."""
    value = value_of(known, actor)
    return None if value == NOBODY else int(known.people[value & (INTERNAL - 1)])


def is_internal(known: Who, actor: int) -> bool:
    return value_of(known, actor) >= INTERNAL


def test_every_actor_finds_its_person_and_nobody_else_is_found() -> None:
    random = np.random.default_rng(1)
    actors = np.unique(random.integers(-(1 << 63), 1 << 62, 5_000))
    people = actors[random.integers(0, 2_000, actors.size)]
    people[:2_000] = actors[:2_000]
    known = who(actors, people, actors[::7])
    assert [owner(known, actor) for actor in actors.tolist()] == people.tolist()
    assert [is_internal(known, actor) for actor in actors.tolist()] == [place % 7 == 0 for place in range(actors.size)]
    assert owner(known, 12_345) is None
    assert known.people[known.codes(people)].tolist() == people.tolist()
    assert known.codes(numbers(12_345)).tolist() == [NOBODY]


def test_an_id_that_names_a_person_and_never_acted_is_no_actor() -> None:
    known = who(numbers(1, 2), numbers(9, 9), numbers())
    assert [owner(known, actor) for actor in (1, 2, 9)] == [9, 9, None]
    assert known.codes(numbers(9)).tolist() == [0]


def test_a_merge_and_its_undo_lie_over_what_was_known_and_leave_it_as_it_is() -> None:
    built = who(numbers(1, 2, 3), numbers(1, 2, 3), numbers(3))
    merged = laid_over(built, numbers(1, 2), numbers(1, 2, 4), numbers(1, 1, 4), numbers(3))
    assert [owner(merged, actor) for actor in (1, 2, 3, 4)] == [1, 1, 3, 4]
    assert [is_internal(merged, actor) for actor in (1, 2, 3, 4)] == [False, False, True, False]
    assert [owner(built, actor) for actor in (1, 2, 3, 4)] == [1, 2, 3, None]
    undone = laid_over(merged, numbers(1, 2), numbers(2), numbers(2), numbers(3))
    assert [owner(undone, actor) for actor in (1, 2, 3)] == [None, 2, 3]


def test_more_newcomers_than_there_is_room_for_make_a_larger_table() -> None:
    built = who(numbers(1, 2), numbers(1, 1), numbers(2))
    many = np.arange(100, 1_100)
    grown = laid_over(built, numbers(1), many, many, numbers(2))
    assert [owner(grown, actor) for actor in (1, 2, 100, 1_099)] == [None, 1, 100, 1_099]
    assert [is_internal(grown, actor) for actor in (2, 100)] == [True, False]
