"""A plain reading of what stages mean, to hold the SQL to: no joins, no windows, one subject and one event after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from funnels.definitions.definition import Condition, Members, Rule, Stage, Subject

Met = tuple[datetime, str]

BEFORE = datetime(1, 1, 1, tzinfo=UTC)  # all there is
AFTER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Did:
    """An event as the walk sees it: who did what for which account (None: unclear), when."""

    time: datetime
    event_id: str
    event: str
    person: str
    account: str | None


@dataclass(frozen=True)
class Spell:
    """A person's time in an account: since when by which event, and the first moment after it."""

    since: Met
    until: datetime


def spells_in_an_account(joined: Sequence[Met], left: Sequence[datetime]) -> list[Spell]:
    """One call after another; of those at one instant the leaving comes first."""
    found: list[Spell] = []
    since: Met | None = None
    for time, event_id in sorted([*joined, *((time, "") for time in left)]):
        if not event_id:
            found += [] if since is None else [Spell(since, time)]
            since = None
        elif since is None:
            since = (time, event_id)
    return found if since is None else [*found, Spell(since, AFTER)]


@dataclass(frozen=True)
class Walk:
    stages: Mapping[str, Stage]
    events: Sequence[Did]
    members: Mapping[tuple[str, str], Sequence[Spell]]  # by person and account

    def entered(self, subject: Subject, who: str, stage: str) -> Met | None:
        return next((entered for entered, _ in self.spells(subject, who, stage)), None)

    def spells(self, subject: Subject, who: str, stage: str) -> Iterator[tuple[Met, datetime | None]]:
        """Each entry, and when it was left: one per stretch between two leavings, within which alone things are counted."""
        rule = self.stages[stage].rule(subject)
        if isinstance(rule, Members):
            entered = self._by_members(who, stage, rule.count)
            yield from [] if entered is None else [(entered, None)]
        elif rule is not None:
            edges = [BEFORE, *self._leavings(subject, who, rule), AFTER]
            for since, until in pairwise(edges):
                met = sorted(found for one in rule.conditions if (found := self._met(subject, who, rule, one, since, until)))
                if len(met) >= rule.needed:
                    yield met[rule.needed - 1], None if until == AFTER else until

    def _leavings(self, subject: Subject, who: str, rule: Rule) -> list[datetime]:
        moments = set()
        for condition in rule.left_by:
            events = [one for one in self._of(subject, who) if self._fits(one, condition)]
            moments |= {time for time, _ in self._completions(events, condition)}
        return sorted(moments)

    def _by_members(self, account: str, stage: str, count: int) -> Met | None:
        reached = []
        for (person, joined), spells in self.members.items():
            entered = self.entered("person", person, stage)
            if joined == account and entered is not None:
                reached += _shared(entered, spells)[:1]
        return sorted(reached)[count - 1] if len(reached) >= count else None

    def _met(
        self,
        subject: Subject,
        who: str,
        rule: Rule,
        condition: Condition,
        since: datetime = BEFORE,
        until: datetime = AFTER,
    ) -> Met | None:
        if subject == "person" and condition.people is not None:
            return min(self._handed_over(who, rule, condition), default=None)
        events = [
            one
            for one in self._of(subject, who)
            if since <= one.time < until and self._fits(one, condition) and self._counts(one, subject, who, rule)
        ]
        return next((one[:2] for one in self._completions(events, condition)), None)

    def _handed_over(self, person: str, rule: Rule, condition: Condition) -> list[Met]:
        found = []
        for (member, account), spells in self.members.items():
            met = self._met("account", account, rule, condition) if member == person else None
            if met is not None:
                found += _shared(met, spells)
        return found

    def _of(self, subject: Subject, who: str) -> list[Did]:
        mine = [one for one in self.events if who == (one.person if subject == "person" else one.account)]
        return sorted(mine, key=lambda one: (one.time, one.event_id))

    def _fits(self, one: Did, condition: Condition) -> bool:
        return any(one.event == selection.event for selection in condition.selections)

    def _counts(self, one: Did, subject: Subject, who: str, rule: Rule) -> bool:
        if rule.after is None:
            return True
        begun = self.entered(subject, who, rule.after)
        return begun is not None and begun[0] <= one.time and (rule.within is None or one.time - begun[0] <= rule.within)

    def _completions(self, events: Sequence[Did], condition: Condition) -> list[Met]:
        window = condition.window or timedelta.max
        found: list[Met] = []
        for place, last in enumerate(events):
            near = [one for one in events[: place + 1] if last.time - one.time <= window]
            size = len(near) if condition.people is None else len({one.person for one in near})
            if size >= (condition.people or condition.times):
                found.append((last.time, last.event_id))
        return found


def _shared(met: Met, spells: Sequence[Spell]) -> list[Met]:
    """When each spell that was not over by then has both what was met and the membership."""
    return [max(met, spell.since, key=lambda one: one[0]) for spell in spells if met[0] < spell.until]
