"""How far the lake is complete: the moment before which every acknowledged event is in it.

The minimum over the logs of their beat and their oldest record that is not yet in the lake. A log that was closed and
flushed holds nothing back. One that is neither closed nor beats any more (its process hangs, or died with no flush running)
holds the mark where it fell silent, and is named. A chunk of an import (they lie beside the logs) counts like a record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ingest import log_folder
from ingest.load import waiting_since
from ingest.record import first_received

SILENT: Final = timedelta(seconds=10)  # also: what is not in the lake after this long is worth a word


@dataclass(frozen=True)
class Completeness:
    """Events received before ``until`` are in the lake. ``held_back_by`` says why ``until`` lags by more than SILENT."""

    until: datetime
    held_back_by: str | None


def complete_until(log_root: Path, now: datetime) -> Completeness:
    """``now`` must have been read before the call: a log may open, and take events, while this looks around."""
    return min(_marks(log_root, now), key=lambda mark: mark.until, default=Completeness(now, None))


def _marks(log_root: Path, now: datetime) -> Iterator[Completeness]:
    for folder in log_folder.folders(log_root):
        beat = log_folder.read_beat(folder)  # before looking for records: those stamped before it are in segments by now
        oldest = _oldest(folder)
        if oldest is not None:
            yield _mark(oldest, now, f"log {folder.name}: its oldest event is not in the lake; is the flush running?")
        if beat is not None and beat != log_folder.CLOSED:
            yield _mark(beat, now, f"log {folder.name} is silent; is its collector running?")

    imported = waiting_since(log_root.with_name("import"))
    if imported is not None:
        yield _mark(imported, now, "an import: a chunk of it is not in the lake; is the flush running?")


def _mark(microseconds: int, now: datetime, lagging: str) -> Completeness:
    until = min(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds), now)
    return Completeness(until, lagging if now - until > SILENT else None)


def _oldest(folder: Path) -> int | None:
    """When the oldest record that is still in the log was received. Segments are in that order."""
    while True:
        try:
            for path in (*log_folder.sealed_segments(folder), *log_folder.open_segments(folder)):
                if (found := first_received(path)) is not None:
                    return found
            return None
        except FileNotFoundError:
            continue  # sealed or retired under our eyes: look again
