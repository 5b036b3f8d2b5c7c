"""Who signs up when, from where, into which account, and invited by whom.

Sign-ups are drawn in order of time; each newcomer founds an account, joins one, or stays alone. An invitation is drawn from
the invited side: a newcomer picks someone who signed up some days earlier, so that accounts grow and cycle times are days.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from random import Random
from typing import Final

from ingest.demo import words
from ingest.demo.shape import CLOCK_STEP, DAY, HOUR, MINUTE, Account, Invite, Person, Size

CLEAR: Final = 2 * MINUTE  # what happens stays this far from start and end, whatever the clocks do
GROWTH: Final = 2.6  # sign-ups per day at the end against the beginning
STAYS_ALONE: Final = 0.25
JOINER_INVITED, FOUNDER_INVITED, LONER_INVITED = 0.82, 0.34, 0.16
BY_LINK: Final = 0.82  # the rest of the invited sign up with the invited address, without the link
CYCLE_DAYS: Final = 6.5  # mean time between an inviter's sign-up and the invitee's
ROOM: Final = 3.6  # mean number of people an account has room for beside its founder
VISITORS: Final = 0.5  # people who only look, per person who signs up


def sign_ups(size: Size, start: int, end: int, rng: Random) -> list[Person]:
    """Exactly ``size.people`` registered people; exactly ``size.accounts`` of them found an account."""
    times = sorted(_moment(start, end, rng) for _ in range(size.people))
    people: list[Person] = []
    members: list[Person] = []
    crews: dict[int, list[Person]] = defaultdict(list)  # the members of each account
    rooms = [1 + int(rng.expovariate(1 / ROOM)) for _ in range(size.accounts)]
    founded = 0
    for index, time in enumerate(times):
        person = _newcomer(index, time, rng)
        if not members or rng.random() < (size.accounts - founded) / (size.people - index):
            if founded < size.accounts:
                person = replace(person, account=founded, founder=True)
                founded += 1
        elif rng.random() > STAYS_ALONE:
            person = replace(person, account=_with_room(_earlier(members, time, rng), crews, rooms))
        pool = members if person.account is None or person.founder else crews[person.account]
        person = _arrival(person, time, pool, rng)
        people.append(person)
        if person.account is not None:
            members.append(person)
            crews[person.account].append(person)
    return people


def visitors(size: Size, start: int, end: int, rng: Random) -> list[Person]:
    """People who come, look and never sign up; their indexes follow those who did."""
    return [
        Person(size.people + number, None, "", "", _channel(rng), _moment(start, end, rng), clock=_clock(rng))
        for number in range(round(size.people * VISITORS))
    ]


def accounts(size: Size, rng: Random) -> list[Account]:
    return [Account(i, f"{rng.choice(words.COMPANY_FIRST)} {rng.choice(words.COMPANY_LAST)}") for i in range(size.accounts)]


def moment_of_day(day: int, rng: Random) -> int:
    """A time in working hours of the day that begins at ``day``; a few work at night."""
    hour = rng.triangular(6.5, 22.0, 14.0) if rng.random() < 0.93 else rng.uniform(0.0, 23.9)
    return day + int(hour * HOUR) + rng.randrange(MINUTE)


def is_weekend(day: int) -> bool:
    return (day // DAY + 3) % 7 >= 5  # the epoch began on a Thursday


def _moment(start: int, end: int, rng: Random) -> int:
    """A sign-up's time: growing over the period, quiet at weekends."""
    days = (end - start) // DAY
    while True:
        grown = math.log1p(rng.random() * (GROWTH - 1)) / math.log(GROWTH)
        day = start + min(int(grown * days), days - 1) * DAY
        if not is_weekend(day) or rng.random() < 0.35:
            return min(max(moment_of_day(day, rng), start + CLEAR), end - HOUR)


def _newcomer(index: int, time: int, rng: Random) -> Person:
    first, last = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
    activates = rng.random() < 0.37
    stays = rng.random() < (0.62 if activates else 0.10)
    return Person(
        index,
        time,
        f"{first} {last}",
        f"{first}.{last}.{index}@mail.example".lower(),
        _channel(rng),
        activates=activates,
        keeps=int((2 + rng.expovariate(1 / 24)) * DAY) if stays else int(rng.random() ** 3 * 5 * DAY) if activates else 0,
        analyst=stays and rng.random() < 0.13,
        raises_hand=rng.random() < (0.04 if activates else 0.005),
        two_devices=rng.random() < 0.12,
        renamed=rng.random() < 0.006,
        clock=_clock(rng),
    )


def _arrival(person: Person, time: int, inviters: list[Person], rng: Random) -> Person:
    """Adds when the person enters the account, and the invitation they came by, from one of ``inviters``."""
    chance = FOUNDER_INVITED if person.founder else LONER_INVITED
    if person.account is not None:
        chance = FOUNDER_INVITED if person.founder else JOINER_INVITED
        person = replace(person, joined=time + rng.randrange(2 * MINUTE, 20 * MINUTE))
    person = replace(person, pays=_pays(person, rng))
    if not inviters or rng.random() >= chance:
        return person
    inviter = _earlier(inviters, time, rng)
    earliest, latest = (inviter.joined or time) + 5 * MINUTE, time - 5 * MINUTE
    if earliest >= latest:
        return person
    sent = max(earliest, latest - int(rng.expovariate(1 / 2.0) * DAY))
    invite = Invite(f"inv_{person.index:06d}", inviter.index, sent, by_link=rng.random() < BY_LINK)
    return replace(person, invite=invite, channel="invite" if invite.by_link else person.channel)


def _earlier(members: list[Person], time: int, rng: Random) -> Person:
    """A member who signed up some days before ``time``; the first there is, where none did."""
    wanted = time - int(rng.expovariate(1 / CYCLE_DAYS) * DAY)
    return members[max(bisect_right(members, wanted, key=lambda m: m.registered or 0) - 1, 0)]


def _with_room(member: Person, crews: dict[int, list[Person]], rooms: list[int]) -> int | None:
    """The member's account unless it is full: teams stay small however long they have been there."""
    account = member.account
    return account if account is not None and len(crews[account]) < rooms[account] else None


def _pays(person: Person, rng: Random) -> bool:
    chance = 0.012 if not person.activates else 0.07
    if person.account is not None and person.keeps > 14 * DAY:
        chance += 0.12
    return rng.random() < chance + 0.42 * person.analyst + 0.45 * person.raises_hand


def _channel(rng: Random) -> str:
    return rng.choices(tuple(words.CHANNEL_WEIGHTS), tuple(words.CHANNEL_WEIGHTS.values()))[0]


def _clock(rng: Random) -> int:
    """Most clocks are right; the wrong ones are so by whole steps and less than a minute."""
    if rng.random() >= 0.03:
        return 0
    steps = rng.choice((-288, -12, -3, -1, 1, 2, 12, 36, 2016))
    return steps * CLOCK_STEP + rng.randrange(-55_000, 55_000)
