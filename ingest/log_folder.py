"""The folder of one log: who owns it, what it is called, which segments it holds, and its pulse.

    <log root>/<name>/lock              flock of the process that writes here
                      identity          JSON: format, identity (never changes), next (segment numbers below it are taken)
                      beat              8 bytes, i64: records stamped before this moment are in segments; or CLOSED
                      NNNNNNNNNNNN.open      the segment being written
                      NNNNNNNNNNNN.segment   sealed, waiting for the flush, which deletes it
                      NNNNNNNNNNNN.damaged   was in the lake but for damaged places; kept for whoever looks after it

Numbers are reserved in blocks before they are used, so that they never restart, even when every segment has been retired.
A beat is written in place, so that it needs no room on a full disk.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import struct
from pathlib import Path
from typing import Final

from ingest.errors import CorruptSegment
from ingest.record import FORMAT, HEADER_BYTES, whole_length
from ingest.segment_file import OPEN, SEALED, sync_folder

CLOSED: Final = -1
_BEAT: Final = struct.Struct("<q")
_BLOCK: Final = 1024


class LogFolder:
    """A log folder owned by this process; made by ``claim`` or ``adopt``, given back by ``release``."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self.identity, self._next = _read_or_make_identity(path)
        self._reserved = self._next
        self._beat = os.open(path / "beat", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @classmethod
    def claim(cls, root: Path) -> LogFolder:
        """The first folder below ``root`` that nobody holds, else a new one."""
        root.mkdir(parents=True, exist_ok=True)
        for path in folders(root):
            if folder := cls.adopt(path):
                return folder
        number = 1
        while True:
            path = root / f"{number:04d}"
            try:
                path.mkdir()
            except FileExistsError:
                number += 1
                continue
            sync_folder(root)
            if folder := cls.adopt(path):
                return folder

    @classmethod
    def adopt(cls, path: Path) -> LogFolder | None:
        """This folder, or None while another process holds it."""
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(path, lock)
        except BlockingIOError:
            os.close(lock)
            return None
        except BaseException:
            os.close(lock)
            raise

    def release(self) -> None:
        """Let another process have it; doing so twice is harmless."""
        if self._lock >= 0:
            os.close(self._beat)
            os.close(self._lock)
            self._lock = -1

    def take_number(self) -> int:
        """The number of the next segment."""
        if self._next >= self._reserved:
            _write_identity(self.path, self.identity, self._next + _BLOCK)
            self._reserved = self._next + _BLOCK
        self._next += 1
        return self._next - 1

    def beat(self, moment: int) -> None:
        os.pwrite(self._beat, _BEAT.pack(moment), 0)

    def seal_leftovers(self) -> None:
        """Cut the torn tail of every segment that a crash left open, and seal it; one without a whole record goes."""
        for path in open_segments(self.path):
            length = whole_length(path)
            if length <= HEADER_BYTES:
                path.unlink()
                continue
            with path.open("r+b") as file:
                file.truncate(length)
                os.fsync(file.fileno())
            path.rename(path.with_suffix(SEALED))
        sync_folder(self.path)


def folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.exists() else []


def open_segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{OPEN}"))


def sealed_segments(folder: Path) -> list[Path]:
    """In the order of their numbers."""
    return sorted(folder.glob(f"*{SEALED}"))


def number_of(segment: Path) -> int:
    return int(segment.stem)


def seal_abandoned(path: Path) -> None:
    """Seal what a process that died left open in a folder, unless a new one has claimed it or it may be about to."""
    if not open_segments(path):
        return
    if folder := LogFolder.adopt(path):
        try:
            folder.seal_leftovers()
            folder.beat(CLOSED)
        finally:
            folder.release()


def read_beat(folder: Path) -> int | None:
    """The last beat in microseconds, CLOSED, or None of a log that never beat."""
    try:
        data = (folder / "beat").read_bytes()
    except FileNotFoundError:
        return None
    return _BEAT.unpack(data)[0] if len(data) == _BEAT.size else None


def read_identity(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / "identity").read_bytes())["identity"])
    except FileNotFoundError:
        return None


def _read_or_make_identity(folder: Path) -> tuple[str, int]:
    path = folder / "identity"
    if not path.exists():
        identity = secrets.token_hex(8)
        _write_identity(folder, identity, 1)
        return identity, 1
    found = json.loads(path.read_bytes())
    if found["format"] != FORMAT:
        raise CorruptSegment(path, 0, f"this release reads logs of format {FORMAT}, this one has {found['format']}")
    return str(found["identity"]), int(found["next"])


def _write_identity(folder: Path, identity: str, following: int) -> None:
    fresh = folder / "identity.new"
    with fresh.open("w") as file:
        json.dump({"format": FORMAT, "identity": identity, "next": following}, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / "identity")
    sync_folder(folder)
