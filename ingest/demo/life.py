"""What people do: each part yields some of one person's happenings; a life is all parts.

A part may yield in any order and beyond the company's period; ``plan`` sorts and cuts. Parts know nothing of each other, so
rates are those of the parts' own numbers, and what follows from them (who is a PQL) is for ``truth`` to find out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from ingest.demo.growth import hand_raise, invitations, lead, sales
from ingest.demo.people import is_weekend, moment_of_day
from ingest.demo.shape import DAY, HOUR, MINUTE, SECOND, Happening, Person

BROWSING: Final = ("Inbox", "Board", "Calendar", "Search", "Task", "Settings", "Reports")
FEATURES: Final = ("Task Viewed", "Comment Added", "File Attached", "Task Assigned", "Filter Saved", "Mention Read")
SITE_PAGES: Final = ("Home", "Pricing", "Features", "Templates", "Customers")

Part = Callable[[Person, Random], Iterator[Happening]]


def visits(person: Person, rng: Random) -> Iterator[Happening]:
    """Anonymous visits, the first by the person's channel; some sign up without one, in the app."""
    last = person.registered
    if last is None:
        first = person.came
    elif person.channel == "invite":
        first = last - rng.randrange(2, 5) * MINUTE  # by the link itself, so not before it was sent
    elif rng.random() < 0.93:
        first = last - int(rng.random() ** 4 * 12 * DAY) - rng.randrange(2, 25) * MINUTE
    else:
        return
    yield from _visit(person, first, person.channel, rng)
    again = first + rng.randrange(2, 70) * HOUR
    while rng.random() < 0.3 and (last is None or again < last - 30 * MINUTE):
        yield from _visit(person, again, rng.choice(("direct", "organic search", "email")), rng)
        again += rng.randrange(2, 70) * HOUR


def sign_up(person: Person, rng: Random) -> Iterator[Happening]:
    """Signed Up, now and then twice; then identify; then, by the link of an invitation, its acceptance."""
    if person.registered is None:
        return
    me, time = person.index, person.registered
    properties: dict[str, object] = {"plan": "free", "method": rng.choice(("email", "google", "sso"))}
    if person.invite and person.invite.by_link:
        properties["invite_id"] = person.invite.identifier
    yield Happening(time, me, "track", "Signed Up", properties)
    yield Happening(time + 300, me, "identify", properties={"email": person.email, "name": person.name})
    if rng.random() < 0.01:
        yield Happening(time + 40 * SECOND, me, "track", "Signed Up", properties)
    if person.invite and person.invite.by_link:
        accepted = {"invite_id": person.invite.identifier}
        yield Happening(time + 2 * SECOND, me, "track", "Invite Accepted", accepted)
    if person.renamed:
        yield Happening(time + 20 * HOUR, me, "alias")


def membership(person: Person, rng: Random) -> Iterator[Happening]:
    """The founder creates the account; everyone's group call makes them a member."""
    if person.joined is None or person.account is None:
        return
    if person.founder:
        yield Happening(person.joined - 2 * SECOND, person.index, "track", "Account Created", {}, person.account)
    yield Happening(person.joined, person.index, "group", account=person.account)


def activation(person: Person, rng: Random) -> Iterator[Happening]:
    """A project and at least three tasks within days; the others lack the one or the other, or come to it too late."""
    if person.registered is None:
        return
    begun = person.registered + rng.randrange(21, 60) * MINUTE
    if person.activates:
        yield _project(person, begun, rng)
        spread = rng.random() ** 2 * 4 * DAY
        for number in range(rng.randrange(3, 7)):
            yield _task(person, begun + MINUTE + int(spread * number / 6) + number * 97 * SECOND, rng)
    elif rng.random() < 0.35:
        yield _project(person, begun, rng)
        for number in range(rng.randrange(0, 3)):
            yield _task(person, begun + (number + 1) * 3 * MINUTE, rng)
    elif rng.random() < 0.06:
        late = person.registered + rng.randrange(8, 20) * DAY
        yield _project(person, late, rng)
        for number in range(4):
            yield _task(person, late + (number + 1) * 4 * MINUTE, rng)


def use(person: Person, rng: Random) -> Iterator[Happening]:
    """Sessions on the days they come back, for as long as they keep coming."""
    if person.registered is None:
        return
    yield from _session(person, person.registered + 70 * SECOND, 2, rng)
    midnight = person.registered // DAY * DAY
    for day in range(midnight + DAY, person.registered + person.keeps, DAY):
        if rng.random() < (0.08 if is_weekend(day) else 0.5):
            yield from _session(person, moment_of_day(day, rng), 7, rng)


def reports(person: Person, rng: Random) -> Iterator[Happening]:
    """Analysts export in bursts; some others a report now and then, never many within two weeks."""
    if person.registered is None:
        return
    time = person.registered + rng.randrange(1, 9) * DAY
    if person.analyst:
        for _ in range(rng.randrange(5, 16)):
            yield _report(person, time, rng)
            time += int(rng.expovariate(1 / 1.6) * DAY) + 5 * MINUTE
    elif person.activates and rng.random() < 0.3:
        for _ in range(rng.randrange(1, 4)):
            yield _report(person, time, rng)
            time += rng.randrange(4 * 24, 9 * 24) * HOUR


def second_device(person: Person, rng: Random) -> Iterator[Happening]:
    """The same person elsewhere: looks around unknown, before or after the sign-up, then logs in there."""
    if person.registered is None or not person.two_devices:
        return
    time = person.registered + rng.randrange(-6 * DAY, 12 * DAY)
    touch = rng.choice(("direct", "organic search", "social"))
    yield from _visit(person, time, touch, rng, device=1)
    login = max(time, person.registered) + rng.randrange(30, 300) * MINUTE
    traits = {"email": person.email, "name": person.name}
    yield Happening(login, person.index, "identify", properties=traits, device=1)
    yield from _session(person, login + 5 * SECOND, 2, rng, device=1)


PARTS: Final[tuple[Part, ...]] = (
    visits, lead, sign_up, membership, activation, use, reports, hand_raise, sales, invitations, second_device,
)  # fmt: skip


def _visit(person: Person, time: int, touch: str, rng: Random, device: int = 0) -> Iterator[Happening]:
    for number in range(rng.randrange(1, 4)):
        page = SITE_PAGES[0] if number == 0 else rng.choice(SITE_PAGES)
        entry = touch if number == 0 else None
        yield Happening(time, person.index, "page", page, device=device, touch=entry, known=False)
        time += rng.randrange(8 * SECOND, 60 * SECOND)


def _session(person: Person, time: int, most: int, rng: Random, device: int = 0) -> Iterator[Happening]:
    """Up to ``most`` rounds of a page and some work; in a longer session also completed tasks."""
    for _ in range(rng.randrange(1, most + 1)):
        yield Happening(time, person.index, "page", rng.choice(BROWSING), device=device)
        for _ in range(rng.randrange(1, 7)):
            time += rng.randrange(3 * SECOND, 80 * SECOND)
            yield Happening(time, person.index, "track", rng.choice(FEATURES), {}, _own(person, time, rng), device)
        time += rng.randrange(5 * SECOND, 200 * SECOND)
        if most > 2 and person.activates and rng.random() < 0.34:
            yield _task(person, time, rng, device)
            time += rng.randrange(5 * SECOND, 100 * SECOND)


def _own(person: Person, time: int, rng: Random) -> int | None:
    """Most calls of a member name the account; the rest leave it to be found by membership."""
    return person.account if person.joined is not None and time > person.joined and rng.random() < 0.8 else None


def _project(person: Person, time: int, rng: Random) -> Happening:
    properties = {"template": rng.choice(("blank", "sprint", "launch"))}
    return Happening(time, person.index, "track", "Project Created", properties, _own(person, time, rng))


def _task(person: Person, time: int, rng: Random, device: int = 0) -> Happening:
    properties = {"minutes": rng.randrange(1, 240)}
    return Happening(time, person.index, "track", "Task Completed", properties, _own(person, time, rng), device)


def _report(person: Person, time: int, rng: Random) -> Happening:
    properties = {"format": rng.choice(("csv", "pdf"))}
    return Happening(time, person.index, "track", "Report Exported", properties, _own(person, time, rng))
