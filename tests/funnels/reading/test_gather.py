"""Rows in any order come out by unit and time, each once, whatever threads, partitions and spans they went through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from funnels.kernel import Codes, Ints
from funnels.reading.gather import Asked, Events, Gather, Ordered, People, take
from funnels.reading.who import who

NOW = 1_700_000_000_000_000
NONE: Ints = np.zeros(0, np.int64)
NO_CODES: Codes = np.zeros(0, np.int32)


def rows(random: np.random.Generator, count: int, units: int, length: int) -> tuple[Ints, Ints, Ints]:
    """Few units have most of the rows; many instants are shared."""
    of = (units * random.random(count) ** 3).astype(np.int64)
    return NOW + random.integers(0, length, count), of, random.integers(1, 1 << 20, count)


def gathered(times: Ints, units: Ints, masks: Ints, span: range, threads: int) -> Gather:
    """Unit u is the person whose only actor is u."""
    first, last = int(times.min(initial=NOW)), int(times.max(initial=NOW))
    found = Gather(times.size, span, first, last, threads, 40)
    everyone = np.arange(int(units.max(initial=0)) + 1)
    known = who(everyone, everyone, NONE)
    people = People(known.slots, known.shift, NONE, NONE, NONE, NONE, NONE, NO_CODES)
    asked = Asked(first, last, first, last, 0, (1 << 40) - 1, False, True, 0, 0, True, False, 0, 0)
    for number, pool in enumerate(found.pools):
        for since in range(number * 500, times.size, threads * 500):
            part = slice(since, since + 500)
            more = (NO_CODES, NO_CODES, np.zeros(0, np.bool_), np.zeros(0, np.uint8), 0, -1)
            events = Events(times[part], units[part], NO_CODES, NONE, masks[part], *more)
            take(events, asked, people, found.into(pool))
    return found


def told(ordered: Ordered) -> list[tuple[int, int, int]]:
    codes = ordered.codes[ordered.units]
    return list(zip(codes.tolist(), ordered.times.tolist(), ordered.masks.tolist(), strict=True))


@pytest.mark.parametrize(
    ("count", "units", "length", "threads"),
    [(0, 5, 10, 2), (1, 1, 1, 1), (1_000, 3, 50, 2), (20_000, 1_000, 1 << 45, 2), (140_000, 30_000, 1 << 30, 3)],
)
def test_rows_are_ordered_by_unit_time_and_mask(count: int, units: int, length: int, threads: int) -> None:
    times, of, masks = rows(np.random.default_rng(count), count, units, length)
    found = gathered(times, of, masks, range(units), threads)
    with ThreadPoolExecutor(threads) as pool:
        ordered = found.ordered(0, found.partitions, pool)
    assert told(ordered) == sorted(zip(of.tolist(), times.tolist(), masks.tolist(), strict=True))
    assert ordered.codes.tolist() == np.unique(of).tolist()
    assert np.unique(ordered.units).tolist() == list(range(ordered.codes.size))


def test_spans_of_units_and_parts_of_rows_make_up_the_whole() -> None:
    times, of, masks = rows(np.random.default_rng(7), 90_000, 5_000, 1 << 40)
    put_together: list[tuple[int, int, int]] = []
    sizes = []
    with ThreadPoolExecutor(2) as pool:
        for span in (range(1_700), range(1_700, 4_999), range(4_999, 5_000)):
            found = gathered(times, of, masks, span, 2)
            for since, until in found.parts(10_000):
                part = found.ordered(since, until, pool)
                put_together += told(part)
                sizes.append(part.times.size)
    assert put_together == sorted(zip(of.tolist(), times.tolist(), masks.tolist(), strict=True))
    assert len(sizes) > 3
