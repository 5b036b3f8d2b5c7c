"""Rows of events in any order -> the matcher's arrays, in order of unit and time.

Units are numbers (``who``), so a row is two words: its time, and its unit with its mask. While rows are read, each goes to
the partition of its unit: a chain of slabs, appended to. A partition is a stretch of units whose rows fit the cache; there
they are counted out by unit, and each unit's few rows are sorted by time. So every row is moved twice, both times within
the cache, instead of being scattered over all of memory; threads share nothing but the order of their work.

    take    (each thread)  rows -> looked up, tested, appended to the slabs of their partition
    order   (each thread)  partitions -> units, times, masks; units are renumbered so that all of them occur

The bits of a word that no unit needs are its mask's. Its reader may put more into it than steps (``tags``); rows at one
instant are in order of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from funnels.kernel.words import Codes, Ints, compiled
from funnels.reading.who import INTERNAL, find_values

EARLIEST: Final = -62_135_596_800_000_000  # microseconds: the beginning of the year 1
ROW_BYTES: Final = 16  # of a row until it is ordered
_SLAB_BITS: Final = 8
_SLAB: Final = 1 << _SLAB_BITS  # rows
_PARTITION: Final = 1 << 15  # rows, some 0.7 MB while they are ordered
_PARTITIONS: Final = 2048  # at most: each has an open slab per thread
_DIGIT_BITS: Final = 11
_DIGITS: Final = 1 << _DIGIT_BITS  # a time is sorted by two of them: over a year in ticks of 8 s
_BLOCK: Final = 1024  # rows whose units are looked up at once
SLABS, WITHOUT, BOTS, INTERNALS = 0, 1, 2, 3  # places in Pool.counts


@dataclass(frozen=True)
class Ordered:
    """Rows in order of (unit, time). ``units`` count from 0 and all occur; ``codes[unit]`` is what it was before.

    ``bars`` and ``values`` are what the reader took out of the masks, if anything, and ``held`` what it read besides; the
    rest is as in ``Streams``.
    """

    units: Codes
    times: Ints
    masks: Ints
    codes: Codes
    bars: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    values: Codes = field(default_factory=lambda: np.zeros(0, np.int32))
    held: Codes = field(default_factory=lambda: np.zeros(0, np.int32))
    instants: Codes = field(default_factory=lambda: np.zeros(0, np.int32))
    last_instant: Codes = field(default_factory=lambda: np.zeros(0, np.int32))  # by unit
    spent: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # by unit


class Events(NamedTuple):
    """Events as they are read. ``served``: masks by ``names``, one only where that is empty; ``marks``: by event, in place
    of them. ``bots``: a bitmap from the bit ``first_bot`` on. Arrays that are not needed are empty."""

    times: Ints
    actors: Ints
    names: Codes
    served: Ints
    marks: Ints
    accounts: Codes  # -1 where an event names none
    sources: Codes
    insiders: NDArray[np.bool_]  # internal traffic, whoever did it
    bots: NDArray[np.uint8]
    first_bot: int
    number: int  # of the first one; -1: rows carry no numbers


class Asked(NamedTuple):
    """What is taken: events in [low, high] with a mask, which in [first, last] is all of it, elsewhere the bits ``always``.

    ``serving``: the bits of steps and exclusions; ``bot``, ``internal``: the bits by which such events, that are left out,
    are told from others, 0 where they are counted and forgotten; ``source``, ``tag``: where a row's source and number lie.
    """

    low: int
    high: int
    first: int
    last: int
    always: int
    serving: int
    unserving: bool  # events without a mask, too
    internals: bool  # are left out
    bot: int
    internal: int
    counted: bool  # where they are kept, too
    by_account: bool
    source: int
    tag: int


class People(NamedTuple):
    """Who is who (``who``), and what may be served: bits by person and by account, the last ones for nobody's events.

    ``first[person]``: the first of the stretches of time in which it has one account, as microseconds since 1970.
    """

    slots: Ints
    shift: int
    allowed: Ints
    accounts_allowed: Ints
    first: Ints
    begins: Ints
    ends: Ints
    accounts: Codes


class Into(NamedTuple):
    """Where rows go: units from ``since`` on, ``span`` many; see ``Pool`` and ``Gather``."""

    since: int
    span: int
    shift: int
    bits: int
    rows: Ints
    before: Codes
    nexts: Ints
    counts: Ints
    block: Ints


class Pool:
    """Slabs of one thread, and which partition each belongs to."""

    def __init__(self, rows: int, partitions: int) -> None:
        slabs = rows // _SLAB + partitions + 2  # the first one stays empty: 0 is the end of a partition without rows
        self.rows = np.empty((slabs * _SLAB, 2), np.int64)  # memory that is not written to takes none
        self.before = np.empty(slabs, np.int32)  # by slab: the one before it of the same partition; -1: none
        self.nexts = np.zeros(partitions, np.int64)  # by partition: the row behind its last one
        self.counts = np.zeros(4, np.int64)
        self.block = np.empty((3, _BLOCK), np.int64)  # working room of ``take``


class Gather:
    """Takes at most ``rows`` rows of the units in ``span`` with times in [first, last]; each thread has its own pool.

    Rows of other units are passed over: where all do not fit, they are read again for the next span. A mask has ``bits``.
    """

    def __init__(self, rows: int, span: range, first: int, last: int, threads: int, bits: int) -> None:
        self.span, self.bits = span, bits
        units = len(span)
        self.first, self.ticks = first, max((last - first).bit_length() - 2 * _DIGIT_BITS, 0)
        wanted = min(max(rows // _PARTITION, 1), _PARTITIONS)
        self.shift = max(max(units - 1, 0).bit_length() - (wanted - 1).bit_length(), 0)
        self.partitions = (max(units - 1, 0) >> self.shift) + 1
        self.pools = [Pool(rows, self.partitions) for _ in range(threads)]

    @property
    def sizes(self) -> Ints:
        """Rows of each partition."""
        sizes = np.zeros(self.partitions, np.int64)
        for pool in self.pools:
            _sizes(pool.before, pool.nexts, sizes)
        return sizes

    def into(self, pool: Pool) -> Into:
        """Where a thread's rows go."""
        place = (pool.rows, pool.before, pool.nexts, pool.counts, pool.block)
        return Into(self.span.start, len(self.span), self.shift, self.bits, *place)

    def parts(self, rows: int) -> Iterator[tuple[int, int]]:
        """Stretches of partitions with about so many rows each, alike for all threads."""
        sizes, since, held = self.sizes, 0, 0
        threads = len(self.pools)
        rows = -(-int(sizes.sum()) // (-(-int(sizes.sum()) // (rows * threads)) * threads or 1))
        for partition in range(self.partitions):
            if held and held + sizes[partition] // 2 > rows:
                yield since, partition
                since, held = partition, 0
            held += int(sizes[partition])
        yield since, self.partitions

    def ordered(self, since: int, until: int, threads: ThreadPoolExecutor | None = None) -> Ordered:
        """The rows of partitions since..until - 1; without ``threads`` it is the caller's that does it."""
        starts = np.concatenate([[0], np.cumsum(self.sizes[since:until])]).astype(np.int64)
        total, count = int(starts[-1]), until - since
        found = Ordered(
            np.empty(total, np.int32), np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.int32)
        )
        present = np.zeros(count, np.int64)

        def order(part: Sequence[int]) -> None:
            for number in part:
                self._order(
                    since + number, int(starts[number]), int(starts[number + 1]), found, present[number : number + 1]
                )

        shares = _shares(count, len(self.pools) * 8)
        list(map(order, shares) if threads is None else threads.map(order, shares))
        first = np.concatenate([[0], np.cumsum(present)]).astype(np.int64)
        codes = np.empty(int(first[-1]), np.int32)
        _renumber(found.units, found.codes, starts, first, codes)
        return Ordered(found.units, found.times, found.masks, codes)

    def _order(self, partition: int, start: int, end: int, into: Ordered, present: Ints) -> None:
        if start == end:
            return
        base, clock = partition << self.shift, (self.first, self.ticks)  # units are counted from span.start
        digits, offsets = np.zeros((2, _DIGITS + 1), np.int64), np.zeros((1 << self.shift) + 1, np.int64)
        ends = [int(pool.nexts[partition]) for pool in self.pools]
        for pool, last in zip(self.pools, ends, strict=True):
            _count(pool.rows, pool.before, last, self.bits, base, *clock, digits, offsets)
        digits = np.cumsum(digits, axis=1)
        one, other = np.empty((end - start, 2), np.int64), np.empty((end - start, 2), np.int64)
        for pool, last in zip(self.pools, ends, strict=True):
            _by_low_digit(pool.rows, pool.before, last, *clock, digits, one)
        _by_high_digit(one, *clock, digits, other)
        times, masks = into.times[start:end], into.masks[start:end]
        _by_unit(other, self.bits, base, offsets, times, masks)
        present[0] = _settle(offsets, self.span.start + base, times, masks, into.units[start:end], into.codes[start:end])


def _shares(count: int, most: int) -> list[range]:
    """Numbers below ``count`` in stretches, about ``most`` of them."""
    each = max(-(-count // most), 1)
    return [range(since, min(since + each, count)) for since in range(0, count, each)]


@compiled
def take(events: Events, asked: Asked, people: People, into: Into) -> None:
    """Appends the events that may serve something, and those that are kept beside them.

    A function that takes arrays costs more than the whole rest of a row (references are counted), so none is called for
    a row.
    """
    times, actors, names, served, marks = events.times, events.actors, events.names, events.served, events.marks
    accounts, sources, bots, first_bot = events.accounts, events.sources, events.bots, events.first_bot
    insiders, number = events.insiders, events.number
    low, high, first, last = asked.low, asked.high, asked.first, asked.last
    slots, slots_shift, allowed, accounts_allowed = people.slots, people.shift, people.allowed, people.accounts_allowed
    rows, before, nexts, counts = into.rows, into.before, into.nexts, into.counts
    since, span, shift, bits = into.since, into.span, into.shift, into.bits
    slab, chosen, keys, values = counts[SLABS], into.block[0], into.block[1], into.block[2]
    filtered = allowed.size > 0 or accounts_allowed.size > 0
    alone = bots.size > 0 and not filtered and asked.bot == 0  # bots are counted without a look at who they are
    for begin in range(0, times.size, _BLOCK):
        count = 0
        for i in range(begin, min(begin + _BLOCK, times.size)):
            mask = marks[i] if marks.size else served[names[i]] if names.size else served[0]
            if times[i] < first or times[i] > last:
                mask &= asked.always
                if mask == 0:
                    continue
            if (mask == 0 and not asked.unserving) or times[i] < low or times[i] > high:
                continue
            if alone and bots[(first_bot + i) >> 3] >> ((first_bot + i) & 7) & 1:
                counts[BOTS] += mask != 0
                continue
            chosen[count], keys[count] = i, actors[i]
            count += 1
        find_values(slots, slots_shift, keys, count, values)
        for place in range(count):
            i, value = chosen[place], values[place]
            mask = marks[i] if marks.size else served[names[i]] if names.size else served[0]
            if times[i] < first or times[i] > last:
                mask &= asked.always
            person = value & (INTERNAL - 1) if value >= 0 else np.int64(-1)
            unit = person
            if accounts.size:
                account = np.int64(accounts[i])
                if account < 0 and person >= 0:
                    for stretch in range(people.first[person], people.first[person + 1]):
                        if people.begins[stretch] <= times[i] < people.ends[stretch]:
                            account = np.int64(people.accounts[stretch])
                if asked.by_account:
                    unit = account
                if accounts_allowed.size:
                    mask &= accounts_allowed[account]  # the last one for those that are nobody's
            if filtered:
                if allowed.size:
                    mask &= allowed[person]
                if mask == 0 and not asked.unserving:
                    continue
            if not alone and bots.size and bots[(first_bot + i) >> 3] >> ((first_bot + i) & 7) & 1:
                if asked.bot == 0 or unit < 0:
                    counts[BOTS] += mask & asked.serving != 0
                    continue
                mask |= asked.bot
            elif asked.internals and (value >= INTERNAL or (insiders.size and insiders[i])):
                if asked.counted or unit < 0:
                    counts[INTERNALS] += mask & asked.serving != 0
                if asked.internal == 0 or unit < 0:
                    continue
                mask |= asked.internal
            elif unit < 0:
                counts[WITHOUT] += mask & asked.serving != 0
                continue
            unit -= since
            if unit < 0 or unit >= span:
                continue
            at = nexts[unit >> shift]
            if at & (_SLAB - 1) == 0:
                slab += 1
                before[slab] = (at >> _SLAB_BITS) - 1
                at = slab << _SLAB_BITS
            if sources.size:
                mask |= np.int64(sources[i]) << asked.source
            if number >= 0:
                mask |= (number + i + 1) << asked.tag
            rows[at, 0], rows[at, 1] = times[i], unit << bits | mask
            nexts[unit >> shift] = at + 1
    counts[SLABS] = slab


@compiled
def _sizes(before: Codes, nexts: Ints, sizes: Ints) -> None:
    """Adds how many rows each partition has."""
    for partition in range(nexts.size):
        slab, filled = (nexts[partition] - 1) >> _SLAB_BITS, ((nexts[partition] - 1) & (_SLAB - 1)) + 1
        while slab >= 0:
            sizes[partition] += filled
            slab, filled = before[slab], _SLAB


@compiled
def _count(
    rows: Ints, before: Codes, end: int, bits: int, base: int, first: int, ticks: int, digits: Ints, offsets: Ints
) -> None:
    """How many rows each digit of the time and each unit has; at the place behind it, to be added up."""
    slab, filled = (end - 1) >> _SLAB_BITS, ((end - 1) & (_SLAB - 1)) + 1
    while slab >= 0:
        for i in range(slab << _SLAB_BITS, (slab << _SLAB_BITS) + filled):
            tick = (rows[i, 0] - first) >> ticks
            digits[0, (tick & (_DIGITS - 1)) + 1] += 1
            digits[1, (tick >> _DIGIT_BITS) + 1] += 1
            offsets[(rows[i, 1] >> bits) - base + 1] += 1
        slab, filled = before[slab], _SLAB


@compiled
def _by_low_digit(rows: Ints, before: Codes, end: int, first: int, ticks: int, digits: Ints, into: Ints) -> None:
    """The first of three passes that each count rows to their places."""
    slab, filled = (end - 1) >> _SLAB_BITS, ((end - 1) & (_SLAB - 1)) + 1
    while slab >= 0:
        for i in range(slab << _SLAB_BITS, (slab << _SLAB_BITS) + filled):
            digit = (rows[i, 0] - first) >> ticks & (_DIGITS - 1)
            at = digits[0, digit]
            digits[0, digit] += 1
            into[at, 0], into[at, 1] = rows[i, 0], rows[i, 1]
        slab, filled = before[slab], _SLAB


@compiled
def _by_high_digit(rows: Ints, first: int, ticks: int, digits: Ints, into: Ints) -> None:
    for i in range(rows.shape[0]):
        digit = (rows[i, 0] - first) >> (ticks + _DIGIT_BITS)
        at = digits[1, digit]
        digits[1, digit] += 1
        into[at, 0], into[at, 1] = rows[i, 0], rows[i, 1]


@compiled
def _by_unit(rows: Ints, bits: int, base: int, offsets: Ints, times: Ints, masks: Ints) -> None:
    """``offsets[unit]`` ends as the end of the unit."""
    for unit in range(1, offsets.size):
        offsets[unit] += offsets[unit - 1]
    for i in range(rows.shape[0]):
        unit = (rows[i, 1] >> bits) - base
        at = offsets[unit]
        offsets[unit] += 1
        times[at], masks[at] = rows[i, 0], rows[i, 1] & ((1 << bits) - 1)


@compiled
def _settle(offsets: Ints, base: int, times: Ints, masks: Ints, units: Codes, codes: Codes) -> int:
    """Rows of one tick, which are in any order yet, by time and mask. ``units`` become the numbers of the units that occur,
    whose codes are ``codes``; how many they are."""
    start, count = 0, 0
    for unit in range(offsets.size - 1):
        end = offsets[unit]
        for i in range(start + 1, end):
            time, mask, j = times[i], masks[i], i
            while j > start and (times[j - 1] > time or (times[j - 1] == time and masks[j - 1] > mask)):
                times[j], masks[j] = times[j - 1], masks[j - 1]
                j -= 1
            times[j], masks[j] = time, mask
        if end > start:
            for i in range(start, end):
                units[i] = count
            codes[count] = base + unit
            count += 1
        start = end
    return count


@compiled
def _renumber(units: Codes, codes: Codes, starts: Ints, first: Ints, dense: Codes) -> None:
    for part in range(starts.size - 1):
        for i in range(starts[part], starts[part + 1]):
            units[i] += first[part]
        for place in range(first[part + 1] - first[part]):
            dense[first[part] + place] = codes[starts[part] + place]
