"""Streams without a query: events that serve a step by their name alone are read from the files, on our own threads.

Most funnels name events and ask little more of them. Then a row is its time, its actor, its name and the values of the
columns it is broken down by (``tags``), and ``scan``, ``who`` and ``gather`` do what a query would. Where some names have
filters, those alone are asked of DuckDB, and its rows go the same way. ``shares`` says which names are which; a question
that needs more of its rows than that is all query.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Final

import numpy as np
import pyarrow as pa

from funnels.ask import ANY_EVENT, Exclude, Funnel, Step
from funnels.bounds import in_bytes, too_large
from funnels.gather import BOTS, INTERNALS, ROW_BYTES, WITHOUT, Gather, Ordered, Pool, take_actors, take_units
from funnels.kernel import Codes, Ints
from funnels.match import microseconds
from funnels.places import Places
from funnels.scan import Rows, Stretch, table
from funnels.stream_sql import Query
from funnels.tags import LEAST, WORD, Form, Tags, TooMany, bars_of, values_of
from funnels.ties import in_doubt, of_units, settle_entries
from funnels.valued import Asides, Values, can_read
from ingest.event import EVENTS
from ingest.numbers import loads
from transforms.engine import Engine, Limits

_ROWS: Final = 100_000
_PART: Final = 190_000  # rows, 5 MB, that a thread orders and matches at a time, while they lie in the cache
_LARGE: Final = 4_000_000  # rows, 80 MB, of a part for which files are read again
_LISTED: Final = 100  # moments in doubt that stand in the query itself, so that few row groups are read
_NOT_READ: Final = frozenset({"event", "event_id", "properties", "context", "log", "month"})  # otherwise read, or unique
COLUMNS: Final = frozenset(one.name for one in EVENTS if pa.types.is_string(one.type)) - _NOT_READ  # that rows may carry


@dataclass(frozen=True)
class Shares:
    """``masks``: of events by name, without a query; ``rest``: of those of any other name. ``asked``: names with filters."""

    masks: Mapping[str, int]
    rest: int
    asked: tuple[str, ...]

    @property
    def names(self) -> frozenset[str] | None:
        return None if self.rest else frozenset(self.masks)


@dataclass(frozen=True)
class Counts:
    """Matching events that are in no stream."""

    without_unit: int
    bots: int
    internal: int


def shares(query: Query) -> Shares | None:
    """Which names can be read without a query; None where none can."""
    funnel = query.funnel
    if query.who is None or not _narrow(query):
        return None
    names = [name for name in funnel.event_names if not _filtered(funnel, name)]
    if funnel.takes_any_event:
        if len(names) < len(funnel.event_names) or _filtered(funnel, ANY_EVENT):
            return None
        return Shares({name: _mask(funnel, name) for name in names}, _mask(funnel, ANY_EVENT), ())
    asked = tuple(name for name in funnel.event_names if name not in names)
    return Shares({name: _mask(funnel, name) for name in names}, 0, asked) if names else None


def _narrow(query: Query) -> bool:
    """Whether a row's time, unit, mask and columns of text are all that is needed of it."""
    funnel = query.funnel
    more = (funnel.where, query.with_ids, funnel.preset, query.unit is not None, query.internal_filters)
    firsts = any(step.first_ever for step in funnel.steps)
    plain = funnel.unit == "person" and funnel.order != "strict"
    room = WORD - len(funnel.steps) - len(funnel.exclude)
    known = all(map(can_read, (*funnel.hold, *query.groups_by)))
    return plain and not any(more) and not firsts and known and room >= (LEAST if _asks_rows(query) else 0)


def _asks_rows(query: Query) -> bool:
    """Whether more is asked of some rows: their values, or which of an instant's has the smallest id."""
    return bool(query.groups_by or query.funnel.hold or query.funnel.reentry == "first")


def _along(query: Query) -> tuple[str, ...] | None:
    """The columns whose values rows can carry in place of their numbers, if these suffice; else None."""
    by = query.funnel.breakdown
    if by is None or by.attribution == "all" or query.funnel.hold or query.funnel.reentry == "first":
        return None
    return by.by if COLUMNS.issuperset(by.by) and len({*by.by}) == len(by.by) else None


def _has_room(rows: int, form: Form) -> bool:
    """Whether so many rows can carry their numbers."""
    return rows < form.room


def _filtered(funnel: Funnel, name: str) -> bool:
    """Whether a step or an exclusion takes events of this name (or of any) only if they pass filters."""
    return any(
        choice.event in (name, ANY_EVENT) and bool(choice.where or part.where)
        for part in _parts(funnel)
        for choice in part.choices
    )


def _mask(funnel: Funnel, name: str) -> int:
    """Steps, and behind them exclusions, as ``Form`` has it."""
    return sum(1 << number for number, part in enumerate(_parts(funnel)) if _takes(part, name))


def _parts(funnel: Funnel) -> tuple[Step | Exclude, ...]:
    return (*funnel.steps, *funnel.exclude)


def _takes(part: Step | Exclude, name: str) -> bool:
    return any(choice.event in (name, ANY_EVENT) for choice in part.choices)


class Reading:
    """The streams of one question; the names of ``found.asked`` come by a query. Use ``parts`` or ``whole``, once.

    Where more is asked of rows, they carry their numbers, for ``valued``; or, if these are too large, their values, and all
    raise ``TooMany`` where those are too many. ``doubted`` are the rows of the units that ``ties`` doubts.
    """

    def __init__(self, engine: Engine, query: Query, found: Shares, limits: Limits) -> None:
        assert query.who is not None
        self._first, self._last = microseconds(query.first_moment), microseconds(query.last_moment)
        self.engine, self.query, self.limits, self._shares, self._who = engine, query, limits, found, query.who()
        version = engine.versions["events"]
        self._events = None if version is None else table(engine.lake, engine.project, version)
        self._stretches = self._found(found.names)
        asked = self._found(frozenset(found.asked)) if found.asked else []
        self._most = sum(one.rows for one in (*self._stretches, *asked))
        self._counts = np.zeros(4, np.int64)
        self._waiting: Iterator[tuple[Stretch, int]] = iter(())
        self._lock = threading.Lock()
        self._by = query.groups_by
        self.form = Form(len(query.funnel.steps), len(query.funnel.exclude), query.funnel.order == "any")
        self.tags = Tags(self.form.room)
        self.doubted: list[Ordered] = []
        self.places = Places(None if self._events is None else self._events.store, self._stretches)
        self.asides = Asides()
        self.numbered = _asks_rows(query) and _has_room(self._most, self.form)
        along = _along(query)
        if _asks_rows(query) and not self.numbered and along is None:
            raise TooMany
        self._along = () if self.numbered or along is None else along  # columns that rows carry
        self._held = self._values("held", query.funnel.hold)
        self.values = self._values("value", self._by)

    @property
    def counts(self) -> Counts:
        """Of what was read so far; all of it once there is no more."""
        return Counts(*(int(self._counts[place]) for place in (WITHOUT, BOTS, INTERNALS)))

    @property
    def threads(self) -> ThreadPoolExecutor:
        return _readers(self.limits.threads)

    @property
    def apart(self) -> ThreadPoolExecutor | None:
        """The threads that may call ``parts``; None: the caller's own alone, since for them these threads read more."""
        return None if self._reads_more else self.threads

    @property
    def _reads_more(self) -> bool:
        return bool(self.query.funnel.hold) or self.query.funnel.reentry == "first"

    def _values(self, kind: str, properties: tuple[str, ...]) -> Values:
        return Values(self.engine, self.places, self.asides, kind, properties, self.threads)

    def people(self, codes: Codes) -> pa.Array:
        """The person_id of each unit, by its code."""
        return pa.array(self._who.people[codes])

    def codes(self, people: pa.Array) -> Codes:
        """The other way round."""
        return self._who.codes(people.to_numpy())

    def in_doubt(self, doubted: Sequence[Ordered]) -> Query:
        """The question of these units alone, at their moments in doubt."""
        actors = self._who.actors(np.concatenate([part.codes for part in doubted]))
        times = pa.array(np.concatenate([part.times[in_doubt(part)] for part in doubted]))
        moments = times.unique().cast(pa.timestamp("us", "UTC"))
        self.engine.bind("doubted", pa.table({"actor_id": actors}))
        self.engine.bind("moments", pa.table({"time": moments}))
        return replace(self.query.afresh(), doubted=tuple(moments.to_pylist()) if len(moments) <= _LISTED else None)

    def whole(self) -> Ordered:
        """All rows at once. Raises ``TooLarge``."""
        if self._most * ROW_BYTES > in_bytes(self.limits.memory):
            raise too_large(self.limits)
        return self._at_once()

    def _at_once(self) -> Ordered:
        gathered = self._gathered(range(len(self._who.people)), self.threads)
        return self._unpacked(gathered.ordered(0, gathered.partitions, self.threads))

    def parts(self) -> Iterator[list[Callable[[], Ordered]]]:
        """People after people, in the memory of a question, however many there are: the parts of some are put in order by
        whoever calls them, on any thread of ``apart``, until the next ones are asked for.
        """
        rows = _LARGE if self._reads_more else _PART
        spans = max(-(-self._most * ROW_BYTES // in_bytes(self.limits.memory)), 1)
        count = len(self._who.people)
        each = max(-(-count // spans), 1)
        for start in range(0, max(count, 1), each):
            gathered = self._gathered(range(start, min(start + each, count)), self.threads)
            yield [partial(self._ordered, gathered, since, until) for since, until in gathered.parts(rows)]

    def _ordered(self, gathered: Gather, since: int, until: int) -> Ordered:
        return self._unpacked(gathered.ordered(since, until, None if self.apart else self.threads))

    def _unpacked(self, part: Ordered) -> Ordered:
        """With the masks of steps alone, beside what else was in them."""
        doubted = np.zeros(len(part.codes), np.int64)
        if self.numbered or self._by:
            part = replace(part, values=values_of(part.units, part.times, part.masks, self.form, doubted))
        if self.form.exclusions:
            part = replace(part, bars=bars_of(part.masks, self.form))
        if self.query.funnel.hold:
            part = replace(part, held=self._held.together(part.values))
        if self.query.funnel.reentry == "first":
            by = self.query.funnel.breakdown
            valued = bool(self.query.funnel.hold) or (by is not None and by.attribution == "all")
            settle_entries(part, -1 if self.form.free else 1, valued, self.values.ids)
        if not self._by:
            return replace(part, values=_NO_TAGS)
        if doubted.any():
            self.doubted.append(of_units(part, np.flatnonzero(doubted)))
        return part

    def _gathered(self, span: range, threads: ThreadPoolExecutor) -> Gather:
        gathered = Gather(self._most, span, self._first, self._last, self.limits.threads)
        self._waiting = zip(self._stretches, self.places.bases, strict=True)
        list(threads.map(self._take, [gathered] * self.limits.threads, gathered.pools))
        self._take_asked(gathered)
        if span.start == 0:  # all are counted each time
            self._counts = np.sum([pool.counts for pool in gathered.pools], axis=0)
        return gathered

    def _take(self, gathered: Gather, pool: Pool) -> None:
        """Reads whatever nobody else reads yet, until all is read."""
        while (next_one := self._next()) is not None:
            assert self._events is not None
            stretch, number = next_one
            for rows in self._events.read(stretch, self._along):
                self._take_rows(rows, number, gathered, pool)
                number += rows.times.size

    def _take_asked(self, gathered: Gather) -> None:
        """The names with filters, from DuckDB."""
        if not self._shares.asked:
            return
        asked = replace(self.query.afresh(), names=self._shares.asked)
        for batch in self.engine.batches(asked.text(), _ROWS, asked.parameters.values):
            self._take_batch(batch, gathered, gathered.pools[0])

    def _found(self, names: frozenset[str] | None) -> list[Stretch]:
        return [] if self._events is None else self._events.stretches(names, self._first, self._last)

    def _next(self) -> tuple[Stretch, int] | None:
        if self.engine.interrupted:
            raise TimeoutError("stopped by whoever asked")
        with self._lock:
            return next(self._waiting, None)

    def _take_rows(self, rows: Rows, first: int, gathered: Gather, pool: Pool) -> None:
        """``first``: the number of the first row."""
        served = np.array([self._shares.masks.get(word, self._shares.rest) for word in rows.words], np.int64)
        if not served.any():
            return
        bots = _NO_BOTS if self.query.takes_bots else rows.bots
        internals = self.query.funnel.internal == "exclude"
        tags = self.tags.of_rows(rows.columns) if self._along else _NO_TAGS
        if self.numbered:
            tags = np.arange(first + 1, first + 1 + rows.times.size, dtype=np.int32)
        tagged = (rows.times, rows.actors, rows.names, served, tags, self.form.tag)
        asked = (*tagged, bots, rows.first_bot, self._first, self._last)
        known = (self._who.slots, self._who.shift, internals)
        store, before, nexts, counts = pool.place
        take_actors(*asked, *known, *gathered.place, store, before, nexts, counts, pool.block)

    def _take_batch(self, batch: pa.RecordBatch, gathered: Gather, pool: Pool) -> None:
        """Rows of the query: its units are people's ids."""
        flags = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in ("bot", "internal")}
        bots = np.zeros(len(batch), np.bool_) if self.query.takes_bots else flags["bot"]
        ours, known = flags["internal"] & ~bots, batch.column("unit").is_valid().to_numpy(zero_copy_only=False)
        pool.counts[[BOTS, INTERNALS, WITHOUT]] += [bots.sum(), ours.sum(), (~known & ~bots & ~ours).sum()]
        chosen = batch.filter(pa.array(known & ~bots & ~ours))
        units = self._who.codes(chosen.column("unit").to_numpy())
        if self.numbered:
            there = (units >= gathered.span.start) & (units < gathered.span.stop)
            chosen, units = chosen.filter(pa.array(there)), units[there]
        times, masks = chosen.column("time").to_numpy(), self._packed(chosen)
        store, before, nexts, counts = pool.place
        take_units(times, units, masks, *gathered.place, store, before, nexts, counts)

    def _packed(self, rows: pa.RecordBatch) -> Ints:
        masks: Ints = rows.column("mask").to_numpy() | rows.column("bars").to_numpy() << self.form.steps
        if self.numbered:
            first = self.places.rows + self.asides.put(rows)
            return masks | np.arange(first + 1, first + 1 + len(rows)) << self.form.tag
        if not self._by:
            return masks
        columns = [rows.column(f"value{number}").dictionary_encode() for number in range(len(self._by))]
        texts = [[loads(text) for text in column.dictionary.to_pylist()] for column in columns]
        read = [
            pa.DictionaryArray.from_arrays(column.indices, pa.array(words, pa.string()))
            for column, words in zip(columns, texts, strict=True)
        ]
        return masks | self.tags.of_rows(read).astype(np.int64) << self.form.tag


@cache
def _readers(threads: int) -> ThreadPoolExecutor:
    """The threads of all questions: who asks while others read waits for a turn, rather than that all take longer."""
    return ThreadPoolExecutor(threads, thread_name_prefix="reader")


_NO_TAGS: Final = np.zeros(0, np.int32)
_NO_BOTS: Final = np.frombuffer(b"", np.uint8)  # not writable, as those of rows
