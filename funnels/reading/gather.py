"""Rows of events in any order -> the matcher's arrays, in order of unit and time.

Units are numbers (``who``), and a partition is a stretch of units whose rows fit the cache. So a row is its unit's place in
the partition, its time since the earliest and its mask: one word, where these have room in 63 bits (``Packing``), and the
words in order are the rows in order. Else it is two: its time, and its unit with its mask. While rows are read, each goes to
its partition: a chain of slabs, appended to; there they are sorted. So every row is moved twice, both times within the
cache, instead of being scattered over all of memory; threads share nothing but the order of their work.

    take    (each thread)  rows -> looked up, tested, appended to the slabs of their partition
    order   (each thread)  partitions -> units, times, masks; units are renumbered so that all of them occur

The reader may put more into a mask than steps (``tags``); rows at one instant are in order of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from funnels.kernel.words import Codes, Ints, compiled
from funnels.reading.owners import INSIDER
from funnels.reading.who import INTERNAL, find_values

EARLIEST: Final = -62_135_596_800_000_000  # microseconds: the beginning of the year 1
ROW_BYTES: Final = 16  # of a row until it is ordered, at most
_SLAB_BITS: Final = 8
_SLAB: Final = 1 << _SLAB_BITS  # rows
_PARTITION: Final = 1 << 15  # rows, some 0.7 MB while they are ordered
_PARTITIONS: Final = 2048  # at most: each has an open slab per thread
_WORD: Final = 63  # bits, without the sign
_BLOCK: Final = 1024  # rows whose units are looked up at once
SLABS, WITHOUT, BOTS, INTERNALS = 0, 1, 2, 3  # places in Pool.counts
_NO_CODES: Final = np.frombuffer(b"", np.int32)
_NO_FLAGS: Final = np.zeros(0, np.bool_)


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
    owners: Codes = _NO_CODES  # whose they are (``owners``); else ``People.slots`` tell


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

    ``changed``: by person, those of whom ``Events.owners`` does not tell what ``slots`` do; nor does it of nobody's then.
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
    changed: NDArray[np.bool_] = _NO_FLAGS


class Packing(NamedTuple):
    """How a row is written: its unit's place in the partition, its time since ``first`` and its mask, from the highest bit
    down. ``wide``: in two words, (time, place and mask).

    ``bits``: of a mask; ``units``: of a place; ``times``: of a time since ``first``.
    """

    wide: bool
    bits: int
    units: int
    times: int
    first: int


class Into(NamedTuple):
    """Where rows go: units from ``since`` on, ``span`` many; see ``Pool`` and ``Gather``."""

    since: int
    span: int
    packing: Packing
    rows: Ints
    before: Codes
    nexts: Ints
    counts: Ints
    block: Ints


class Pool:
    """Slabs of one thread, and which partition each belongs to."""

    def __init__(self, rows: int, partitions: int, words: int) -> None:
        slabs = rows // _SLAB + partitions + 2  # the first one stays empty: 0 is the end of a partition without rows
        self.rows = np.empty((slabs * _SLAB, words), np.int64)  # memory that is not written to takes none
        self.before = np.empty(slabs, np.int32)  # by slab: the one before it of the same partition; -1: none
        self.nexts = np.zeros(partitions, np.int64)  # by partition: the row behind its last one
        self.counts = np.zeros(4, np.int64)
        self.block = np.empty((3, _BLOCK), np.int64)  # working room of ``take``


class Gather:
    """Takes at most ``rows`` rows of the units in ``span`` with times in [first, last]; each thread has its own pool.

    Rows of other units are passed over: where all do not fit, they are read again for the next span. A mask has ``bits``,
    of which the low ones, ``used``, are all that is needed where rows carry no numbers.
    """

    def __init__(self, rows: int, span: range, first: int, last: int, threads: int, bits: int, used: int) -> None:
        self.span = span
        units, times = max(len(span) - 1, 0), max(last - first, 0).bit_length()
        wanted = min(max(rows // _PARTITION, 1), _PARTITIONS)
        shift = max(units.bit_length() - (wanted - 1).bit_length(), 0)
        wide = shift + times + used > _WORD
        self._packing = Packing(wide, bits if wide else used, shift, times, first)
        self.partitions = (units >> shift) + 1
        self.pools = [Pool(rows, self.partitions, 1 + wide) for _ in range(threads)]

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
        return Into(self.span.start, len(self.span), self._packing, *place)

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
        rows, packing = np.empty((end - start, self.pools[0].rows.shape[1]), np.int64), self._packing
        filled = 0
        for pool in self.pools:
            filled = _copy(pool.rows, pool.before, int(pool.nexts[partition]), rows, filled)
        base = self.span.start + (partition << packing.units)
        found = (into.times[start:end], into.masks[start:end], into.units[start:end], into.codes[start:end])
        if packing.wide:
            keys = np.empty(end - start, np.int64)
            _make_keys(rows, packing, keys)
            keys.sort()
            present[0] = _unpack_wide(keys, rows, packing, base, *found)
        else:
            keys = rows.reshape(-1)
            keys.sort()
            present[0] = _unpack(keys, packing, base, *found)


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
    insiders, number, owners, changed = events.insiders, events.number, events.owners, people.changed
    low, high, first, last = asked.low, asked.high, asked.first, asked.last
    slots, slots_shift, allowed, accounts_allowed = people.slots, people.shift, people.allowed, people.accounts_allowed
    rows, before, nexts, counts = into.rows, into.before, into.nexts, into.counts
    since, span, shift, bits, wide = into.since, into.span, into.packing.units, into.packing.bits, into.packing.wide
    earliest, unit_at, within = into.packing.first, into.packing.bits + into.packing.times, (1 << into.packing.units) - 1
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
        if owners.size == 0:
            find_values(slots, slots_shift, keys, count, values)
        for place in range(count):
            i = chosen[place]
            if owners.size:
                value = np.int64(owners[i])
                if changed.size and (value < 0 or changed[value & (INSIDER - 1)]):
                    find_values(slots, slots_shift, keys[place : place + 1], 1, values[place : place + 1])
                    value = values[place]
                elif value >= INSIDER:
                    value ^= INSIDER | INTERNAL
            else:
                value = values[place]
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
            if wide:
                rows[at, 0], rows[at, 1] = times[i], (unit & within) << bits | mask
            else:
                rows[at, 0] = (unit & within) << unit_at | (times[i] - earliest) << bits | mask
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
def _copy(rows: Ints, before: Codes, end: int, into: Ints, filled: int) -> int:
    """Appends a partition's rows, and returns how many there are then."""
    slab, ends = (end - 1) >> _SLAB_BITS, ((end - 1) & (_SLAB - 1)) + 1
    while slab >= 0:
        for i in range(slab << _SLAB_BITS, (slab << _SLAB_BITS) + ends):
            for word in range(rows.shape[1]):
                into[filled, word] = rows[i, word]
            filled += 1
        slab, ends = before[slab], _SLAB
    return filled


@compiled
def _index_bits(count: int) -> int:
    bits = 1
    while count >> bits:
        bits += 1
    return bits


@compiled
def _make_keys(rows: Ints, packing: Packing, keys: Ints) -> None:
    """Of each row its unit, as much of its time as there is room for, and its place."""
    index = _index_bits(rows.shape[0])
    ticks, bits, first = max(packing.units + packing.times + index - _WORD, 0), packing.bits, packing.first
    unit_at = packing.times - ticks + index
    for i in range(rows.shape[0]):
        keys[i] = (rows[i, 1] >> bits) << unit_at | ((rows[i, 0] - first) >> ticks) << index | i


@compiled
def _unpack_wide(
    keys: Ints, rows: Ints, packing: Packing, base: int, times: Ints, masks: Ints, units: Codes, codes: Codes
) -> int:
    """As ``_unpack``. Rows whose keys tell no more of their times are in any order yet."""
    place = (1 << _index_bits(rows.shape[0])) - 1
    last, count, start = np.int64(-1), 0, 0
    for i in range(keys.size):
        row = keys[i] & place
        time, unit, mask = rows[row, 0], rows[row, 1] >> packing.bits, rows[row, 1] & ((1 << packing.bits) - 1)
        if unit != last:
            last, start, codes[count] = unit, i, base + unit
            count += 1
        units[i] = count - 1
        j = i
        while j > start and (times[j - 1] > time or (times[j - 1] == time and masks[j - 1] > mask)):
            times[j], masks[j] = times[j - 1], masks[j - 1]
            j -= 1
        times[j], masks[j] = time, mask
    return count


@compiled
def _unpack(keys: Ints, packing: Packing, base: int, times: Ints, masks: Ints, units: Codes, codes: Codes) -> int:
    """Rows of keys in order. ``units`` become the numbers of the units that occur, whose codes are ``codes``; returns how
    many they are."""
    last, count = np.int64(-1), 0
    for i in range(keys.size):
        unit = keys[i] >> (packing.bits + packing.times)
        if unit != last:
            last, codes[count] = unit, base + unit
            count += 1
        units[i], masks[i] = count - 1, keys[i] & ((1 << packing.bits) - 1)
        times[i] = (keys[i] >> packing.bits & ((1 << packing.times) - 1)) + packing.first
    return count


@compiled
def _renumber(units: Codes, codes: Codes, starts: Ints, first: Ints, dense: Codes) -> None:
    for part in range(starts.size - 1):
        for i in range(starts[part], starts[part + 1]):
            units[i] += first[part]
        for place in range(first[part + 1] - first[part]):
            dense[first[part] + place] = codes[starts[part] + place]
