"""The segment being written: create, append and sync, cut, seal.

A segment is ``NNN.open`` while it is written and ``NNN.segment`` once it is sealed; the rename is the seal. Its length in
``synced`` is what the disk is known to hold. After a write that failed the file is cut back to that. After a *sync* that
failed the kernel may have dropped the pages and will report success the next time (fsync(2), "fsyncgate"), so the file is
cut and sealed, and never written again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ingest.record import HEADER_BYTES, encode_header

OPEN: Final = ".open"
SEALED: Final = ".segment"
_BUFFERS: Final = 1024  # IOV_MAX of Linux


class SegmentFile:
    def __init__(self, path: Path, number: int, descriptor: int) -> None:
        self.path = path
        self.number = number
        self.synced = HEADER_BYTES
        self.first_received: int | None = None  # of its first synced record
        self.doubtful = False  # a sync failed: seal it, do not write to it
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path, identity: str, number: int) -> SegmentFile:
        """A new, empty, synced segment; leaves nothing behind where that fails."""
        path = folder / f"{number:012d}{OPEN}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write(descriptor, [encode_header(identity, number)], 0)
            os.fsync(descriptor)
            sync_folder(folder)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return cls(path, number, descriptor)

    @property
    def empty(self) -> bool:
        return self.synced == HEADER_BYTES

    def append(self, buffers: list[bytes], first_received: int) -> None:
        """Write and sync; on OSError nothing in ``buffers`` counts as stored, and ``cut`` or ``seal`` must follow."""
        length = _write(self._descriptor, buffers, self.synced)
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            self.doubtful = True
            raise
        self.synced += length
        if self.first_received is None:
            self.first_received = first_received

    def cut(self) -> None:
        os.ftruncate(self._descriptor, self.synced)

    def seal(self) -> None:
        """Cut, sync, rename and close; an empty one is removed. The descriptor is closed even where this raises."""
        try:
            if self.empty:
                self.path.unlink()
            else:
                self.cut()
                if not self.doubtful:
                    os.fsync(self._descriptor)
                self.path.rename(self.path.with_suffix(SEALED))
            sync_folder(self.path.parent)
        finally:
            os.close(self._descriptor)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, buffers: list[bytes], at: int) -> int:
    """Write all of ``buffers`` at ``at``, over short writes too; returns their length."""
    start = at
    for first in range(0, len(buffers), _BUFFERS):
        left = buffers[first : first + _BUFFERS]
        missing = sum(map(len, left))
        while missing:
            written = os.pwritev(descriptor, left, at)
            at += written
            missing -= written
            if missing:  # a short write, as before a full disk
                left = [b"".join(left)[written:]]
    return at - start
