"""Temporary folders of engines and tidy, where a search for a person's data finds them and the next process removes them.

A folder below ``root`` is owned by whoever holds its lock; the kernel lets go of it with the process, however that ends. So
a folder that can be locked is nobody's: each process that makes one removes those first, and so does who forgets a person.
Without a ``root`` the system's temporary folder is taken, for tests and by-hand use.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from types import TracebackType
from typing import Self


class Scratch:
    """A folder of one's own until ``cleanup``, or the end of the ``with`` block."""

    def __init__(self, root: Path | None) -> None:
        self._temporary = TemporaryDirectory(prefix="jcurve-") if root is None else None
        self._lock = -1
        if root is None:
            assert self._temporary is not None
            self.name = self._temporary.name
            return
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        clear(root)
        while True:  # somebody may clear it between its making and its lock
            self.name = mkdtemp(dir=root)
            try:
                self._lock = os.open(self.name, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if Path(self.name).exists():
                return
            os.close(self._lock)

    @property
    def path(self) -> Path:
        return Path(self.name)

    def cleanup(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()
        elif self._lock >= 0:
            shutil.rmtree(self.name, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.cleanup()


def clear(root: Path) -> int:
    """Removes the folders that killed processes left below ``root``; returns how many."""
    gone = 0
    for folder in root.iterdir() if root.is_dir() else ():
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
        finally:
            os.close(lock)
    return gone
