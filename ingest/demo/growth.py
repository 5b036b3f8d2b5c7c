"""What brings people and money: wishes to talk, trials and subscriptions, and invitations with their odd cases.

Parts as in ``life``; the last three functions tell what takes two people.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from ingest.demo import words
from ingest.demo.shape import DAY, HOUR, MINUTE, SECOND, Happening, Person

LAYERS: Final = ("team", "share", "referral")


def lead(person: Person, rng: Random) -> Iterator[Happening]:
    """A few ask for a demo before they sign up, or without ever doing so."""
    if person.registered is None:
        if rng.random() < 0.012:
            yield _demo_wish(person, person.came + 3 * MINUTE)
    elif rng.random() < 0.003:
        yield _demo_wish(person, person.registered - 90 * SECOND)


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
