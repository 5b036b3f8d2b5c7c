"""Rows in any order come out by unit and time, each once, whatever threads, partitions and spans they went through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from funnels.kernel import Codes, Ints
from funnels.reading.gather import INTERNALS, WITHOUT, Asked, Events, Gather, Ordered, People, take
from funnels.reading.owners import owners
from funnels.reading.scan import Rows
from funnels.reading.who import laid_over, who

NOW = 1_700_000_000_000_000
NONE: Ints = np.zeros(0, np.int64)
NO_CODES: Codes = np.zeros(0, np.int32)


def some_rows(random: np.random.Generator, count: int, units: int, length: int) -> tuple[Ints, Ints, Ints]:
    """Few units have most of the rows; many instants are shared."""
    of = (units * random.random(count) ** 3).astype(np.int64)
    return NOW + random.integers(0, length, count), of, random.integers(1, 1 << 20, count)


def gathered(times: Ints, units: Ints, masks: Ints, span: range, threads: int, used: int = 40) -> Gather:
    """Unit u is the person whose only actor is u."""
    first, last = int(times.min(initial=NOW)), int(times.max(initial=NOW))
    found = Gather(times.size, span, first, last, threads, 40, used)
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


def test_rows_are_whose_they_are_now_whatever_is_kept_of_a_table_before() -> None:
    """Of 100 people each with two actors, 10 are split, 10 merged, some are internal, and new ones come."""
    actors = np.arange(200)
    built = who(actors, actors // 2 * 2, actors[50:60])
    split = np.arange(1, 20, 2)
    gone = np.concatenate([split, np.arange(20, 40)])
    owned = np.concatenate([split, np.full(20, 20), [900, 900]])
    now = laid_over(built, gone, np.concatenate([gone, [900, 901]]), owned, np.array([52, 53, 21, 900]))
    assert now.base is built
    assert np.flatnonzero(now.changed).size == 20
    several = np.concatenate([actors, [900, 901, 950]])
    rows = Rows(NOW + np.arange(several.size), several, ["A"], NO_CODES, np.zeros(0, np.uint8), 0, "a row group")
    for known in (built, now):
        kept = owners(known, rows)
    found = Gather(several.size, range(len(now.people)), NOW, NOW + several.size, 1, 40, 20)
    people = People(now.slots, now.shift, NONE, NONE, NONE, NONE, NONE, NO_CODES, now.changed)
    asked = Asked(NOW, NOW + several.size, NOW, NOW + several.size, 0, 1, False, True, 0, 0, True, False, 0, 20)
    more = (NO_CODES, NO_CODES, np.zeros(0, np.bool_), np.zeros(0, np.uint8), 0, -1, kept)
    take(Events(rows.times, several, NO_CODES, np.array([1]), NONE, *more), asked, people, found.into(found.pools[0]))
    theirs = {time - NOW: code for code, time, _ in told(found.ordered(0, found.partitions))}
    inside = {21, *range(50, 60), 200}
    assert theirs == {row: int(now.of(several[row : row + 1])[0]) for row in range(202) if row not in inside}
    assert found.pools[0].counts[WITHOUT] == 1
    assert found.pools[0].counts[INTERNALS] == len(inside)


def told(ordered: Ordered) -> list[tuple[int, int, int]]:
    codes = ordered.codes[ordered.units]
    return list(zip(codes.tolist(), ordered.times.tolist(), ordered.masks.tolist(), strict=True))


@pytest.mark.parametrize("words", [1, 2])
@pytest.mark.parametrize(
    ("count", "units", "length", "threads"),
    [(0, 5, 10, 2), (1, 1, 1, 1), (1_000, 3, 50, 2), (20_000, 1_000, 1 << 33, 2), (140_000, 30_000, 1 << 30, 3)],
)
def test_rows_are_ordered_by_unit_time_and_mask(count: int, units: int, length: int, threads: int, words: int) -> None:
    times, of, masks = some_rows(np.random.default_rng(count), count, units, length)
    found = gathered(times, of, masks, range(units), threads, 20 if words == 1 else 64)
    assert found.pools[0].rows.shape[1] == words
    with ThreadPoolExecutor(threads) as pool:
        ordered = found.ordered(0, found.partitions, pool)
    assert told(ordered) == sorted(zip(of.tolist(), times.tolist(), masks.tolist(), strict=True))
    assert ordered.codes.tolist() == np.unique(of).tolist()
    assert np.unique(ordered.units).tolist() == list(range(ordered.codes.size))


def test_rows_of_one_tick_are_ordered_too() -> None:
    """Times that the keys of wide rows have no room for."""
    times, of, masks = some_rows(np.random.default_rng(3), 20_000, 1_000, 20)
    times[:10] += 1 << 48
    found = gathered(times, of, masks, range(1_000), 2)
    ordered = found.ordered(0, found.partitions)
    assert told(ordered) == sorted(zip(of.tolist(), times.tolist(), masks.tolist(), strict=True))


def test_spans_of_units_and_parts_of_rows_make_up_the_whole() -> None:
    times, of, masks = some_rows(np.random.default_rng(7), 90_000, 5_000, 1 << 40)
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
