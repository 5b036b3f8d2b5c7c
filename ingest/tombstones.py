"""Tombstones: under which ids nothing may be stored any more, since their person was forgotten.

One file beside the log, ``forgotten.json``: ``{"salt": "<hex>", "ids": ["<hex>", ...]}``. It holds no id, only keyed hashes
of project and typed id (BLAKE2b, 16 bytes, the key is the folder's own random salt).

Decision. Context: a device that was forgotten still has its SDK, and would come back as a person a second later. Choice: the
flush keeps events of a forgotten id out and counts them (outcome ``forgotten``) for as long as the tombstone stands;
somebody else's event that only names a forgotten device keeps its place and loses that name. Price: whoever comes back on
purpose needs ``jcurve forget ID --lift``. A body that cannot be read as JSON cannot be told to be theirs, and is kept as
rejected.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import msgspec

from ingest.event import named_ids
from ingest.protocols.call import Call


class Tombstones:
    """Read anew by ``refresh`` where the file has changed; the flush does so before it decodes a group."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._salt = b""
        self._hashes: frozenset[str] = frozenset()
        self._state: tuple[int, int] | None = None
        self.refresh()

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._salt, self._hashes, self._state = b"", frozenset(), None
            return
        state = (found.st_mtime_ns, found.st_ino)
        if state != self._state:
            content = json.loads(self._path.read_bytes())
            self._salt, self._hashes, self._state = bytes.fromhex(content["salt"]), frozenset(content["ids"]), state

    def has(self, project: str, kind: str, identifier: str | None) -> bool:
        return identifier is not None and self._hash(project, f"{kind}:{identifier}") in self._hashes

    def bury(self, project: str, typed_ids: Iterable[str]) -> None:
        """Nothing that the flush decodes from now on is stored under these ids (``user:42``)."""
        self.refresh()
        self._salt = self._salt or secrets.token_bytes(32)
        self._write(self._hashes | {self._hash(project, typed) for typed in typed_ids})

    def lift(self, project: str, typed_ids: Iterable[str]) -> int:
        """Events of these ids are stored again; returns how many tombstones went."""
        self.refresh()
        gone = self._hashes & {self._hash(project, typed) for typed in typed_ids}
        if gone:
            self._write(self._hashes - gone)
        return len(gone)

    def receipt(self, project: str, typed_ids: Iterable[str]) -> str:
        """One keyed hash for a set of ids: whoever knows them all and has the salt can find their receipt."""
        return self._hash(project, "\0".join(sorted(typed_ids)))

    def admits(self, project: str, call: Call) -> bool:
        """Whether a call may be stored; a forgotten device that somebody else's call names is taken out of it."""
        if call.user_id is None:
            return not self.has(project, "anonymous", call.anonymous_id)
        if self.has(project, "user", call.user_id):
            return False
        if call.kind == "alias" and any(self.has(project, kind, call.previous_id) for kind in ("user", "anonymous")):
            return False
        if self.has(project, "anonymous", call.anonymous_id):
            call.anonymous_id = None
            if call.kind != "alias":
                call.previous_id = None
        return True

    def admits_raw(self, project: str, raw: bytes) -> bool:
        """The same of a rejected event's bytes, as far as they can be read."""
        try:
            content = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return True
        if not isinstance(content, dict):
            return True
        return not any(self.has(project, kind, named) for kind, named in named_ids(content))

    def _hash(self, project: str, text: str) -> str:
        return blake2b(f"{project}\0{text}".encode("utf-8", "surrogatepass"), key=self._salt, digest_size=16).hexdigest()

    def _write(self, hashes: frozenset[str]) -> None:
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with draft.open("w") as file:
            json.dump({"salt": self._salt.hex(), "ids": sorted(hashes)}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o600)
        draft.replace(self._path)
        self.refresh()
