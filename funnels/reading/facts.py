"""Whose an event is, and what is known of them: people and accounts by number, of one question.

Three ways of asking: of all people and accounts at once (what they may serve), of events as they are read (conditions that
speak of more than one kind of thing), and of rows by number after matching (values).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pyarrow as pa

from funnels.cohort_sql import tables_of
from funnels.filter_sql import PERSON_THEN
from funnels.filters import Condition, Filter
from funnels.kernel import Codes, Ints
from funnels.reading.accounts import Accounts, Named
from funnels.reading.gather import People
from funnels.reading.histories import history_of, told_then
from funnels.reading.neighbours import SESSION_BITS
from funnels.reading.places import Places
from funnels.reading.scan import Rows
from funnels.reading.serving import ACCOUNT, EVENT, PERSON, THEN, Offers, root_of
from funnels.reading.stream_sql import Query
from funnels.reading.subjects import ACCOUNTS, PEOPLE, Subjects
from funnels.reading.truths import ByRow, Flags
from funnels.reading.valued import Column, OfEvents, OfSubjects, OfThen, Which, can_read
from funnels.reading.who import Who
from funnels.reading.words import UNKNOWN
from transforms.engine import Engine


class Facts:
    """``accounts``: None where no event's account needs to be known."""

    def __init__(
        self, engine: Engine, query: Query, places: Places, who: Who, accounts: Accounts | None, threads: ThreadPoolExecutor
    ) -> None:
        self._engine, self._places, self._who, self._accounts, self._threads = engine, places, who, accounts, threads
        self._unit, self._zone = query.funnel.unit, query.funnel.zone
        self._cohorts = {one.name: one for one in query.funnel.cohorts}
        self.named = None if accounts is None else Named(places, accounts.words)
        if self.named is not None:
            self.named.learn(threads)
        self._known = 0 if accounts is None else len(accounts.words)  # others may come meanwhile

    @property
    def count(self) -> int:
        """How many units there may be; sessions are told from each other when their person's rows are in order."""
        return self._known if self._unit == "account" else len(self._who.people)

    def allowed(self, offered: Offers) -> People:
        """Who may serve what."""
        people = _bits(self._of_people, offered.people) if offered.people else _NO_INTS
        accounts = _bits(self._of_accounts, offered.accounts) if offered.accounts else _NO_INTS
        sole = self._accounts
        stretches = (_NO_INTS, _NO_INTS, _NO_INTS, _NO_CODES)
        if sole is not None:
            stretches = (sole.first, sole.begins, sole.ends, sole.accounts)
        return People(self._who.slots, self._who.shift, people, accounts, *stretches, self._who.changed)

    @property
    def _of_people(self) -> Subjects:
        find = lambda ids: self._who.codes(ids.to_numpy())  # noqa: E731
        return Subjects(self._engine, PEOPLE, find, len(self._who.people), tables_of(self._cohorts.values()), self._zone)

    @property
    def _of_accounts(self) -> Subjects:
        """Of those that any event or membership names; the build may know more."""
        assert self._accounts is not None
        known, count = self._accounts.words, self._known

        def find(ids: pa.Array) -> Codes:
            codes = known.codes(ids.cast(pa.string()))
            return np.where(codes < count, codes, UNKNOWN).astype(np.int32)

        return Subjects(self._engine, ACCOUNTS, find, count, tables_of(self._cohorts.values()), self._zone)

    def column(self, name: str) -> Column:
        """A property of rows by number."""
        root = root_of(name, self._cohorts, can_read)
        if root == EVENT:
            return OfEvents(self._engine, self._places, self._threads, name)
        if root == PERSON:
            return OfSubjects(*self._of_people.values(name), self._person)
        if root == ACCOUNT:
            return OfSubjects(*self._of_accounts.values(name), self._account)
        subjects, find = (self._of_people, self._person) if root == THEN[PERSON_THEN] else (self._of_accounts, self._account)
        known = history_of(self._engine, name, subjects.codes, subjects.count, self._zone)
        return OfThen(known, find)

    def by_row(self, one: Condition) -> ByRow | None:
        """How a condition is told by event that speaks of its person or account; None of what speaks of the event itself."""
        root = root_of(one.property, self._cohorts, can_read)
        if root == EVENT:
            return None
        of_people = root in (PERSON, THEN[PERSON_THEN])
        subjects, find = (self._of_people, self._people_of) if of_people else (self._of_accounts, self._accounts_of)
        if root in (PERSON, ACCOUNT):
            flags = subjects.holds([one])
            return lambda rows, number: flags[find(rows, number)]
        known, default = told_then(self._engine, one, subjects.codes, subjects.count, self._zone)

        def told(rows: Rows, number: int) -> Flags:
            codes = known.at(find(rows, number), rows.times)
            return np.where(codes < 0, default, codes == 1)

        return told

    def _people_of(self, rows: Rows, number: int) -> Ints:
        return self._who.of(rows.actors).astype(np.int64)

    def _accounts_of(self, rows: Rows, number: int) -> Ints:
        """Of events from this number on."""
        assert self._accounts is not None and self.named is not None
        place, since = self._places.place(number)
        sole, named = self._accounts.at(self._who.of(rows.actors), rows.times), self.named.of(place)
        if not named.size:
            return sole.astype(np.int64)
        named = named[since : since + rows.times.size]
        found: Ints = np.where(named < 0, sole, named).astype(np.int64)
        return found

    def _person(self, rows: Which) -> Ints:
        """The person of each row."""
        if self._unit == "account":
            return self._who.of(self._places.column(rows.numbers, "actor_id", self._threads).to_numpy()).astype(np.int64)
        codes: Ints = rows.units.astype(np.int64)
        return codes >> SESSION_BITS if self._unit == "session" else codes

    def _account(self, rows: Which) -> Ints:
        if self._unit == "account":
            return rows.units.astype(np.int64)
        assert self._accounts is not None and self.named is not None
        named = self._places.looked_up(rows.numbers, self.named.of, UNKNOWN, self._threads)
        sole = self._accounts.at(self._person(rows).astype(np.int32), rows.times)
        found: Ints = np.where(named < 0, sole, named).astype(np.int64)
        return found


def _bits(subjects: Subjects, limits: Mapping[int, Sequence[Filter]]) -> Ints:
    """By subject the bits that its events may serve."""
    found: Ints = np.full(subjects.count + 1, -1, np.int64)
    for bit, where in limits.items():
        found[~subjects.holds(where)] &= ~(1 << bit)
    return found


_NO_INTS: Final = np.zeros(0, np.int64)
_NO_CODES: Final = np.zeros(0, np.int32)
