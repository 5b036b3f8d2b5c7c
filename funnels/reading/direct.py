"""Streams without a query: events are read from the files, on our own threads, by the names that are asked for.

``plan_of`` says whether a question can be read so, ``Reading`` does it: ``scan`` decodes few columns, ``who`` and
``accounts`` say whose an event is, ``truths`` and ``subjects`` whether it passes filters, ``gather`` brings the rows in
order, and ``neighbours`` tells sessions, first events and strict neighbours. Values are read by number afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from funnels import presets
from funnels.bounds import in_bytes, too_large
from funnels.filter_sql import ACCOUNT_THEN, PERSON_THEN
from funnels.filters import conditions
from funnels.groups import Match
from funnels.kernel import Codes, Ints
from funnels.match import match_streams, microseconds
from funnels.reading import gather
from funnels.reading.facts import Facts
from funnels.reading.gather import BOTS, INTERNALS, ROW_BYTES, WITHOUT, Events, Gather, Ordered, People, Pool, take
from funnels.reading.neighbours import Among
from funnels.reading.owners import owners
from funnels.reading.places import Encoded, Places
from funnels.reading.scan import Rows, Stretch, table
from funnels.reading.serving import ACCOUNT, EVENT, PERSON, THEN, Offers, offers, root_of
from funnels.reading.stream_sql import Query
from funnels.reading.tags import SOURCES, Form, TooMany, bars_of, bits_beside, doubtful, numbers_of
from funnels.reading.ties import of_units, settle_entries, which
from funnels.reading.truths import Truths
from funnels.reading.valued import Values, can_read
from funnels.reading.words import UNKNOWN
from transforms.engine import Engine, Limits

_PART: Final = 190_000  # rows, 5 MB, that a thread orders and matches at a time, while they lie in the cache
_LARGE: Final = 4_000_000  # rows, 80 MB, of a part for which files are read again


@dataclass(frozen=True)
class Plan:
    """``by_number``: rows carry their numbers, since more is asked of some; ``everything``: events of any name are read."""

    offers: Offers
    by_number: bool
    everything: bool
    accounts: bool  # each event's account must be known


@dataclass(frozen=True)
class Counts:
    """Matching events that are in no stream."""

    without_unit: int
    bots: int
    internal: int


def plan_of(query: Query) -> Plan | None:
    """None where only a query can read it."""
    funnel, cohorts = query.funnel, {one.name: one for one in query.funnel.cohorts}
    firsts = any(step.first_ever for step in funnel.steps)
    sessions = funnel.unit == "session"
    if query.who is None or query.unit is not None:
        return None
    if sessions and (firsts or query.named):
        return None
    found = offers(funnel, can_read)
    roots = [root_of(name, cohorts, can_read) for name in (*funnel.hold, *query.groups_by)]
    inside = {root_of(one.property, cohorts, can_read) for one in conditions(query.insiders)}
    if found is None or None in roots or not inside <= {EVENT}:
        return None
    own = (ACCOUNT, THEN[ACCOUNT_THEN]) if funnel.unit == "account" else (PERSON, THEN[PERSON_THEN])
    settled = funnel.reentry == "first" or funnel.preset is not None or firsts
    by_number = settled or query.with_ids or bool(funnel.hold) or any(root not in own for root in roots)
    of_accounts = {ACCOUNT, THEN[ACCOUNT_THEN]}
    roots += [root_of(one.property, cohorts, can_read) for where in found.filters for one in conditions(where)]
    accounts = funnel.unit == "account" or not of_accounts.isdisjoint(roots) or bool(found.accounts)
    return Plan(found, by_number, sessions or funnel.order == "strict", accounts)


class Reading:
    """The streams of one question. Use ``parts`` or ``whole``, once. ``doubted`` are the rows of the units that ``ties``
    doubts. Raises ``TooMany`` where rows have no room for all that they must carry."""

    def __init__(self, engine: Engine, query: Query, plan: Plan, limits: Limits) -> None:
        assert query.who is not None and query.accounts is not None
        self.engine, self.query, self.limits, self._plan, self._who = engine, query, limits, plan, query.who()
        version = engine.versions["events"]
        self._events = None if version is None else table(engine.lake, engine.project, version)
        first, last = microseconds(query.first_moment), microseconds(query.last_moment)
        firsts = tuple(number for number, step in enumerate(query.funnel.steps) if step.first_ever)
        low, high = (gather.EARLIEST, microseconds(query.as_of)) if firsts else (first, last)
        names = None if plan.everything else plan.offers.names
        self._stretches = [] if self._events is None else self._events.stretches(names, low, high)
        self._low, self._high = _lies(self._stretches, low, high)
        self._most = sum(one.rows for one in self._stretches)
        self.places = Places(None if self._events is None else self._events.store, self._stretches)
        self._sources = self._by_source() if query.funnel.unit == "session" else []
        self._accounts = query.accounts(self._who) if plan.accounts else None
        self._facts = Facts(engine, query, self.places, self._who, self._accounts, self.threads)
        self._form = self._room(firsts)
        self._truths = Truths(engine, self.places, query.funnel.zone, limits, self._facts.by_row)
        self._insiders = Truths(engine, self.places, ZoneInfo("UTC"), limits, lambda one: None)  # as traffic has it
        self._people = self._allowed()
        self._asked = self._what(first, last)
        self._counts, self._later = np.zeros(4, np.int64), np.zeros(4, np.int64)
        self._waiting: Iterator[tuple[Stretch, int]] = iter(())
        self._lock = threading.Lock()
        self.doubted: list[Ordered] = []
        self._among = Among(
            self._form, query.funnel.unit == "session", query.funnel.order == "strict", self._valued, self.ids
        )
        self._held, self.values = (Values([*map(self._facts.column, one)]) for one in (query.funnel.hold, query.groups_by))

    @property
    def counts(self) -> Counts:
        """Of what was read so far; all of it once there is no more."""
        return Counts(*(int(self._counts[place] + self._later[place]) for place in (WITHOUT, BOTS, INTERNALS)))

    @property
    def threads(self) -> ThreadPoolExecutor:
        return _readers(self.limits.threads)

    @property
    def apart(self) -> ThreadPoolExecutor | None:
        """The threads that may call ``parts``; None: the caller's own alone, since for them these threads read more."""
        return None if self._reads_more else self.threads

    @property
    def _reads_more(self) -> bool:
        return bool(self.query.funnel.hold or self._form.firsts) or self._settles

    @property
    def _settles(self) -> bool:
        """Whether rows at one instant must be in order of their event ids."""
        return self.query.funnel.reentry == "first" or self.query.funnel.preset is not None

    @property
    def match(self) -> Match:
        preset = self.query.funnel.preset
        return match_streams if preset is None else partial(presets.match, preset)

    def units(self, codes: NDArray[np.integer]) -> pa.Array:
        """The person_id or account_id of each unit, by its code; of sessions, that are not named, the codes."""
        if self.query.funnel.unit == "account":
            assert self._accounts is not None
            return self._accounts.words.texts.take(pa.array(codes))
        return pa.array(self._who.people[codes] if self.query.funnel.unit == "person" else codes)

    def ids(self, numbers: Codes) -> pa.Array:
        """The event ids of rows."""
        return self.places.column(numbers, "event_id", self.threads).cast(pa.string())

    def whole(self) -> Ordered:
        """All rows at once. Raises ``TooLarge``."""
        if self._most * ROW_BYTES > in_bytes(self.limits.memory):
            raise too_large(self.limits)
        return self._at_once()

    def _at_once(self) -> Ordered:
        gathered = self._gathered(range(self._facts.count), self.threads)
        return self._unpacked(gathered.ordered(0, gathered.partitions, self.threads))

    def parts(self) -> Iterator[list[Callable[[], Ordered]]]:
        """Unit after unit, in the memory of a question, however many there are: the parts of some are put in order by
        whoever calls them, on any thread of ``apart``, until the next ones are asked for.
        """
        rows = _LARGE if self._reads_more else _PART
        spans = max(-(-self._most * ROW_BYTES // in_bytes(self.limits.memory)), 1)
        count = self._facts.count
        each = max(-(-count // spans), 1)
        for start in range(0, max(count, 1), each):
            gathered = self._gathered(range(start, min(start + each, count)), self.threads)
            yield [partial(self._ordered, gathered, since, until) for since, until in gathered.parts(rows)]

    def _room(self, firsts: tuple[int, ...]) -> Form:
        funnel, sessions = self.query.funnel, self.query.funnel.unit == "session"
        flags, steps, bars = bool(firsts) or sessions, len(funnel.steps), len(funnel.exclude)
        form = Form(bits_beside(self._facts.count), steps, bars, firsts, flags, sessions, funnel.order == "any")
        if form.room < (self._most if self._plan.by_number else 0):
            raise TooMany
        return form

    def _what(self, first: int, last: int) -> gather.Asked:
        form, funnel = self._form, self.query.funnel
        return gather.Asked(
            low=self._low,
            high=self._high,
            first=first,
            last=last,
            always=form.named,
            serving=form.serving,
            unserving=self._plan.everything,
            internals=funnel.internal == "exclude",
            bot=form.bot if form.firsts else 0,
            internal=form.internal,
            counted=not form.firsts,
            by_account=funnel.unit == "account",
            source=form.source,
            tag=form.tag,
        )

    def _by_source(self) -> list[tuple[Codes, Encoded]]:
        """By row group: the number of each of its codes' sources, and the codes."""
        numbers: dict[str, int] = {}
        read = list(self.threads.map(lambda place: self.places.whole(place, "source"), range(self.places.count)))
        texts = [one.texts.to_pylist() for one in read]
        found = [np.array([numbers.setdefault(text, len(numbers)) for text in some], np.int32) for some in texts]
        if len(numbers) > 1 << SOURCES:
            raise TooMany
        return list(zip(found, read, strict=True))

    def _allowed(self) -> People:
        """Who may serve what; where conditions are asked of events, what tells them is read first."""
        offered = self._plan.offers
        groups = [place for place in range(self.places.count) if self._filters(self.places.name(place))]
        self._truths.learn(offered.filters, groups, self.threads)
        self._insiders.learn([self.query.insiders], range(self.places.count), self.threads)
        return self._facts.allowed(offered)

    def _filters(self, name: str | None) -> bool:
        """Whether events of this name (None: of any) are asked for conditions of their own."""
        offered = self._plan.offers
        return any(name is None or offered.plain(name, where) for where in offered.filters)

    def _ordered(self, gathered: Gather, since: int, until: int) -> Ordered:
        return self._unpacked(gathered.ordered(since, until, None if self.apart else self.threads))

    def _unpacked(self, part: Ordered) -> Ordered:
        """With the masks of steps alone, beside what else was in them."""
        form = self._form
        if self._plan.everything or form.firsts:
            counts = np.zeros(4, np.int64)
            part = self._among.settled(part, counts, self._asked)
            with self._lock:
                self._later += counts
        if self._plan.by_number:
            part = replace(part, values=numbers_of(part.masks, form))
        if form.tag > form.steps:
            bars = bars_of(part.masks, form)
            part = replace(part, bars=bars if form.exclusions else part.bars)
        if self.query.funnel.hold:
            part = replace(part, held=self._held.together(which(part, np.arange(part.units.size))))
        if self._settles:
            self._settle(part)
        if not self.query.groups_by and not self.query.with_ids:
            return replace(part, values=_NO_CODES)
        return self._with_groups(part)

    @property
    def _valued(self) -> bool:
        """Whether rows that serve the same may differ in their values."""
        return bool(self.query.funnel.hold or self.query.groups_by or self.query.with_ids)

    def _settle(self, part: Ordered) -> None:
        funnel, by = self.query.funnel, self.query.funnel.breakdown
        if funnel.preset is not None:
            settle_entries(part, -1, self._valued, self.ids, every=True)
        else:
            valued = bool(funnel.hold) or (by is not None and by.attribution == "all")
            settle_entries(part, -1 if self._form.free else 1, valued, self.ids)

    def _with_groups(self, part: Ordered) -> Ordered:
        if not self._plan.by_number or self.query.funnel.preset is not None:
            return part
        doubted = np.zeros(len(part.codes), np.int64)
        doubtful(part.units, part.times, part.masks, self._form.steps, self._form.free, doubted)
        if doubted.any():
            self.doubted.append(of_units(part, np.flatnonzero(doubted)))
        return part

    def _gathered(self, span: range, threads: ThreadPoolExecutor) -> Gather:
        form, carried = self._form, self._plan.by_number
        used = form.bits if carried else form.tag
        gathered = Gather(self._most, span, self._low, self._high, self.limits.threads, form.bits, used)
        self._waiting = zip(self._stretches, self.places.bases, strict=True)
        list(threads.map(self._take, [gathered] * self.limits.threads, gathered.pools))
        if span.start == 0:  # all are counted each time
            self._counts = np.sum([pool.counts for pool in gathered.pools], axis=0)
        return gathered

    def _take(self, gathered: Gather, pool: Pool) -> None:
        """Reads whatever nobody else reads yet, until all is read."""
        into = gathered.into(pool)
        while (next_one := self._next()) is not None:
            assert self._events is not None
            stretch, number = next_one
            for rows in self._events.read(stretch):
                if (events := self._events_of(rows, number)) is not None:
                    take(events, self._asked, self._people, into)
                number += rows.times.size

    def _next(self) -> tuple[Stretch, int] | None:
        if self.engine.interrupted:
            raise TimeoutError("stopped by whoever asked")
        with self._lock:
            return next(self._waiting, None)

    def _events_of(self, rows: Rows, number: int) -> Events | None:
        """``number``: that of the first row; None where they serve nothing."""
        offered = self._plan.offers
        served = np.array([offered.plain(word) for word in rows.words], np.int64)
        marks = self._marks(rows, served, number) if offered.filters else _NO_INTS
        if not served.any() and not marks.any() and not self._plan.everything:
            return None
        place, since = self.places.place(number) if self._facts.named or self._sources else (0, 0)
        some = slice(since, since + rows.times.size)
        accounts, sources = _NO_CODES, _NO_CODES
        if self._facts.named is not None:
            named = self._facts.named.of(place)
            accounts = named[some] if named.size else np.full(rows.times.size, UNKNOWN, np.int32)
        if self._sources:
            numbers, read = self._sources[place]
            assert read.codes is not None
            sources = numbers[read.codes[some]]
        first = number if self._plan.by_number else -1
        insiders = self._insiders.of(self.query.insiders, rows, number) if self.query.insiders else _NO_FLAGS
        return Events(
            rows.times,
            rows.actors,
            rows.names,
            served,
            marks,
            accounts,
            sources,
            insiders,
            rows.bots,
            rows.first_bot,
            first,
            owners(self._who, rows),
        )

    def _marks(self, rows: Rows, served: Ints, number: int) -> Ints:
        """Masks by row, where some of these events are asked for conditions of their own."""
        marks = _NO_INTS
        for where in self._plan.offers.filters:
            bits = np.array([self._plan.offers.plain(word, where) for word in rows.words], np.int64)
            if bits.any():
                names = rows.names if rows.names.size else np.zeros(rows.times.size, np.int32)
                marks = marks if marks.size else served[names]
                marks |= np.where(self._truths.of(where, rows, number), bits[names], 0)
        return marks


def _lies(stretches: Sequence[Stretch], low: int, high: int) -> tuple[int, int]:
    """Within these bounds, where rows lie at all: so that a digit of their times tells most."""
    bounds = [one.footer.times[group] for one in stretches for group in one.groups]
    known = [one for one in bounds if one is not None]
    if not known or len(known) < len(bounds):
        return max(low, gather.EARLIEST), high
    return max(low, min(since for since, _ in known)), min(high, max(until for _, until in known))


@cache
def _readers(threads: int) -> ThreadPoolExecutor:
    """The threads of all questions: who asks while others read waits for a turn, rather than that all take longer."""
    return ThreadPoolExecutor(threads, thread_name_prefix="reader")


_NO_INTS: Final = np.zeros(0, np.int64)
_NO_CODES: Final = np.zeros(0, np.int32)
_NO_FLAGS: Final = np.zeros(0, np.bool_)
