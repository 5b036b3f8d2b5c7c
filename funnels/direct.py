"""Streams without a query: events that serve a step by their name alone are read from the files, on our own threads.

Most funnels name events and ask nothing more of them. Then a row is its time, its actor and its name, and ``scan``, ``who``
and ``gather`` do what a query would. Where some names have filters, those alone are asked of DuckDB, and its rows go the
same way. ``shares`` says which names are which; a question that needs more of its rows than that is all query.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Final

import numpy as np
import pyarrow as pa

from funnels.ask import ANY_EVENT, Funnel, Step
from funnels.bounds import in_bytes, too_large
from funnels.gather import BOTS, INTERNALS, ROW_BYTES, WITHOUT, Gather, Ordered, Pool, take_actors, take_units
from funnels.kernel import Codes
from funnels.match import microseconds
from funnels.scan import Rows, Stretch, table
from funnels.stream_sql import Query
from transforms.engine import Engine, Limits

_ROWS: Final = 100_000
_PART: Final = 4_000_000  # rows, 80 MB, that are matched at a time


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
    """Whether a row's time, unit and mask are all that is needed of it."""
    funnel = query.funnel
    more = (funnel.where, funnel.exclude, funnel.hold, query.ids, query.unit is not None, query.internal_filters)
    firsts = any(step.first_ever for step in funnel.steps)
    return funnel.unit == "person" and funnel.order != "strict" and not any(more) and not firsts


def _filtered(funnel: Funnel, name: str) -> bool:
    """Whether a step takes events of this name (or of any) only if they pass filters."""
    return any(
        choice.event in (name, ANY_EVENT) and bool(choice.where or step.where)
        for step in funnel.steps
        for choice in step.choices
    )


def _mask(funnel: Funnel, name: str) -> int:
    return sum(1 << number for number, step in enumerate(funnel.steps) if _takes(step, name))


def _takes(step: Step, name: str) -> bool:
    return any(choice.event in (name, ANY_EVENT) for choice in step.choices)


class Reading:
    """The streams of one question; the names of ``found.asked`` come by a query. Use ``parts`` or ``whole``, once."""

    def __init__(self, engine: Engine, query: Query, found: Shares, limits: Limits) -> None:
        assert query.who is not None
        self._first, self._last = microseconds(query.first_moment), microseconds(query.last_moment)
        self._engine, self._query, self._shares, self._who, self._limits = engine, query, found, query.who(), limits
        version = engine.versions["events"]
        self._events = None if version is None else table(engine.lake, engine.project, version)
        self._stretches = self._found(found.names)
        asked = self._found(frozenset(found.asked)) if found.asked else []
        self._most = sum(one.rows for one in (*self._stretches, *asked))
        self._counts = np.zeros(4, np.int64)
        self._waiting: Iterator[Stretch] = iter(())
        self._lock = threading.Lock()

    @property
    def counts(self) -> Counts:
        """Of what was read so far; all of it once there is no more."""
        return Counts(*(int(self._counts[place]) for place in (WITHOUT, BOTS, INTERNALS)))

    def people(self, codes: Codes) -> pa.Array:
        """The person_id of each unit, by its code."""
        return pa.array(self._who.people[codes])

    def whole(self) -> Ordered:
        """All rows at once. Raises ``TooLarge``."""
        if self._most * ROW_BYTES > in_bytes(self._limits.memory):
            raise too_large(self._limits)
        threads = _readers(self._limits.threads)
        gathered = self._gathered(range(len(self._who.people)), threads)
        return gathered.ordered(0, gathered.partitions, threads)

    def parts(self) -> Iterator[Ordered]:
        """People after people, some million rows at a time; in the memory of a question, however many people there are."""
        spans = max(-(-self._most * ROW_BYTES // in_bytes(self._limits.memory)), 1)
        count = len(self._who.people)
        each = max(-(-count // spans), 1)
        threads = _readers(self._limits.threads)
        for start in range(0, max(count, 1), each):
            gathered = self._gathered(range(start, min(start + each, count)), threads)
            for since, until in gathered.parts(_PART):
                yield gathered.ordered(since, until, threads)

    def _gathered(self, span: range, threads: ThreadPoolExecutor) -> Gather:
        gathered = Gather(self._most, span, self._first, self._last, self._limits.threads)
        self._waiting = iter(self._stretches)
        list(threads.map(self._take, [gathered] * self._limits.threads, gathered.pools))
        self._take_asked(gathered)
        if span.start == 0:  # all are counted each time
            self._counts = np.sum([pool.counts for pool in gathered.pools], axis=0)
        return gathered

    def _take(self, gathered: Gather, pool: Pool) -> None:
        """Reads whatever nobody else reads yet, until all is read."""
        while (stretch := self._next()) is not None:
            assert self._events is not None
            for rows in self._events.read(stretch):
                self._take_rows(rows, gathered, pool)

    def _take_asked(self, gathered: Gather) -> None:
        """The names with filters, from DuckDB."""
        if not self._shares.asked:
            return
        for batch in self._engine.batches(self._text, _ROWS, self._query.parameters.values):
            self._take_batch(batch, gathered, gathered.pools[0])

    @cached_property
    def _text(self) -> str:
        return replace(self._query, names=self._shares.asked).text()

    def _found(self, names: frozenset[str] | None) -> list[Stretch]:
        return [] if self._events is None else self._events.stretches(names, self._first, self._last)

    def _next(self) -> Stretch | None:
        if self._engine.interrupted:
            raise TimeoutError("stopped by whoever asked")
        with self._lock:
            return next(self._waiting, None)

    def _take_rows(self, rows: Rows, gathered: Gather, pool: Pool) -> None:
        served = np.array([self._shares.masks.get(word, self._shares.rest) for word in rows.words], np.int64)
        if not served.any():
            return
        bots = _NO_BOTS if self._query.takes_bots else rows.bots
        internals = self._query.funnel.internal == "exclude"
        asked = (rows.times, rows.actors, rows.names, served, bots, rows.first_bot, self._first, self._last)
        known = (self._who.slots, self._who.shift, internals)
        store, before, nexts, counts = pool.place
        take_actors(*asked, *known, *gathered.place, store, before, nexts, counts)

    def _take_batch(self, batch: pa.RecordBatch, gathered: Gather, pool: Pool) -> None:
        """Rows of the query: its units are people's ids."""
        flags = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in ("bot", "internal")}
        bots = np.zeros(len(batch), np.bool_) if self._query.takes_bots else flags["bot"]
        ours, known = flags["internal"] & ~bots, batch.column("unit").is_valid().to_numpy(zero_copy_only=False)
        pool.counts[[BOTS, INTERNALS, WITHOUT]] += [bots.sum(), ours.sum(), (~known & ~bots & ~ours).sum()]
        chosen = batch.filter(pa.array(known & ~bots & ~ours))
        units = self._who.codes(chosen.column("unit").to_numpy())
        times, masks = chosen.column("time").to_numpy(), chosen.column("mask").to_numpy()
        store, before, nexts, counts = pool.place
        take_units(times, units, masks, *gathered.place, store, before, nexts, counts)


@cache
def _readers(threads: int) -> ThreadPoolExecutor:
    """The threads of all questions: who asks while others read waits for a turn, rather than that all take longer."""
    return ThreadPoolExecutor(threads, thread_name_prefix="reader")


_NO_BOTS: Final = np.zeros(0, np.uint8)
