"""One owner per role and data folder: a lock that lives as long as any process that was given its descriptor."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

PATIENCE: Final = 75.0  # seconds for the children of a killed supervisor to drain; after 60 they cut themselves off


class InUse(Exception):
    """Another process serves this data folder."""


def claim(path: Path) -> int:
    """The descriptor of the lock, held until it and its copies in children are closed; raises ``InUse``.

    A supervisor that was killed leaves children that drain and end by themselves: these are waited for, a living one is not.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            if _alive(owner) or time.monotonic() > deadline:
                os.close(descriptor)
                found = f"{path.parent.parent} is served by process {owner} already"
                raise InUse(f"{found}; stop it, or choose another --data DIR") from None
            time.sleep(0.1)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor


def _alive(owner: str) -> bool:
    if not owner.isdecimal():
        return False
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
