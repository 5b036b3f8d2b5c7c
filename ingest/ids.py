"""The index: which event ids the lake has, how the received events ended, and how far each log has come.

One LMDB environment in ``<data>/index``, written by the one flush of the data folder, read by whoever shows counts.
    seen-<period>  digest of project and event id (16 bytes) -> where it was seen: received_at (microseconds), month of the
                   event (u16, since 1970), again for each time it was taken; a period is 30 days of ``received_at``
    hours          project \\0 hour (u32, big endian) source \\0 outcome -> how many
    totals         project \\0 outcome -> how many
    logs           identity of a log -> its newest segment whose events are in the lake
    state          "in hand" -> JSON: the segments that are on their way to the lake
                   "forgotten" -> the moment (microseconds) before which nothing is known any more
    imports        identity of an import \\0 number of its chunk (u32, big endian) -> JSON: what became of its rows

Invariants
- A claim's ids, counts and watermark become true in one transaction, after the lake has the events.
- What is in hand is finished before anything else: the lake may have its events already, while their ids are not here yet.

Of copies the smallest (received_at, log, offset) stays, but the index does not know log and offset. So a newcomer that came
no later than all sightings it is a copy of is a contest: the rows in the lake decide it (``contest.py``).

What a copy is: an id of the same project that came within the limit (``dedup_days``) of a sighting, or whose event lies in
the same month as one. The index is exact about all that came since ``forgotten``, and that is never less than the limit and
a whole month before the oldest event that may still come (``keep``). So an event can have a copy that the index does not
know only if its month began before that: such a late event is looked for in its month of the lake (``copies.py``).
A period is forgotten by dropping its database, whose pages are used again: two or three periods are kept, whatever the age
of the project (100 to 145 bytes an event).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b, md5
from pathlib import Path
from typing import Final, Literal

import lmdb
import msgspec

from ingest.disk import free_bytes
from ingest.errors import IngestError

PERIOD: Final = 30 * 86_400_000_000  # microseconds
HOUR: Final = 3_600_000_000
DAY: Final = 24 * HOUR
LIMIT: Final = 30 * DAY
_MONTH: Final = 33 * DAY  # the longest month, the day by which a sender's clock may be ahead, and one to spare
_MAP_BYTES: Final = 1 << 38  # address space, not disk
_DATABASES: Final = 1024
_LEAST_ROOM: Final = 1 << 20  # bytes; with less the disk counts as full
_PATIENCE: Final = 0.5  # seconds between two looks whether the index is free
_COUNT: Final = struct.Struct("<q")
_SEEN: Final = struct.Struct("<qH")
_SEEN_PREFIX: Final = b"seen-"
_IN_HAND: Final = b"in hand"
_FORGOTTEN: Final = b"forgotten"
_READING: Final = threading.Lock()  # LMDB allows an environment to be open once per process


@dataclass(frozen=True)
class InHand:
    """Segments ``first`` to ``last`` of the log ``identity`` in ``folder``; or such a chunk of an import."""

    folder: str
    identity: str
    first: int
    last: int
    kind: Literal["log", "import"] = "log"


@dataclass(frozen=True)
class Tally:
    """One kind of outcome in one hour: ``hour`` counts hours since the epoch, ``label`` is ``Outcome.label``."""

    project: str
    hour: int
    source: str
    label: str


@dataclass(frozen=True, slots=True)
class Violation:
    """An event that was stored though it breaks the tracking plan.

    The newest one is an example. The index keeps the MD5 of its id alone (``example_of``): what it says is read where it is
    stored, and goes from there with its person.
    """

    project: str
    event: str
    rule: str
    source: str
    received_at: int
    example: str


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """One event as it came: ``received_at`` in microseconds, ``month`` of its partition counted from January 1970."""

    event_id: str
    received_at: int
    month: int


@dataclass(frozen=True, slots=True)
class Contest:
    """An id whose newcomers may have come before what the lake has of it.

    ``positions``: those of its sightings in the list given, the earliest first; ``seen``: (received_at, month) of all that
    the index knows.
    """

    digest: bytes
    positions: tuple[int, ...]
    seen: tuple[tuple[int, int], ...]


def keep(limit: int) -> int:
    """How far back (microseconds) the index must know every id, for copies within ``limit`` and those of a fresh month."""
    return max(limit, _MONTH)


class Index:
    """Opened by the flush; raises IngestError while another process holds it. ``limit``: see above, in microseconds."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._limit = limit
        self._path = path
        path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path / "flush.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise IngestError(f"another flush works on {path}; one data folder has one flush") from None
        self._env = lmdb.open(str(path), map_size=_MAP_BYTES, max_dbs=_DATABASES)
        self._hours, self._totals, self._logs, self._state, self._imports, self._violations = (
            self._env.open_db(name) for name in (b"hours", b"totals", b"logs", b"state", b"imports", b"violations")
        )

    @classmethod
    def when_free(cls, path: Path, stop: threading.Event, limit: int = LIMIT) -> Index | None:
        """The index as soon as no other flush holds it; None if ``stop`` comes first."""
        while True:
            try:
                return cls(path, limit)
            except IngestError:
                if stop.wait(_PATIENCE):
                    return None

    def close(self) -> None:
        self._env.close()
        os.close(self._lock)

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def watermark(self, identity: str) -> int:
        """The newest segment of that log whose events are all in the lake; 0 of a log never seen."""
        with self._env.begin() as transaction:
            return _count(transaction.get(identity.encode(), db=self._logs))

    def in_hand(self) -> InHand | None:
        with self._env.begin() as transaction:
            found = transaction.get(_IN_HAND, db=self._state)
        return InHand(**json.loads(found)) if found else None

    @contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction]:
        """A transaction that all of its block is part of; raises OSError (ENOSPC) where the disk has no room for it."""
        try:
            with self._env.begin(write=True) as transaction:
                yield transaction
        except lmdb.Error as fault:
            # LMDB has no other word than EIO for a write of which only a part found room.
            if os.strerror(errno.EIO) not in str(fault) or free_bytes(self._path) > _LEAST_ROOM:
                raise
            raise OSError(errno.ENOSPC, "no space left for the index", str(self._path)) from fault

    def take(self, work: InHand) -> None:
        with self._writing() as transaction:
            transaction.put(_IN_HAND, json.dumps(asdict(work)).encode(), db=self._state)

    def put_back(self) -> None:
        """Forget what is in hand: its segments are gone."""
        with self._writing() as transaction:
            transaction.delete(_IN_HAND, db=self._state)

    def forgotten(self) -> int:
        """The moment (microseconds) before which the index knows nothing any more; 0 where it knows all."""
        with self._env.begin() as transaction:
            return _count(transaction.get(_FORGOTTEN, db=self._state))

    def forget(self, oldest: int) -> int:
        """Drop the periods that no event received at ``oldest`` or later needs; returns how many went.

        ``oldest``: no event received before it is still to come (microseconds).
        """
        old = [period for period in self._periods() if (period + 1) * PERIOD <= oldest - keep(self._limit)]
        for period in old:
            database = self._env.open_db(_seen(period))
            with self._writing() as transaction:
                end = max((period + 1) * PERIOD, _count(transaction.get(_FORGOTTEN, db=self._state)))
                transaction.put(_FORGOTTEN, _COUNT.pack(end), db=self._state)
                transaction.drop(database)
        return len(old)

    def _periods(self) -> list[int]:
        with self._env.begin() as transaction, transaction.cursor() as cursor:
            if not cursor.set_range(_SEEN_PREFIX):
                return []
            keys = [bytes(key) for key in cursor.iternext(values=False)]
        return [int(key.removeprefix(_SEEN_PREFIX)) for key in keys if key.startswith(_SEEN_PREFIX)]

    @contextmanager
    def claim(self, work: InHand, received: Iterable[int]) -> Iterator[Claim]:
        """A transaction that ends ``work``, whose events came at ``received``; if the block raises, nothing happened."""
        self._env.reader_check()  # a reader that was killed would keep old pages for ever
        periods = {*self._periods(), *(moment // PERIOD for moment in received)}
        databases = {period: self._env.open_db(_seen(period)) for period in sorted(periods)}
        with self._writing() as transaction:
            claim = Claim(transaction, databases, self._limit, _count(transaction.get(_FORGOTTEN, db=self._state)))
            yield claim
            for tally, number in claim.tallies.items():
                hour = struct.pack(">I", tally.hour)
                _add(transaction, self._hours, _key(tally.project, hour + _key(tally.source, tally.label.encode())), number)
                _add(transaction, self._totals, _key(tally.project, tally.label.encode()), number)
            for violation in claim.violations:
                _note(transaction, self._violations, violation)
            if claim.result is not None:
                transaction.put(_key(work.identity, struct.pack(">I", work.last)), claim.result, db=self._imports)
            transaction.put(work.identity.encode(), _COUNT.pack(work.last), db=self._logs)
            transaction.delete(_IN_HAND, db=self._state)

    def counts(self, project: str) -> dict[str, int]:
        """Events per outcome ever since, by ``Outcome.label``."""
        with self._env.begin() as transaction:
            return _outcomes(transaction, self._totals, project)


class Claim:
    """What a group of segments adds; see ``Index.claim``."""

    def __init__(
        self, transaction: lmdb.Transaction, databases: Mapping[int, lmdb._Database], limit: int, forgotten: int
    ) -> None:
        self.tallies: Counter[Tally] = Counter()
        self.violations: list[Violation] = []
        self.result: bytes | None = None  # of a chunk of an import; see ``results``
        self.limit = limit
        self._transaction = transaction
        self._databases = databases
        self._forgotten = forgotten

    def copies(self, project: str, sightings: Sequence[Sighting]) -> set[int]:
        """The positions of copies of what was seen before, here or earlier in the list; the others are seen from now on."""
        return self._enter(project, sightings, None)

    def compare(self, project: str, sightings: Sequence[Sighting]) -> tuple[set[int], list[Contest]]:
        """``copies``, but for the contests: nothing is entered of these until they are settled."""
        aside: dict[bytes, list[int]] = {}
        found = self._enter(project, sightings, aside)
        return found, [Contest(digest, tuple(at), self._seen(digest)) for digest, at in aside.items()]

    def settle(self, contest: Contest, seen: Iterable[tuple[int, int]]) -> None:
        """From now on the index knows of that id these (received_at, month)."""
        by_period: dict[int, bytes] = {}
        for received_at, month in seen:
            period = received_at // PERIOD
            by_period[period] = by_period.get(period, b"") + _SEEN.pack(received_at, month)
        for period, database in self._databases.items():
            self._transaction.delete(contest.digest, db=database)
            if period in by_period:
                self._transaction.put(contest.digest, by_period[period], db=database)

    def _enter(self, project: str, sightings: Sequence[Sighting], aside: dict[bytes, list[int]] | None) -> set[int]:
        """``aside``: where positions of contests go, by digest; None: of copies the one entered first stays."""
        prefix = blake2b(f"{project}\0".encode(), digest_size=16)
        digests = []
        for sighting in sightings:
            state = prefix.copy()
            state.update(sighting.event_id.encode("utf-8", "surrogatepass"))
            digests.append(state.digest())
        found: set[int] = set()
        # In the order of the keys, so that neighbours share a page; sorts are stable, so the first copy comes first.
        order = sorted(range(len(digests)), key=lambda at: sightings[at].received_at)
        order.sort(key=digests.__getitem__)
        by_period: dict[int, list[int]] = {}
        for at in order:
            by_period.setdefault(sightings[at].received_at // PERIOD, []).append(at)
        for period, positions in sorted(by_period.items()):
            known = self._elsewhere(period, [digests[at] for at in positions])
            cursor = self._transaction.cursor(self._databases[period])
            entered = -1  # the last that was no copy
            for at in positions:
                sighting, digest = sightings[at], digests[at]
                if aside and digest in aside:
                    aside[digest].append(at)
                    continue
                value = _SEEN.pack(sighting.received_at, sighting.month)
                elsewhere = digest in known and self._is_copy(sighting, known[digest])
                if not elsewhere and cursor.put(digest, value, overwrite=False):
                    entered = at
                    continue
                own = bytes(cursor.get(digest) or b"")
                if not elsewhere and not self._is_copy(sighting, own):
                    cursor.put(digest, own + value)
                    entered = at
                    continue
                twin = entered >= 0 and digests[entered] == digest and sightings[entered].received_at == sighting.received_at
                if aside is None or twin or not self._may_be_first(sighting, own + known.get(digest, b"")):
                    found.add(at)
                else:
                    aside[digest] = [at]
        return found

    def is_late(self, sighting: Sighting) -> bool:
        """Whether the lake may hold a copy that the index has forgotten."""
        return bool(self._forgotten) and _first_of(sighting.month) - (_MONTH - 31 * DAY) < self._forgotten

    def _elsewhere(self, period: int, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        known: dict[bytes, bytes] = {}
        for other, database in self._databases.items():
            if other != period:
                for key, value in self._transaction.cursor(database).getmulti(digests):
                    known[bytes(key)] = known.get(bytes(key), b"") + bytes(value)
        return known

    def _is_copy(self, sighting: Sighting, seen: bytes) -> bool:
        return not seen or any(True for _ in self._copied(sighting, seen))  # an index of the first release did not note when

    def _may_be_first(self, sighting: Sighting, seen: bytes) -> bool:
        earliest = min(self._copied(sighting, seen), default=None)
        return earliest is not None and sighting.received_at <= earliest

    def _copied(self, sighting: Sighting, seen: bytes) -> Iterator[int]:
        """When each came that a sighting is a copy of."""
        for received_at, month in _SEEN.iter_unpack(seen):
            if month == sighting.month or abs(sighting.received_at - received_at) <= self.limit:
                yield received_at

    def _seen(self, digest: bytes) -> tuple[tuple[int, int], ...]:
        found = (self._transaction.get(digest, db=database) for database in self._databases.values())
        return tuple((when, month) for value in found if value for when, month in _SEEN.iter_unpack(bytes(value)))


def counts(path: Path, project: str) -> dict[str, int]:
    """``Index.counts`` for a process that only looks; empty where there is no index yet."""
    with _reading(path, b"totals") as opened:
        return _outcomes(*opened, project) if opened else {}


def received_since(path: Path, project: str, since: datetime) -> int:
    """Events received since the full hour of ``since``, whatever became of them."""
    with _reading(path, b"hours") as opened:
        if not opened:
            return 0
        transaction, hours = opened
        first = _key(project, struct.pack(">I", max(0, int(since.timestamp()) // 3600)))
        return sum(number for _, number in _scan(transaction, hours, _key(project, b""), first))


def example_of(event_id: str) -> str:
    """What ``Violation.example`` holds, as DuckDB's ``md5`` has it of a text."""
    return md5(event_id.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def violations(path: Path, project: str) -> list[dict[str, str | int]]:
    """Per event, rule and source: ``events``, how many, and the newest of them, as ``Violation`` has it."""
    with _reading(path, b"violations") as opened:
        if not opened:
            return []
        prefix = _key(project, b"")
        return [json.loads(value) for _, value in _pairs(*opened, prefix, prefix)]


def watermark(path: Path, identity: str) -> int:
    """``Index.watermark`` for a process that only looks."""
    with _reading(path, b"logs") as opened:
        return _count(opened[0].get(identity.encode(), db=opened[1])) if opened else 0


def results(path: Path, identity: str) -> list[bytes]:
    """What became of each chunk of an import that the lake has, in their order; readable while another process writes."""
    with _reading(path, b"imports") as opened:
        prefix = _key(identity, b"")
        return [value for _, value in _pairs(*opened, prefix, prefix)] if opened else []


@contextmanager
def _reading(path: Path, name: bytes) -> Iterator[tuple[lmdb.Transaction, lmdb._Database] | None]:
    if not (path / "data.mdb").exists():
        yield None
        return
    with _READING, lmdb.open(str(path), readonly=True, max_dbs=_DATABASES) as env:
        try:
            database = env.open_db(name, create=False)
        except lmdb.NotFoundError:
            yield None
            return
        with env.begin() as transaction:
            yield transaction, database


def _outcomes(transaction: lmdb.Transaction, totals: lmdb._Database, project: str) -> dict[str, int]:
    prefix = _key(project, b"")
    return {key[len(prefix) :].decode(): number for key, number in _scan(transaction, totals, prefix, prefix)}


def _scan(
    transaction: lmdb.Transaction, database: lmdb._Database, prefix: bytes, first: bytes
) -> Iterator[tuple[bytes, int]]:
    return ((key, _count(value)) for key, value in _pairs(transaction, database, prefix, first))


def _pairs(
    transaction: lmdb.Transaction, database: lmdb._Database, prefix: bytes, first: bytes
) -> Iterator[tuple[bytes, bytes]]:
    cursor = transaction.cursor(database)
    if not cursor.set_range(first):
        return
    for key, value in cursor:
        if not bytes(key).startswith(prefix):
            return
        yield bytes(key), bytes(value)


def _note(transaction: lmdb.Transaction, database: lmdb._Database, violation: Violation) -> None:
    told = asdict(violation)
    named = json.dumps([violation.event, violation.rule, violation.source]).encode()
    key = _key(told.pop("project"), blake2b(named, digest_size=16).digest())  # a key of LMDB has 511 bytes at most
    before = transaction.get(key, db=database)
    events = 1 + (json.loads(bytes(before))["events"] if before else 0)
    transaction.put(key, json.dumps({**told, "events": events}).encode(), db=database)


def _add(transaction: lmdb.Transaction, database: lmdb._Database, key: bytes, number: int) -> None:
    transaction.put(key, _COUNT.pack(_count(transaction.get(key, db=database)) + number), db=database)


def _count(value: bytes | memoryview | None) -> int:
    return int(_COUNT.unpack(value)[0]) if value else 0


def _key(name: str, rest: bytes) -> bytes:
    return name.encode() + b"\0" + rest


def _seen(period: int) -> bytes:
    return _SEEN_PREFIX + b"%06d" % period


def _first_of(month: int) -> int:
    """The first microsecond of a month counted from January 1970."""
    first = datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return int(first.timestamp()) * 1_000_000
