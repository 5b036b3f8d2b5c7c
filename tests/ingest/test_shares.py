"""Memory that many share."""

from __future__ import annotations

from collections.abc import Iterable

from ingest.shares import Shares


def taken(shares: Shares, who: str, sizes: Iterable[int]) -> int:
    return sum(size for size in sizes if shares.take(who, size))


def test_one_holder_gets_three_quarters_and_leaves_the_rest_to_others() -> None:
    shares = Shares(1000)
    assert taken(shares, "flood", [1] * 5000) == 750
    assert taken(shares, "other", [1] * 5000) == 188  # three quarters of what is left


def test_floods_by_many_leave_something_for_one_more() -> None:
    shares = Shares(100_000)
    for round_ in range(3000):
        for who in range(9):
            shares.take(who, 10 + round_ % 7)
    assert shares.total <= 100_000
    assert taken(shares, "newcomer", [10] * 100) == 1000


def test_what_is_given_back_can_be_taken_again_by_anybody() -> None:
    shares = Shares(1000)
    assert shares.take("a", 600)
    assert not shares.take("b", 500)
    shares.give_back("a", 600)
    assert shares.total == 0
    assert shares.take("b", 500)


def test_what_is_larger_than_all_memory_is_taken_alone() -> None:
    shares = Shares(1000)
    assert shares.take("a", 5000)
    assert not shares.take("b", 1)
    shares.give_back("a", 5000)
    assert shares.take("b", 1)
