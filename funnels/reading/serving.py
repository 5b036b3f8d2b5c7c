"""What an event of a name may serve: steps and exclusions, each if its conditions hold; told before any event is read.

A condition speaks of the event itself, of the person or of the account that did it, as the last build knows them, by a
cohort, or at the time of the event. What speaks of people or of accounts alone is found out once per question, all else by
event while files are read. ``offers`` says None where only a query can read a property.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from funnels.ask import ANY_EVENT, Exclude, Funnel, Step
from funnels.definitions.definition import Cohort
from funnels.filter_sql import ACCOUNT_NOW, ACCOUNT_THEN, PERSON_NOW, PERSON_THEN
from funnels.filters import COHORT, Filter, conditions

EVENT, PERSON, ACCOUNT = "event", "person", "account"
THEN: Final = {PERSON_THEN: "person then", ACCOUNT_THEN: "account then"}  # at the time of the event

Conditions = tuple[Filter, ...]


@dataclass(frozen=True)
class Offer:
    """``bits`` are served by events of ``names`` (ANY_EVENT: of all) for which ``where`` holds."""

    name: str
    bits: int
    where: Conditions = ()


@dataclass(frozen=True)
class Offers:
    """``people``, ``accounts``: by bit the conditions under which events of theirs serve it, where there are any."""

    listed: tuple[Offer, ...]
    people: Mapping[int, Conditions]
    accounts: Mapping[int, Conditions]

    @property
    def names(self) -> frozenset[str] | None:
        """None: of any."""
        names = frozenset(one.name for one in self.listed)
        return None if ANY_EVENT in names else names

    @property
    def filters(self) -> tuple[Conditions, ...]:
        """Of events, each once."""
        return tuple(dict.fromkeys(one.where for one in self.listed if one.where))

    def plain(self, name: str, where: Conditions = ()) -> int:
        """The bits that events of a name serve under these conditions of their own."""
        found = 0
        for one in self.listed:
            if one.name in (name, ANY_EVENT) and one.where == where:
                found |= one.bits
        return found


def root_of(name: str, cohorts: Mapping[str, Cohort], readable: Callable[[str], bool]) -> str | None:
    """Whom a property speaks of; None of those that only a query can read, such as a time."""
    if name.startswith(COHORT):
        return str(cohorts[name.removeprefix(COHORT)].unit)
    root = name.partition(".")[0]
    if root in (PERSON_NOW, ACCOUNT_NOW):
        return PERSON if root == PERSON_NOW else ACCOUNT
    if root in (PERSON_THEN, ACCOUNT_THEN):
        return THEN[root]
    return EVENT if readable(name) else None


def offers(funnel: Funnel, readable: Callable[[str], bool]) -> Offers | None:
    """Bits: steps, exclusions, and the names of first-ever steps."""
    cohorts = {one.name: one for one in funnel.cohorts}
    found = [
        (number, name, _parted(where, lambda one: root_of(one, cohorts, readable)))
        for number, name, where in _choices(funnel)
    ]
    limits: dict[int, set[tuple[Conditions, Conditions]]] = defaultdict(set)
    listed: list[Offer] = []
    for number, _, parts in found:
        if parts is None:
            return None
        limits[number].add((parts[PERSON], parts[ACCOUNT]))
    for number, name, parts in found:
        assert parts is not None
        more = (*parts[PERSON], *parts[ACCOUNT]) if len(limits[number]) > 1 else ()  # choices differ: by event
        listed.append(Offer(name, 1 << number, (*parts[EVENT], *more)))
    alike = {number: one for number, (one, *others) in limits.items() if not others}
    first = len(funnel.steps) + len(funnel.exclude)
    for place, step in enumerate(step for step in funnel.steps if step.first_ever):
        listed += [Offer(name, 1 << first + place) for name in sorted(step.event_names)]
    people, accounts = ({number: one[place] for number, one in alike.items() if one[place]} for place in (0, 1))
    return Offers(tuple(listed), people, accounts)


def _choices(funnel: Funnel) -> Iterator[tuple[int, str, Conditions]]:
    """The number of a step or exclusion, a name, and all that must hold; filters at the top restrict steps only."""
    parts: Sequence[Step | Exclude] = (*funnel.steps, *funnel.exclude)
    for number, part in enumerate(parts):
        top = funnel.where if number < len(funnel.steps) else ()
        for choice in part.choices:
            yield number, choice.event, (*choice.where, *part.where, *top)


def _parted(where: Conditions, root: Callable[[str], str | None]) -> Mapping[str, Conditions] | None:
    """What speaks of a person or of an account alone, and all else."""
    found: dict[str, Conditions] = {EVENT: (), PERSON: (), ACCOUNT: ()}
    for one in where:
        roots = {root(name) for name in _read(one)}
        if None in roots:
            return None
        (only,) = roots if len(roots) == 1 else (EVENT,)
        place = only if only in (PERSON, ACCOUNT) else EVENT
        found[place] = (*found[place], one)
    return found


def _read(one: Filter) -> Iterable[str]:
    return [condition.property for condition in conditions([one])]
