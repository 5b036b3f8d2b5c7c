"""Streams and rules -> the arrays of the compiled loops, and their answers -> an outcome.

Ranges of units run on threads of our own: the loops hold no GIL, and what they answer does not depend on the ranges.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from funnels.kernel import ALWAYS, LOST, NEVER, Codes, Ints, any_order, attempts, chain_cases, plain, tolerance
from funnels.kernel.cases import Answer, Events, Spans, Units
from funnels.kernel.cases import Rules as Numbers
from funnels.rules import Outcome, Rules, Streams, Tally, microseconds

_RANGE: Final = 200_000  # events; below that a thread costs more than it saves
_RANGES_PER_THREAD: Final = 3  # so that one long range does not keep the others waiting
_MICROSECOND: Final = timedelta(microseconds=1)

_Found = TypeVar("_Found")
_Number = TypeVar("_Number", bound=np.generic)


def ready(streams: Streams) -> Streams:
    """The same arrays, contiguous and writable: numba compiles all loops again for arrays that are not."""
    return replace(
        streams,
        units=_ready(streams.units, np.int32),
        times=_ready(streams.times, np.int64),
        masks=_ready(streams.masks, np.int64),
        bars=_ready(streams.bars, np.int64),
        held=_ready(streams.held, np.int32),
        instants=_ready(streams.instants, np.int32),
        last_instant=_ready(streams.last_instant, np.int32),
        spent=_ready(streams.spent, np.int64),
    )


def _ready(array: NDArray[np.generic], kind: type[_Number]) -> NDArray[_Number]:
    return np.require(array, kind, ["C_CONTIGUOUS", "WRITEABLE"])


def match_plainly(streams: Streams, rules: Rules) -> Outcome:
    """Where chains differ in nothing but times."""
    steps, buckets = len(rules.withins), max(len(rules.edges) - 1, 0)
    numbers = plain.Rules(
        _withins(rules),
        rules.window // _MICROSECOND,
        microseconds(rules.start),
        microseconds(rules.end),
        microseconds(rules.as_of),
        _edges(rules),
    )
    offsets, masks = plain.find_offsets(streams.units, streams.count), _entries_kept(streams, rules)

    def work(first: int, last: int) -> plain.Answer:
        answer = plain.Answer(
            units=np.empty(last - first, np.int32),
            levels=np.empty(last - first, np.int64),
            states=np.empty(last - first, np.int8),
            witness=np.empty((last - first, steps), np.int64),
            entered=np.empty(last - first, np.int64),
            mature=np.zeros(5, np.int64),
            trend=np.zeros((buckets, 5), np.int64),
        )
        count = plain.match_units(streams.times, masks, offsets, first, last, numbers, answer)
        return answer._replace(
            units=answer.units[:count],
            levels=answer.levels[:count],
            states=answer.states[:count],
            witness=answer.witness[:count],
            entered=answer.entered[:count],
        )

    answers = _in_ranges(work, offsets[1:]) or [work(0, 0)]
    levels = _joined([one.levels for one in answers])
    return Outcome(
        units=_joined([one.units for one in answers]),
        levels=levels,
        states=_joined([one.states for one in answers]),
        witness=_joined([one.witness for one in answers]),
        entered=_joined([one.entered for one in answers]),
        barred=np.full(levels.size, NEVER, np.int64),
        mature=_tally(np.sum([one.mature for one in answers], axis=0)),
        trend=tuple(map(_tally, np.sum([one.trend for one in answers], axis=0))),
        event_times=streams.times,
    )


def _joined(parts: Sequence[NDArray[_Number]]) -> NDArray[_Number]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class _Question:
    """A question in arrays. Where values are held constant, lanes are a unit's events of one code, by time."""

    streams: Streams
    rules: Rules
    numbers: Numbers
    entries: Ints  # rows that may begin a chain
    events: Events  # by lane
    units: Units
    together: Events  # by unit; for attempts
    lanes: Codes  # of the events of ``together``; size 0: units are lanes


def match_spans(streams: Streams, rules: Rules) -> Outcome:
    """Under any rules: one case per unit, or per attempt, and so again for the mature figures and each bucket."""
    question = _question(streams, rules)
    spans = _attempts(question, _unit_spans(question, question.entries, microseconds(rules.end)))
    answer = _judge(question, spans, witness=True)
    return Outcome(
        units=spans.units.astype(np.int32),
        levels=answer.levels,
        states=answer.states,
        witness=answer.witness,
        entered=answer.entered,
        barred=answer.barred,
        mature=_mature(question, spans, answer.states),
        trend=_trend(question),
        event_times=streams.times,
    )


def _question(streams: Streams, rules: Rules) -> _Question:
    streams = replace(streams, masks=_entries_kept(streams, rules))
    entries = _entries(streams, rules)
    if rules.order == "any" and rules.reentry == "first":
        entries = entries[np.unique(streams.units[entries], return_index=True)[1]]
    bars = streams.bars if rules.exclusions else streams.bars[:0]
    instants = streams.instants if rules.order == "strict" else streams.instants[:0]
    offsets = plain.find_offsets(streams.units, streams.count)
    events = together = Events(streams.times, streams.masks, bars, instants, offsets, offsets[:0])
    unit_lanes, lanes = np.arange(streams.count + 1), streams.units[:0]
    if streams.held.size:
        there = np.flatnonzero(streams.held >= 0)
        rows = there[np.lexsort((streams.held[there], streams.units[there]))]
        lane = np.cumsum(_changes(streams.units[rows], streams.held[rows])) - 1
        count = int(lane[-1]) + 1 if lane.size else 0
        lane_units = streams.units[rows][np.searchsorted(lane, np.arange(count))]
        unit_lanes = np.searchsorted(lane_units, np.arange(streams.count + 1))
        events = _chosen(events, rows, np.searchsorted(lane, np.arange(count + 1)))
        order = np.lexsort((lane, events.times, streams.units[rows]))
        lanes = lane[order].astype(np.int32)
        together = _chosen(events, order, plain.find_offsets(streams.units[rows], streams.count))
    units = Units(unit_lanes.astype(np.int64), streams.last_instant, streams.spent)
    return _Question(streams, rules, _numbers(rules), entries, events, units, together, lanes)


def _changes(units: NDArray[np.integer], parts: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Where another part of a unit begins."""
    changes = np.ones(units.size, np.bool_)
    changes[1:] = (units[1:] != units[:-1]) | (parts[1:] != parts[:-1])
    return changes


def _chosen(events: Events, rows: Ints, offsets: Ints) -> Events:
    bars = events.bars[rows] if events.bars.size else events.bars
    instants = events.instants[rows] if events.instants.size else events.instants
    return Events(events.times[rows], events.masks[rows], bars, instants, offsets.astype(np.int64), rows)


def _entries(streams: Streams, rules: Rules) -> Ints:
    """Rows of the events that may begin a chain."""
    serves = streams.masks != 0 if rules.order == "any" else streams.masks & 1 != 0
    last = min(microseconds(rules.end) - 1, microseconds(rules.as_of))
    serves &= (streams.times >= microseconds(rules.start)) & (streams.times <= last)
    if streams.held.size:
        serves &= streams.held >= 0
    return np.flatnonzero(serves)


def _entries_kept(streams: Streams, rules: Rules) -> Ints:
    """The masks; under re-entry first only a unit's first entry in the whole range may serve the first step."""
    if rules.reentry == "any" or rules.order == "any":
        return streams.masks
    entries = _entries(streams, rules)
    first = entries[np.unique(streams.units[entries], return_index=True)[1]]
    masks = streams.masks & ~np.int64(1)
    masks[first] |= 1
    return masks


def _unit_spans(question: _Question, entries: Ints, end: int) -> Spans:
    """One span per unit that has one of these entries."""
    units = np.unique(question.streams.units[entries]).astype(np.int64)
    return _spans(question, units, np.full(units.size, microseconds(question.rules.start)), np.full(units.size, end))


def _spans(question: _Question, units: Ints, starts: Ints, ends: Ints) -> Spans:
    if question.rules.order == "any" and question.rules.reentry == "first":
        codes, times = question.streams.units[question.entries], question.streams.times[question.entries]
        starts = times[np.searchsorted(codes, units)]  # the only entry of each unit
        ends = starts + 1
    return Spans(units, starts, ends, np.full(units.size, microseconds(question.rules.as_of)))


def _bucket_spans(question: _Question) -> tuple[Spans, Ints]:
    """One span per unit and bucket of the trend that it has an entry in; and which bucket."""
    units, edges = question.streams.units[question.entries].astype(np.int64), _edges(question.rules)
    buckets = np.searchsorted(edges, question.streams.times[question.entries], "right") - 1
    there = np.flatnonzero(_changes(units, buckets))
    starts = np.maximum(edges[buckets[there]], microseconds(question.rules.start))
    ends = np.minimum(edges[buckets[there] + 1], microseconds(question.rules.end))
    return _spans(question, units[there], starts, ends), buckets[there]


def _mature(question: _Question, spans: Spans, states: NDArray[np.int8]) -> Tally:
    """Over entries whose window has closed. Units without any other are as they are in the whole range."""
    ripe, times = microseconds(question.rules.ripe), question.streams.times[question.entries]
    units = question.streams.units[question.entries]
    late = np.zeros(question.streams.count, np.bool_)
    late[units[times >= ripe]] = True
    again = _attempts(question, _unit_spans(question, question.entries[(times < ripe) & late[units]], ripe))
    return _tally(_count(states[~late[spans.units]]) + _count(_judge(question, again).states))


def _trend(question: _Question) -> tuple[Tally, ...]:
    if not question.rules.edges:
        return ()
    spans, buckets = _bucket_spans(question)
    if question.rules.count == "attempts":
        edges = _edges(question.rules)
        spans = _attempts(question, spans)
        buckets = np.searchsorted(edges, spans.starts, "right") - 1
    states = _judge(question, spans).states
    counts = np.bincount(buckets * 5 + states, minlength=5 * (len(question.rules.edges) - 1)).reshape(-1, 5)
    counts[:, 0] = counts.sum(1)
    return tuple(map(_tally, counts))


def _count(states: NDArray[np.int8]) -> Ints:
    counts = np.bincount(states, minlength=LOST + 1)
    counts[0] = states.size
    return counts


def _tally(counts: Ints) -> Tally:
    return Tally(*map(int, counts))


def _attempts(question: _Question, spans: Spans) -> Spans:
    """The spans split into attempts, if these are counted."""
    if question.rules.count == "units":
        return spans
    counts = np.zeros(question.streams.count + 1, np.int64)
    counts[1:] = np.cumsum(np.bincount(question.streams.units[question.entries], minlength=question.streams.count))

    def work(first: int, last: int) -> Spans:
        most = int(counts[spans.units[last - 1] + 1] - counts[spans.units[first]]) if last > first else 0
        found = Spans(*(np.empty(most, np.int64) for _ in range(4)))
        asked = (question.lanes, question.units, spans, first, last, question.numbers, found)
        if question.rules.order == "any" or question.numbers.tolerance >= 0:
            number = attempts.find_attempts(question.events, question.together, *asked)
        else:
            number = chain_cases.find_attempts(question.together, *asked)
        return Spans(*(one[:number] for one in found))

    parts = _in_ranges(work, _ends(question, spans))
    return Spans(*(np.concatenate(one) for one in zip(*parts, strict=True))) if parts else spans


def _judge(question: _Question, spans: Spans, *, witness: bool = False) -> Answer:
    count = spans.units.size
    judge = chain_cases.judge
    if question.rules.order == "any" or question.numbers.tolerance >= 0:
        judge = any_order.judge if question.rules.order == "any" else tolerance.judge
    answer = Answer(
        np.zeros(count, np.int64),
        np.zeros(count, np.int8),
        np.full(count, NEVER, np.int64),
        np.full(count, NEVER, np.int64),
        np.full((count if witness else 0, len(question.rules.withins)), -1, np.int64),
    )

    def work(first: int, last: int) -> None:
        judge(question.events, question.units, spans, first, last, question.numbers, answer)

    _in_ranges(work, _ends(question, spans))
    return answer


def _ends(question: _Question, spans: Spans) -> Ints:
    return question.events.offsets[question.units.lanes[spans.units + 1]]


def _numbers(rules: Rules) -> Numbers:
    steps = len(rules.withins)
    required = [step for step in range(steps) if step not in rules.optional]
    return Numbers(
        within=_withins(rules),
        window=rules.window // _MICROSECOND,
        as_of=microseconds(rules.as_of),
        strict=rules.order == "strict",
        apart=rules.ties == "strict",
        shortest=rules.witness == "shortest",
        first=rules.reentry == "first",
        tolerance=rules.ties // _MICROSECOND if isinstance(rules.ties, timedelta) else -1,
        optional=sum(1 << step for step in rules.optional),
        before=np.array([max([other for other in required if other < step], default=0) for step in range(steps)], np.int64),
        behind=np.array(
            [min([other for other in required if other > step], default=step) for step in range(steps)], np.int64
        ),
        rank=np.array([sum(other <= step for other in required) for step in range(steps)], np.int64),
        since=np.array([one.after for one in rules.exclusions], np.int64),
        until=np.array([one.before for one in rules.exclusions], np.int64),
    )


def _withins(rules: Rules) -> Ints:
    return np.array([ALWAYS, *(ALWAYS if one is None else one // _MICROSECOND for one in rules.withins[1:])], np.int64)


def _edges(rules: Rules) -> Ints:
    return np.array([microseconds(edge) for edge in rules.edges], np.int64)


@cache
def _threads() -> tuple[ThreadPoolExecutor, int]:
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(number, thread_name_prefix="matcher"), number


def _in_ranges(work: Callable[[int, int], _Found], ends: Ints) -> list[_Found]:
    """``work(first, last)`` over ranges of things, in order; thing k ends with event ``ends[k]`` (they rise)."""
    if ends.size == 0:
        return []
    pool, number = _threads()
    count = min(number * _RANGES_PER_THREAD, int(ends[-1]) // _RANGE + 1) if number > 1 else 1
    if count == 1:
        return [work(0, ends.size)]
    marks = np.searchsorted(ends, int(ends[-1]) * np.arange(1, count) // count)
    edges = np.unique(np.concatenate([[0], marks, [ends.size]])).tolist()
    return list(pool.map(work, edges[:-1], edges[1:]))
