"""What can go wrong in ``ingest`` that is not the sender's fault (bad input is a value: ``protocols.call.Reject``).

IngestError
├── Unavailable            nothing was stored, the same call may be made again: 503 with Retry-After
│   ├── Busy               more is being received than memory allows
│   ├── LogFull            no space, or more waiting than memory allows
│   └── LogUnavailable     the log cannot write: closing, or the disk answers with an error
└── CorruptSegment         a closed part of the log is damaged in its middle: keep the file and report it
"""

from __future__ import annotations

from pathlib import Path


class IngestError(Exception):
    """Root of the tree."""


class Unavailable(IngestError):
    """Not stored; ``retry_after`` is in seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(Unavailable):
    """Bodies on their way hold all the memory that they may."""


class LogFull(Unavailable):
    """Neither disk nor queue has room for one more record."""


class LogUnavailable(Unavailable):
    """The log does not take records now."""


class CorruptSegment(IngestError):
    """``position`` is the byte at which the first damaged record begins."""

    def __init__(self, path: Path, position: int, message: str) -> None:
        super().__init__(f"{path}, byte {position}: {message}. Keep the file; records before that position are intact.")
        self.path = path
        self.position = position
