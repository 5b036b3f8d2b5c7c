"""Who an event's actor is, as a number: an open hash from actor ids to units counted from 0.

Joining ids to events costs more than reading them: this table answers in one access of memory each, from compiled loops,
without the GIL. Ids are hashes already; they are multiplied once more, since nobody promises that every lake's are.

A slot is (actor id, value); values:

    _FREE         nothing lies there
    code          the person's number; besides it
    INTERNAL bit  internal traffic, by the table of internal actors
    _HIDDEN bit   no actor (any more), but the id of a person: events that name it have no unit
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from funnels.kernel.words import Codes, Ints, compiled

NOBODY: Final = -1
INTERNAL: Final = 1 << 32
_HIDDEN: Final = 1 << 33
_CODE: Final = (1 << 32) - 1
_GOLDEN: Final = -7046029254386353131  # 2^64 / golden ratio
_FREE: Final = -2
_ELSEWHERE: Final = -3


_tables: Final = count()


@dataclass(frozen=True)
class Who:
    """``slots``: (size, 2), a power of two of them. ``people``: the person_id of each code.

    ``base``: the table that this one was laid over, if any, and ``changed``, by its people: whose actors are no longer all
    what they are there. ``number`` tells a table from all others.
    """

    slots: Ints
    people: Ints
    base: Who | None = None
    changed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    number: int = field(default_factory=lambda: next(_tables))

    @property
    def shift(self) -> int:
        return _shift(len(self.slots))

    def codes(self, people: Ints) -> Codes:
        """The numbers of people, by their person_id; NOBODY of one who is not known."""
        found = np.empty(len(people), np.int32)
        _find_people(self.slots, self.shift, self.people, people, found)
        return found

    def of(self, actors: Ints) -> Codes:
        """The number of each actor's person; NOBODY of one who is not known."""
        found = np.empty(len(actors), np.int64)
        find_values(self.slots, self.shift, actors, len(actors), found)
        codes: Codes = np.where(found < 0, NOBODY, found & _CODE).astype(np.int32)
        return codes


def who(actors: Ints, people: Ints, internal: Ints) -> Who:
    """Of parallel columns: who each actor is. ``internal``: actors whose events are internal traffic."""
    size = 1 << max(4, (2 * len(actors)).bit_length())
    slots = np.full((size, 2), _FREE, np.int64)
    numbered = np.empty(len(actors) + 1, np.int64)
    count = _fill(slots, _shift(size), actors, people, numbered, 0)
    _mark(slots, _shift(size), internal)
    return Who(slots, numbered[:count].copy())


def laid_over(known: Who, gone: Ints, actors: Ints, people: Ints, internal: Ints) -> Who:
    """With some actors gone and others in their place; people keep their numbers, new ones come behind."""
    if 2 * (len(actors) + len(known.people)) > known.slots.shape[0]:
        return _anew(known, gone, actors, people, internal)
    slots = known.slots.copy()
    _forget(slots, known.shift, gone)
    numbered = np.concatenate([known.people, np.empty(len(actors) + 1, np.int64)])
    count = _fill(slots, known.shift, actors, people, numbered, len(known.people))
    _mark(slots, known.shift, internal)
    found = Who(slots, numbered[:count])
    touched = np.concatenate([gone, actors, people, internal])
    return Who(slots, found.people, known.base or known, _changed(known, found, touched))


def _changed(known: Who, found: Who, keys: Ints) -> NDArray[np.bool_]:
    """By the people of the base, those who have one of these actors in one table and not alike in the other."""
    base, before, after = known.base or known, np.empty(keys.size, np.int64), np.empty(keys.size, np.int64)
    find_values(base.slots, base.shift, keys, keys.size, before)
    find_values(found.slots, found.shift, keys, keys.size, after)
    changed = known.changed.copy() if known.base else np.zeros(len(base.people), np.bool_)
    changed[before[(before >= 0) & (before != after)] & _CODE] = True
    return changed


def _anew(known: Who, gone: Ints, actors: Ints, people: Ints, internal: Ints) -> Who:
    """The same in a larger table."""
    kept = known.slots[(known.slots[:, 1] >= 0) & (known.slots[:, 1] & _HIDDEN == 0)]
    kept = kept[~np.isin(kept[:, 0], gone)]
    flagged = kept[kept[:, 1] & INTERNAL != 0, 0]
    owners = known.people[kept[:, 1] & _CODE]
    return who(np.concatenate([kept[:, 0], actors]), np.concatenate([owners, people]), np.concatenate([flagged, internal]))


def _shift(size: int) -> int:
    return 65 - size.bit_length()


@compiled
def place_of(slots: Ints, shift: int, key: int) -> int:
    """The slot of a key, or the free one where it would be."""
    at = np.int64(np.uint64(key * _GOLDEN) >> np.uint64(shift))
    last = slots.shape[0] - 1
    while slots[at, 1] != _FREE and slots[at, 0] != key:
        at = (at + 1) & last
    return int(at)


@compiled
def find_values(slots: Ints, shift: int, actors: Ints, count: int, found: Ints) -> None:
    """The values of the first ``count`` actors, codes with the INTERNAL bit; NOBODY where nobody is known by the id.

    Each is a miss of the cache. So the first slot of all is looked at without a branch that waits for it, which lets the
    processor wait for many at a time; most lie there.
    """
    last = slots.shape[0] - 1
    for i in range(count):
        at = np.int64(np.uint64(actors[i] * _GOLDEN) >> np.uint64(shift))
        key, value = slots[at, 0], slots[at, 1]
        found[i] = value if key == actors[i] else _ELSEWHERE
    for i in range(count):
        value = found[i]
        if value == _ELSEWHERE:
            at = np.int64(np.uint64(actors[i] * _GOLDEN) >> np.uint64(shift))
            while slots[at, 0] != actors[i] and slots[at, 1] != _FREE:
                at = (at + 1) & last
            value = slots[at, 1]
        found[i] = NOBODY if value < 0 or value & _HIDDEN else value


@compiled
def _fill(slots: Ints, shift: int, actors: Ints, people: Ints, numbered: Ints, count: int) -> int:
    for i in range(actors.size):
        at = place_of(slots, shift, people[i])
        if slots[at, 1] == _FREE or numbered[slots[at, 1] & _CODE] != people[i]:  # nobody's, or another's until now
            slots[at, 0], slots[at, 1] = people[i], count | _HIDDEN
            numbered[count] = people[i]
            count += 1
        code = slots[at, 1] & _CODE
        at = place_of(slots, shift, actors[i])
        slots[at, 0], slots[at, 1] = actors[i], code
    return count


@compiled
def _forget(slots: Ints, shift: int, gone: Ints) -> None:
    for i in range(gone.size):
        at = place_of(slots, shift, gone[i])
        if slots[at, 1] != _FREE:
            slots[at, 1] |= _HIDDEN


@compiled
def _mark(slots: Ints, shift: int, internal: Ints) -> None:
    for i in range(internal.size):
        at = place_of(slots, shift, internal[i])
        if slots[at, 1] != _FREE:
            slots[at, 1] |= INTERNAL


@compiled
def _find_people(slots: Ints, shift: int, known: Ints, people: Ints, found: Codes) -> None:
    """The id of a person that was merged into another one is an actor's, and nobody's person_id."""
    for i in range(people.size):
        value = slots[place_of(slots, shift, people[i]), 1]
        found[i] = NOBODY
        if value != _FREE and known[value & _CODE] == people[i]:
            found[i] = value & _CODE
