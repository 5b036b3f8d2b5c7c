"""What people do: each part yields some of one person's happenings; a life is all parts.

A part may yield in any order and beyond the company's period; ``plan`` sorts and cuts. Parts know nothing of each other, so
rates are those of the parts' own numbers, and what follows from them (who is a PQL) is for ``truth`` to find out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from ingest.demo import words
from ingest.demo.people import is_weekend, moment_of_day
from ingest.demo.shape import DAY, HOUR, MINUTE, Happening, Person

SECOND: Final = 1_000
BROWSING: Final = ("Inbox", "Board", "Calendar", "Search", "Task", "Settings", "Reports")
FEATURES: Final = ("Task Viewed", "Comment Added", "File Attached", "Task Assigned", "Filter Saved", "Mention Read")
SITE_PAGES: Final = ("Home", "Pricing", "Features", "Templates", "Customers")
LAYERS: Final = ("team", "share", "referral")

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


def lead(person: Person, rng: Random) -> Iterator[Happening]:
    """A few ask for a demo before they sign up, or without ever doing so."""
    if person.registered is None:
        if rng.random() < 0.012:
            yield _demo_wish(person, person.came + 3 * MINUTE)
    elif rng.random() < 0.003:
        yield _demo_wish(person, person.registered - 90 * SECOND)


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


def hand_raise(person: Person, rng: Random) -> Iterator[Happening]:
    if person.registered is not None and person.raises_hand:
        time = person.registered + int(rng.random() ** 2 * 12 * DAY) + rng.randrange(25, 600) * MINUTE
        name = rng.choice(("Contact Sales Clicked", "Demo Requested"))
        yield Happening(time, person.index, "track", name, {"form": "in-app"}, person.account)


def sales(person: Person, rng: Random) -> Iterator[Happening]:
    """A trial, mostly; then a subscription, upgrades and churn."""
    if person.registered is None:
        return
    time = person.registered + int((5 + rng.expovariate(1 / 10)) * DAY)
    plan = "personal" if person.account is None else rng.choice(("team", "team", "business"))
    offer: dict[str, object] = {"plan": plan, "amount": words.PLANS[plan], "currency": "USD", "interval": "month"}
    if person.pays or rng.random() < 0.05:
        yield Happening(time, person.index, "track", "Trial Started", {"plan": plan, "days": 14}, person.account)
    if not person.pays:
        return
    time += rng.randrange(20 * MINUTE, 9 * DAY)
    yield Happening(time, person.index, "track", "Subscription Started", offer, person.account)
    if plan == "team" and rng.random() < 0.3:
        time += rng.randrange(5 * DAY, 40 * DAY)
        better = {**offer, "plan": "business", "amount": words.PLANS["business"]}
        yield Happening(time, person.index, "track", "Subscription Upgraded", better, person.account)
    if rng.random() < 0.18:
        time += rng.randrange(10 * DAY, 50 * DAY)
        reason = {"plan": plan, "reason": rng.choice(words.CHURN_REASONS)}
        yield Happening(time, person.index, "track", "Subscription Cancelled", reason, person.account)


def invitations(person: Person, rng: Random) -> Iterator[Happening]:
    """Invitations that nobody took up; those that were are told by ``taken_up``, of the invited."""
    if person.joined is None or not person.activates or person.account is None:
        return
    for number in range(rng.choice((0, 0, 1, 1, 2, 4))):
        time = person.joined + 6 * MINUTE + int(rng.random() ** 2 * 15 * DAY)
        properties = {
            "invite_id": f"inv_{person.index:06d}_{number}",
            "invitee_email": f"colleague{number}.of.{person.index}@mail.example",
            "layer": rng.choice(LAYERS),
        }
        yield Happening(time, person.index, "track", "Invite Sent", properties, person.account)
        if number == 3 and not _by_address(person):  # clicks the link of their own invitation: it must not count
            yield Happening(time + MINUTE, person.index, "track", "Invite Accepted", {"invite_id": properties["invite_id"]})


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


def taken_up(person: Person, inviter: Person, rng: Random) -> Iterator[Happening]:
    """The sending of the invitation by which ``person`` came; its acceptance is in ``sign_up``."""
    if person.invite is not None:
        yield _sent(inviter, person.invite.sent, person.invite.identifier, person, rng)


def also_invited(person: Person, other: Person, rng: Random) -> Iterator[Happening]:
    """A second invitation to one person, taken up after the first: the first has the credit."""
    if person.registered is None or person.invite is None or not person.invite.by_link or other.joined is None:
        return
    if other.joined < person.registered - HOUR and rng.random() < 0.04:
        identifier = f"inv_{person.index:06d}_again"
        yield _sent(other, person.registered - 50 * MINUTE, identifier, person, rng)
        yield Happening(person.registered + 5 * MINUTE, person.index, "track", "Invite Accepted", {"invite_id": identifier})


def already_here(person: Person, other: Person, rng: Random) -> Iterator[Happening]:
    """An invitation to someone who had signed up before it was sent: not a new user."""
    if person.registered is None or other.joined is None or _by_address(person) or rng.random() > 0.01:
        return
    time = max(person.registered, other.joined) + rng.randrange(1, 96) * HOUR
    identifier = f"inv_{person.index:06d}_late"
    yield _sent(other, time, identifier, person, rng)
    yield Happening(time + HOUR, person.index, "track", "Invite Accepted", {"invite_id": identifier})


def _by_address(person: Person) -> bool:
    """Came by an invitation that only the e-mail address tells; such people accept no other, which would be ambiguous."""
    return person.invite is not None and not person.invite.by_link


def _sent(inviter: Person, time: int, identifier: str, invitee: Person, rng: Random) -> Happening:
    properties = {"invite_id": identifier, "invitee_email": invitee.email, "layer": rng.choice(LAYERS)}
    return Happening(time, inviter.index, "track", "Invite Sent", properties, inviter.account)


def _demo_wish(person: Person, time: int) -> Happening:
    return Happening(time, person.index, "track", "Demo Requested", {"form": "pricing"}, known=False)


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
