"""What a company is: its people, its accounts and everything that happened, as plain values.

All times are milliseconds since the epoch, UTC: the precision of the SDKs' own timestamps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
CLOCK_STEP: Final = 5 * MINUTE  # a collector corrects clocks in whole steps of this

NOTHING: Final[Mapping[str, object]] = {}


@dataclass(frozen=True)
class Size:
    """How big a company to make. ``people`` sign up; about half as many more only look."""

    people: int = 5_000
    accounts: int = 800
    days: int = 90
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Invite:
    """The invitation by which someone came. ``identifier`` None: only the e-mail address tells."""

    identifier: str
    inviter: int  # index of the person who sent it
    sent: int
    by_link: bool  # accepted by its id; otherwise the invitee merely signed up with the address it was sent to


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who came. ``registered`` None: a visitor, who ``came`` and never signed up.

    ``keeps`` is how long they keep coming after signing up.
    """

    index: int
    registered: int | None
    name: str
    email: str
    channel: str
    came: int = 0
    account: int | None = None  # index of the account they create or join
    founder: bool = False
    joined: int | None = None
    invite: Invite | None = None
    activates: bool = False
    keeps: int = 0
    analyst: bool = False  # exports many reports
    raises_hand: bool = False
    pays: bool = False
    two_devices: bool = False
    renamed: bool = False  # began under an older user id, joined to the present one by an alias call
    clock: int = 0  # how far the clock of their devices is ahead; never near half a CLOCK_STEP

    @property
    def user_id(self) -> str:
        return f"u{self.index:06d}"

    @property
    def seen_shift(self) -> int:
        """What is left of a wrong clock after the collector's correction: less than a minute either way."""
        return self.clock - round(self.clock / CLOCK_STEP) * CLOCK_STEP


@dataclass(frozen=True, slots=True)
class Account:
    index: int
    name: str

    @property
    def account_id(self) -> str:
        return f"acct_{self.index:05d}"


class Happening(NamedTuple):
    """One thing somebody did, as one SDK call will tell it."""

    time: int  # when it really happened
    person: int
    kind: str
    name: str = ""  # of a track or page
    properties: Mapping[str, object] = NOTHING
    account: int | None = None  # the account the call itself names
    device: int = 0
    touch: str | None = None  # the channel a landing page was reached by
    known: bool = True  # logged in: the call carries the user id


@dataclass(frozen=True)
class Company:
    """Everything that happened in ``[start, end)``. ``happenings`` are in order of time."""

    size: Size
    start: int
    end: int
    people: tuple[Person, ...]
    accounts: tuple[Account, ...]
    happenings: tuple[Happening, ...]

    def seen(self, happening: Happening) -> int:
        """The time a collector gives the happening."""
        return happening.time + self.people[happening.person].seen_shift
