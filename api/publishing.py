"""Publishing the keys' hashes: the file that collectors and the query API live on, replaced in one act."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from api.folder import DataFolder

logger = logging.getLogger(__name__)


@contextmanager
def locked(folder: DataFolder) -> Iterator[None]:
    """One process at a time changes the schema or publishes, so that an older list never replaces a newer one."""
    with (folder.run / "store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish(target: Path, content: bytes, asked: float) -> None:
    """Put the content there unless it stands there already; the file's time is that of the question to the store."""
    if not target.is_file() or target.read_bytes() != content:
        replace_file(target, content, asked)
    else:
        os.utime(target, (asked, asked))


def replace_file(target: Path, content: bytes, modified: float | None = None) -> None:
    beside = target.with_name(f"{target.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if modified is not None:
        os.utime(beside, (modified, modified))
    beside.replace(target)


def republish(publish: Callable[[], None], folder: DataFolder, stop: threading.Event, every: float = 10.0) -> None:
    """Until ``stop``, publish what other hosts changed; while the store is away, the keys published last stay in force."""
    while not stop.wait(every):
        try:
            with locked(folder):
                publish()
        except Exception as error:  # whatever the database's driver raises
            logger.warning("the store does not answer; the keys published last stay in force", extra={"error": error})
