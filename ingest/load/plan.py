"""The plan of an import: what is imported, under which identity, since when; written before anything else is done.

The same files, project, source and options give the same folder, so that the same command finds what a killed one left.
A file that was changed since is another import.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

from ingest.load import CannotImport
from ingest.segment_file import sync_folder

Type = Literal["number", "boolean", "text"]
MAX_EVENT: Final = 1 << 20  # bytes; exports hold larger events than SDKs may send


@dataclass(frozen=True)
class Request:
    """What is asked for. ``format`` None: each file's own; ``zone`` is that of a Mixpanel project's times."""

    files: Sequence[Path]
    project: str
    source: str = "import"
    format: str | None = None
    types: Mapping[str, Type] = field(default_factory=dict)
    zone: str = "UTC"
    memory: str = "1GiB"


@dataclass(frozen=True)
class Plan:
    """A request that has begun. ``started`` is in microseconds; ``resumed``: a killed import began it."""

    request: Request
    folder: Path
    identity: str
    started: int
    resumed: bool

    @property
    def staged(self) -> Path:
        return self.folder / "staged"

    @property
    def spill(self) -> Path:
        return self.folder / "spill"


@contextmanager
def opened(root: Path, request: Request, now: int) -> Iterator[Plan]:
    """The plan of ``request`` below ``root``, new or as a killed import left it; owned until the block ends."""
    folder = root / _digest(request)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield _read_or_make(folder, request, now)
    except BlockingIOError:
        raise CannotImport("these files are being imported by another process; wait for it to end") from None
    finally:
        os.close(lock)


def finish(plan: Plan) -> None:
    """All is in the lake: the folder goes, its plan last, so that a kill in between finds it again."""
    for part in (plan.staged, plan.spill):
        shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(plan.folder)


def clear(root: Path) -> list[Path]:
    """Removes the rows that killed imports keep: what they staged and spilled, and chunks that were never handed over.

    Their plans stay, so that the same command stages its files again and goes on. Returns the folders of imports that run.
    """
    running = []
    for folder in root.iterdir() if root.is_dir() else ():
        try:
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for part in ("staged", "spill"):
                shutil.rmtree(folder / part, ignore_errors=True)
            for aside in folder.glob("*.open"):
                aside.unlink()
        except BlockingIOError:
            running.append(folder)
        finally:
            os.close(lock)
    return running


def _read_or_make(folder: Path, request: Request, now: int) -> Plan:
    path = folder / "plan.json"
    resumed = path.exists()
    if not resumed:
        fresh = path.with_suffix(".new")
        with fresh.open("w") as file:
            json.dump({"identity": secrets.token_hex(8), "started": now}, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        sync_folder(folder)
    known = json.loads(path.read_bytes())
    plan = Plan(request, folder, str(known["identity"]), int(known["started"]), resumed)
    plan.staged.mkdir(exist_ok=True)
    return plan


def _digest(request: Request) -> str:
    files = []
    for path in request.files:
        seen = path.stat()
        files.append([str(path.absolute()), seen.st_size, seen.st_mtime_ns])
    told = [files, request.project, request.source, request.format, dict(request.types), request.zone]
    return blake2b(json.dumps(told).encode(), digest_size=12).hexdigest()
