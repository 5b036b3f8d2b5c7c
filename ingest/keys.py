"""Keys as a collector knows them: a published file of hashes, so that it keeps working while the store is away.

``keys.json``: ``{"keys": [{"hash": "<sha256 of the key, hex>", "project": "default", "source": "web", "kind": "write"}]}``.
It is replaced atomically by whoever manages keys; a file that is missing or broken leaves the keys read last in force.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

_RECHECK_SECONDS = 1.0
_REMEMBERED = 10_000


class Key(msgspec.Struct, frozen=True):
    """What a key opens. Write keys only write (they are public in browsers), read keys only read."""

    project: str
    source: str
    kind: Literal["write", "read", "admin"]


class _Entry(msgspec.Struct):
    hash: str
    project: str
    source: str
    kind: Literal["write", "read", "admin"]


class _File(msgspec.Struct):
    keys: list[_Entry]


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class KeyFile:
    """``KeyFile(path)("jw_...")`` is that key, or None.

    The file's time is looked at once a second, and at once for a key that is not known: it may have been made just now.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._by_hash: dict[str, Key] = {}
        self._by_key: dict[str, Key] = {}  # spares a hash per request; emptied when the file changes
        self._fault: str | None = "not read yet"
        self._checked = clock()
        self._refresh()

    def __call__(self, key: str) -> Key | None:
        now = self._clock()
        if now - self._checked >= _RECHECK_SECONDS:
            self._checked = now
            self._refresh()
        return self._by_key.get(key) or self._look_up(key)

    def healthy(self) -> str | None:
        """Why no key can be known, or None. Keys read before the file went bad count as known."""
        self("")  # so that a collector without traffic notices the file, too
        return self._fault if self._stamp is None else None

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
                return
            entries = msgspec.json.decode(self._path.read_bytes(), type=_File).keys
        except OSError as error:
            self._fault = f"{self._path} cannot be read ({error.strerror}): create a key first"
        except msgspec.MsgspecError as error:
            self._fault = f"{self._path} is broken ({error}): publish the keys again"
        else:
            self._stamp, self._fault = stamp, None
            self._by_hash = {entry.hash: Key(entry.project, entry.source, entry.kind) for entry in entries}
            self._by_key = {}
