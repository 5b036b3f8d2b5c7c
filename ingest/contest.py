"""Which of some copies of one id stay: of copies the smallest (received_at, log, offset), whatever was stored first. Pure.

A newcomer that is a copy of what is known stays if its place is smaller than those of all rows in the lake that are copies
of it, and these go. Where the index knows a copy of which the lake has no row (it was as old as its project keeps events, or
its person was forgotten), the newcomer is a copy of what has left, and goes. A newcomer whose own row the lake has was
decided before a crash, and stays.

Copies are no classes: of three ids, each twenty days after the one before, the first and the last are no copies of each
other. What was told a copy stays one, also when a smaller one puts that which it was a copy of out of its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Seen = tuple[int, int]  # received_at (microseconds), month of the event counted from January 1970


class Place(NamedTuple):
    """Where an event came in, in the order of which copy stays."""

    received_at: int
    log: str
    log_offset: int
    month: int

    @property
    def seen(self) -> Seen:
        return self.received_at, self.month


@dataclass
class Verdict:
    """``kept`` and, of them, ``won``: positions of newcomers that stay, and that stay in the place of ``displaced`` rows.

    ``seen``: what the index is to know from now on.
    """

    seen: list[Seen]
    kept: set[int] = field(default_factory=set)
    won: set[int] = field(default_factory=set)
    displaced: list[Place] = field(default_factory=list)


def decide(newcomers: Sequence[Place], stored: Iterable[Place], seen: Iterable[Seen], limit: int) -> Verdict:
    """``newcomers`` of one id, the smallest first, against its rows in the lake and what the index knows of it."""
    verdict, standing = Verdict(list(seen)), set(stored)
    for at, one in enumerate(newcomers):
        known = [other for other in verdict.seen if are_copies(one.seen, other, limit)]
        rivals = {other for other in standing if other != one and are_copies(one.seen, other.seen, limit)}
        if known:
            if one not in standing and (not rivals or min(rivals) < one):
                continue
            verdict.won.add(at)
            verdict.displaced += sorted(rivals)
            standing -= rivals
        verdict.kept.add(at)
        standing.add(one)
        verdict.seen = [other for other in verdict.seen if other not in known] + [one.seen]
    return verdict


def are_copies(one: Seen, other: Seen, limit: int) -> bool:
    """Of two events of one id: whether they came within ``limit`` of each other, or lie in one month."""
    return one[1] == other[1] or abs(one[0] - other[0]) <= limit
