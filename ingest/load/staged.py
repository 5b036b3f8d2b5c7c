"""What a file holds, staged: its events and refused rows as Parquet, then its counts, whose presence says that it is whole.

A staged event has the columns of ``EVENTS`` that do not depend on when and how it is stored, and ``file`` and ``row``, its
place in the import. Its ``event_id`` is null where the row had none: ``chunks`` names it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.event import EVENTS

LATER: Final = ("received_at", "actor_id", "source", "log", "log_offset")
_PLACE: Final = [pa.field("file", pa.int32(), nullable=False), pa.field("row", pa.int64(), nullable=False)]
STAGED: Final = pa.schema(
    [field.with_nullable(True) if field.name == "event_id" else field for field in EVENTS if field.name not in LATER]
    + _PLACE
)
REFUSED: Final = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("event_id", pa.string()),
        pa.field("raw", pa.binary(), nullable=False),
        *_PLACE,
    ]
)
MERGES: Final = pa.schema(  # Amplitude's: what was sent under one of its ids belongs to another
    [
        pa.field("gone", pa.string(), nullable=False),
        pa.field("heir", pa.string(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("month", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("raw", pa.binary(), nullable=False),
        *_PLACE,
    ]
)
PERSONS: Final = pa.schema(  # PostHog's: an id (``sender``) and whose it is; versions are comparable as texts
    [
        pa.field("sender", pa.string(), nullable=False),
        pa.field("person", pa.string(), nullable=False),
        pa.field("versions", pa.string(), nullable=False),
        pa.field("properties", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("raw", pa.binary(), nullable=False),
        *_PLACE,
    ]
)


@dataclass(frozen=True)
class Counts:
    """What was read of one file: ``refused`` by reason; ``months`` of its events; ``described`` of them are no rows: what
    events set on their person, beside them."""

    file: str
    format: str
    rows: int
    refused: Mapping[str, int] = field(default_factory=dict)
    months: Mapping[str, int] = field(default_factory=dict)
    described: int = 0


@dataclass(frozen=True)
class Staged:
    """The place of file ``number`` of an import."""

    folder: Path
    number: int

    @property
    def events(self) -> Path:
        return self.folder / f"{self.number:04d}.events.parquet"

    @property
    def refused(self) -> Path:
        return self.folder / f"{self.number:04d}.refused.parquet"

    @property
    def merges(self) -> Path:
        """Only of a file that has any."""
        return self.folder / f"{self.number:04d}.merges.parquet"

    @property
    def persons(self) -> Path:
        """Only of a file that has any."""
        return self.folder / f"{self.number:04d}.persons.parquet"

    @property
    def _counts(self) -> Path:
        return self.folder / f"{self.number:04d}.json"

    def counts(self) -> Counts | None:
        """None where the file was not staged to its end."""
        return Counts(**json.loads(self._counts.read_bytes())) if self._counts.exists() else None

    def finish(self, counts: Counts) -> None:
        for path in (self.events, self.refused, self.merges, self.persons):
            if path.exists():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        fresh = self._counts.with_suffix(".new")
        with fresh.open("w") as told:
            json.dump(asdict(counts), told)
            told.flush()
            os.fsync(told.fileno())
        fresh.rename(self._counts)

    @contextmanager
    def writers(self) -> Iterator[tuple[pq.ParquetWriter, pq.ParquetWriter]]:
        with (
            pq.ParquetWriter(self.events, STAGED, compression="snappy") as events,
            pq.ParquetWriter(self.refused, REFUSED, compression="snappy") as refused,
        ):
            yield events, refused
