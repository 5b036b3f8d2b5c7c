"""Definitions resolved: what the deployment's TOML files mean, every default filled in and every name checked.

As written they are ``written``; ``load`` makes these from those. Durations are elapsed time, inclusive at their end. A
subject is ``person`` or ``account``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from funnels.filters import Filter
from transforms.domains import LEFT_BY, Domains

Subject = Literal["person", "account"]
SUBJECTS: Final[tuple[Subject, ...]] = ("person", "account")
Period = Literal["day", "week", "month"]


@dataclass(frozen=True)
class Event:
    """One event of the vocabulary: what it says happened, and its properties with what they mean."""

    name: str
    description: str
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Selection:
    """Events of one name that satisfy all filters."""

    event: str
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True)
class Condition:
    """Met by the event that completes it: ``times`` matching events within ``window``, else ``people`` distinct persons.

    ``people`` counts the persons of the account, also where the condition stands for a person; ``window`` None is without
    limit. An event that fits several selections counts once.
    """

    label: str
    selections: tuple[Selection, ...]
    times: int = 1
    people: int | None = None
    window: timedelta | None = None


@dataclass(frozen=True)
class Rule:
    """A subject's own conditions: entered when the ``needed``-th of them is met (1 for any of them, their number for all).

    With ``after``, only events at or after the subject's first entry into that stage count, and at most ``within`` later.
    Whenever one of ``left_by`` is met, a spell ends, and what was counted before counts no more: entering again is spell 2.
    """

    conditions: tuple[Condition, ...]
    needed: int
    after: str | None = None
    within: timedelta | None = None
    left_by: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Members:
    """An account's rule: entered when ``count`` of its members have entered the same stage as persons; not left."""

    count: int


@dataclass(frozen=True)
class Stage:
    name: str
    title: str
    person: Rule | None
    account: Rule | Members | None

    def rule(self, subject: Subject) -> Rule | Members | None:
        return self.person if subject == "person" else self.account


@dataclass(frozen=True)
class StageFunnel:
    """A funnel over stages: ``unit`` is the subject shown where the question names none."""

    name: str
    title: str
    steps: tuple[str, ...]
    window: timedelta
    unit: Subject


@dataclass(frozen=True)
class NorthStar:
    """How many units did the selected events at least ``times`` times in a ``per`` (in the project's zone)."""

    name: str
    title: str
    unit: Subject
    selections: tuple[Selection, ...]
    times: int
    per: Period


@dataclass(frozen=True)
class Virality:
    """The events of an invitation, the properties that name it, and how long a new person's invitations are waited for."""

    stage: str
    horizon: timedelta
    sent: str
    sent_invite_id: str
    sent_email: str
    sent_layer: str
    accepted: str
    accepted_invite_id: str


@dataclass(frozen=True)
class Accounts:
    """Projects in which e-mail domains form accounts ("*": all), corrections to the list of free ones; how people leave."""

    email_domains: tuple[str, ...] = ()
    free_domains: tuple[str, ...] = ()
    company_domains: tuple[str, ...] = ()
    left_by: str = LEFT_BY  # an event's name

    def domains(self, project: str) -> Domains:
        on = project in self.email_domains or "*" in self.email_domains
        return Domains(on, frozenset(self.free_domains), frozenset(self.company_domains), self.left_by)


@dataclass(frozen=True)
class Internal:
    """Traffic that is left out: people by e-mail domain (lower case) or typed id, events that satisfy all of ``where``."""

    domains: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True)
class Did:
    """Events of some kind in ``start <= time < end`` (None: without limit), or in the ``last`` so long before the question's
    ``as_of``: at least so many, at most so many."""

    selections: tuple[Selection, ...]
    at_least: int = 1
    at_most: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    last: timedelta | None = None


@dataclass(frozen=True)
class Cohort:
    """Whoever satisfies all of it: what the last build knows of them (``where``), what they did, the stages they entered."""

    name: str
    unit: Subject
    where: tuple[Filter, ...] = ()  # on person_now. of people, account_now. of accounts
    did: tuple[Did, ...] = ()
    stages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Definitions:
    events: Mapping[str, Event]
    stages: Mapping[str, Stage]
    funnels: Mapping[str, StageFunnel]
    north_star: NorthStar
    virality: Virality
    accounts: Accounts
    internal: Internal = Internal()
    cohorts: Mapping[str, Cohort] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Eight hex digits of what can change a built number. Texts for readers (titles, labels, the vocabulary) do not
        count, nor do cohorts: no table is made of them, and an answer tells those that it used in full."""
        content: tuple[object, ...] = (self.stages, self.funnels, self.north_star, self.virality, self.accounts)
        content += (self.internal,) if self.internal != Internal() else ()
        return hashlib.sha256(repr(_plain(content)).encode()).hexdigest()[:8]


_READERS_TEXT: Final = {"title", "label"}


def _plain(value: object) -> object:
    """Nested tuples in an order that does not depend on the order of the files."""
    if is_dataclass(value) and not isinstance(value, type):
        counting = [part.name for part in fields(value) if part.name not in _READERS_TEXT]
        return (type(value).__name__, tuple((name, _plain(getattr(value, name))) for name in counting))
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), _plain(item)) for key, item in value.items()))
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return value.total_seconds() if isinstance(value, timedelta) else value
