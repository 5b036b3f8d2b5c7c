"""Keys as a collector knows them: a published file of hashes, so that it keeps working while the store is away.

``keys.json``: ``{"keys": [{"hash": "<sha256 of the key, hex>", "project": "default", "source": "web", "kind": "write"}]}``.
A key may have an end (``until``, seconds since the epoch), and its source may be off (``on``) and have a ``policy``.
It is replaced atomically by whoever manages keys; a file that is missing or broken leaves the keys read last in force.

Decision: *An unknown key is refused on a definite no alone* (PostHog's rule). Context: SDKs drop what is answered 401, so a
wrong no loses events for good. Choice: a key that is not in the file is in doubt while the file cannot be read and, where
hosts share a store, until the store was asked after the key was first seen; one in doubt is answered 503, and its SDK sends
again. To take such events in and decide later would let strangers fill the disk. Price: a wrong key is refused some seconds
late, and an SDK that never tries again loses what it sends in the seconds between a key's making on one host and its
arrival on another; known keys are never in doubt.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from ingest.policy import PLAIN, Policy

_RECHECK_SECONDS = 1.0
_REMEMBERED = 10_000
_DOUBTED = 10_000


class Key(msgspec.Struct, frozen=True):
    """What a key opens. Write keys only write (they are public in browsers), read keys only read."""

    project: str
    source: str
    kind: Literal["write", "read", "admin"]
    until: float | None = None  # seconds since the epoch; None: for ever
    on: bool = True  # whether its source takes events
    policy: Policy = PLAIN


class _Entry(msgspec.Struct):
    hash: str
    project: str
    source: str
    kind: Literal["write", "read", "admin"]
    until: float | None = None
    on: bool = True
    policy: Policy = PLAIN

    @property
    def key(self) -> Key:
        return Key(self.project, self.source, self.kind, self.until, self.on, self.policy)


class _File(msgspec.Struct):
    keys: list[_Entry]


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class KeyFile:
    """``KeyFile(path)("jw_...")`` is that key, or None.

    The file's time is looked at once a second, and at once for a key that is not known: it may have been made just now.
    ``shared``: other hosts make keys, too, and the file is touched whenever the store was asked (``api.publishing``).
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        *,
        wall_clock: Callable[[], float] = time.time,
        shared: bool = False,
    ) -> None:
        self._path = path
        self._clock = clock
        self._wall_clock = wall_clock
        self._shared = shared
        self._stamp: tuple[int, int] | None = None
        self._by_hash: dict[str, Key] = {}
        self._by_key: dict[str, Key] = {}  # spares a hash per request; emptied when the file changes
        self._first_seen: dict[str, float] = {}  # digests of keys that are not known, by the wall clock
        self._fault: str | None = "not read yet"
        self._checked = clock()
        self._refresh()

    def __call__(self, key: str) -> Key | None:
        now = self._clock()
        if now - self._checked >= _RECHECK_SECONDS:
            self._checked = now
            self._refresh()
        found = self._by_key.get(key) or self._look_up(key)
        return None if found is None or self._has_ended(found) else found

    def healthy(self) -> str | None:
        """Why no key can be known, or None. Keys read before the file went bad count as known."""
        self("")  # so that a collector without traffic notices the file, too
        return self._fault if self._stamp is None else None

    def doubt(self, key: str) -> str | None:
        """Why it cannot be said yet that there is no such key; None: there is none."""
        digest = hash_of(key)
        if digest in self._by_hash:
            return None  # it has ended
        if self._fault is not None:
            return self._fault
        return self._not_asked_since(digest) if self._shared else None

    def _not_asked_since(self, digest: str) -> str | None:
        assert self._stamp is not None
        first = self._first_seen.setdefault(digest, self._wall_clock())
        if len(self._first_seen) > _DOUBTED:
            del self._first_seen[next(iter(self._first_seen))]
        asked = self._stamp[0] / 1e9
        return None if asked > first else "this key is not known here yet; the store is being asked"

    def _has_ended(self, key: Key) -> bool:
        return key.until is not None and self._wall_clock() >= key.until

    def _look_up(self, key: str) -> Key | None:
        digest = hash_of(key)
        if digest not in self._by_hash:
            self._refresh()
        found = self._by_hash.get(digest)
        if found is not None and len(self._by_key) < _REMEMBERED:
            self._by_key[key] = found
        return found

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp:
                self._fault = None
                return
            entries = msgspec.json.decode(self._path.read_bytes(), type=_File).keys
        except OSError as error:
            self._fault = f"{self._path} cannot be read ({error.strerror}): create a key first"
        except msgspec.MsgspecError as error:
            self._fault = f"{self._path} is broken ({error}): publish the keys again"
        else:
            self._stamp, self._fault = stamp, None
            self._by_hash = {entry.hash: entry.key for entry in entries}
            self._by_key = {}
