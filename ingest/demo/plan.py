"""The whole company: who there is and, in order of time, all that happened between its first and its last day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from random import Random

from ingest.demo.growth import already_here, also_invited, taken_up
from ingest.demo.life import PARTS
from ingest.demo.people import CLEAR, accounts, sign_ups, visitors
from ingest.demo.shape import DAY, Company, Happening, Person, Size


def plan(size: Size, end: datetime) -> Company:
    """The company whose history ends at ``end``, a midnight UTC (today's, so that nothing lies in the future)."""
    until = int(end.astimezone(UTC).timestamp()) * 1000
    if until % DAY:
        raise ValueError(f"the company's last day must end at midnight UTC, not {end.isoformat()}; pass a whole day")
    rng = Random(size.seed)
    start = until - size.days * DAY
    registered = sign_ups(size, start, until, rng)
    people = (*registered, *visitors(size, start, until, rng))
    told = chain(_lives(people, rng), _invitations(registered, rng))
    happenings = sorted((h for h in told if start + CLEAR <= h.time <= until - CLEAR), key=lambda h: (h.time, h.person))
    return Company(size, start, until, people, tuple(accounts(size, rng)), tuple(_apart(happenings)))


def _lives(people: tuple[Person, ...], rng: Random) -> Iterator[Happening]:
    for person in people:
        for part in PARTS:
            yield from part(person, rng)


def _invitations(registered: list[Person], rng: Random) -> Iterator[Happening]:
    """What takes two people: sent by the one, taken up by the other."""
    for person in registered:
        if person.invite is not None:
            inviter = registered[person.invite.inviter]
            yield from taken_up(person, inviter, rng)
        other = rng.choice(registered)
        if other.index != person.index and (person.invite is None or other.index != person.invite.inviter):
            yield from also_invited(person, other, rng)
            yield from already_here(person, other, rng)


def _apart(happenings: list[Happening]) -> Iterator[Happening]:
    """No two happenings of one person at the same instant, so that nothing hangs on an order of ties."""
    last: dict[int, int] = {}
    for happening in happenings:
        time = max(happening.time, last.get(happening.person, 0) + 1)
        last[happening.person] = time
        yield happening if time == happening.time else happening._replace(time=time)
