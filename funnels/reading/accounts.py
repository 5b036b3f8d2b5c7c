"""Accounts as numbers: the one that an event names, else the sole one that its person belonged to at that time.

An account's number is its id's place among the ``Words`` of the project. When a person belonged to which sole account is
laid over the table of the last build, as who is who is (``people``).
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funnels.kernel import ALWAYS, Codes, Ints
from funnels.kernel.words import compiled
from funnels.reading.places import Encoded, Places
from funnels.reading.scan import Kept
from funnels.reading.who import Who
from funnels.reading.words import UNKNOWN, Words
from ingest.lake import Lake
from transforms.overlay import Identity

TABLE: Final = "sole_memberships"
_COLUMNS: Final = ("person_id", "account_id", "since", "until")
_KEPT_ANSWERS: Final = 3
_KEPT_BYTES: Final = 64 << 20  # of the accounts that rows name
_NO_CODES: Final = np.zeros(0, np.int32)


@dataclass(frozen=True)
class Accounts:
    """From ``first[person]`` on: the person's stretches of time, from ``begins`` to before ``ends``, each in one account."""

    words: Words
    first: Ints
    begins: Ints
    ends: Ints
    accounts: Codes

    def at(self, people: Codes, times: Ints) -> Codes:
        """The sole account of each person (or UNKNOWN) at a time."""
        found = np.full(people.size, UNKNOWN, np.int32)
        _sole(people, times, self.first, self.begins, self.ends, self.accounts, found)
        return found


@lru_cache(maxsize=16)
def words(root: str, project: str) -> Words:
    """The accounts of a project, as far as they are known."""
    return Words()


_recent: Final[list[tuple[Identity, Who, Accounts]]] = []  # newest last
_lock: Final = threading.Lock()


def accounts(lake: Lake, project: str, known: Identity, people: Who) -> Accounts:
    """By ``known``, of which ``people`` must be made."""
    with _lock:
        for one, other, found in _recent:
            if one is known and other is people:
                return found
        found = _accounts(_memberships(lake, project, known), people, words(lake.root, project))
        _recent.append((known, people, found))
        del _recent[:-_KEPT_ANSWERS]
        return found


def _memberships(lake: Lake, project: str, known: Identity) -> pa.Table:
    made = known.made.get(TABLE)
    version = known.built.get(TABLE)
    built = None if version is None else lake.dataset(project, TABLE, version)
    parts = [] if made is None else [made.select(_COLUMNS)]
    if built is not None:
        rows, gone = built.to_table(columns=list(_COLUMNS)), known.gone.get(TABLE)
        if gone is not None:
            rows = rows.filter(pc.invert(pc.is_in(rows["person_id"], value_set=gone["person_id"].combine_chunks())))
        parts.append(rows)
    return pa.concat_tables([one.cast(_SCHEMA) for one in parts]) if parts else _SCHEMA.empty_table()


def _accounts(rows: pa.Table, people: Who, known: Words) -> Accounts:
    owners = people.codes(rows["person_id"].to_numpy())
    times = [rows[name].cast(pa.int64()).fill_null(ALWAYS).to_numpy() for name in ("since", "until")]
    codes = known.codes(rows["account_id"].combine_chunks().cast(pa.string()))
    order = np.lexsort((times[0], owners))
    order = order[owners[order] >= 0]
    first = np.searchsorted(owners[order], np.arange(len(people.people) + 1)).astype(np.int64)
    return Accounts(known, first, times[0][order], times[1][order], codes[order])


class Named:
    """The accounts that events name, by row group of ``places``."""

    def __init__(self, places: Places, known: Words) -> None:
        self._places, self._words = places, known

    def learn(self, threads: ThreadPoolExecutor) -> None:
        """Reads what nobody has read yet, so that all accounts have their number."""
        new = [place for place in range(self._places.count) if self._places.key(place) not in self._words.learned]
        list(threads.map(self.of, new))
        self._words.learned.update(self._places.key(place) for place in new)

    def of(self, place: int) -> Codes:
        """By row of a row group; UNKNOWN where it names none. All so where there are no codes."""
        key = self._places.key(place)
        found = _KEPT.get(key)
        if found is None:
            found = self._read(self._places.whole(place, "account_id"))
            _KEPT.put(key, found)
        return found

    def _read(self, read: Encoded) -> Codes:
        if read.codes is None:
            return _NO_CODES
        numbers = np.append(self._words.codes(read.texts), np.int32(UNKNOWN))
        found: Codes = numbers[read.codes]
        return found


@compiled
def _sole(people: Codes, times: Ints, first: Ints, begins: Ints, ends: Ints, accounts: Codes, found: Codes) -> None:
    for i in range(people.size):
        if people[i] >= 0:
            for stretch in range(first[people[i]], first[people[i] + 1]):
                if begins[stretch] <= times[i] < ends[stretch]:
                    found[i] = accounts[stretch]


_SCHEMA: Final = pa.schema(
    [
        ("person_id", pa.int64()),
        ("account_id", pa.string()),
        ("since", pa.timestamp("us", "UTC")),
        ("until", pa.timestamp("us", "UTC")),
    ]
)
_KEPT: Final = Kept[Codes](_KEPT_BYTES, lambda codes: codes.nbytes + 200)
