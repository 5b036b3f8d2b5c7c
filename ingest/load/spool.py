"""The spool: how an import hands its rows to the flush, which alone may write events and their ids.

A chunk is one Arrow IPC file of rows of one table, whole but for what only the moment of handing over decides: when it was
received, and its place. It is written aside, synced, and renamed to ``<number>-<received_at>.chunk``; from then on it is a
log's sealed segment by another name. Numbers begin at 1 and have no gaps; the index' watermark of the import says how far
the lake has come.

Chunks are read in the order of their numbers, and deleted by the flush when their rows and ids are stored.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ingest.copies import Displaced, Settled, compare, month_number
from ingest.event import EVENTS, REJECTED
from ingest.ids import HOUR, Claim, InHand, Sighting, Tally
from ingest.lake import Lake
from ingest.load import CHUNK, place
from ingest.outcome import Outcome
from ingest.segment_file import sync_folder
from ingest.tombstones import Tombstones

COPY_KEY: Final = "copy_key"  # of a rejected row: what its copies have in common
_PLACE_BITS: Final = 24  # of log_offset; the rest is the chunk's number
_SCHEMAS: Final = {"events": EVENTS, "rejected": REJECTED}


@dataclass(frozen=True)
class Chunk:
    """Rows of one table, as the lake gets them, and how the import names itself."""

    project: str
    table: str
    received_at: int
    rows: pa.Table
    keys: list[str]  # one per row; equal keys are copies
    source: str
    identity: str  # of the import
    stored: dict[str, int]  # by month: copies of what the lake had, which were left out of ``rows``
    forgotten: dict[str, int] = field(default_factory=dict)  # by month, or by reason: what tombstones kept out of ``rows``

    @property
    def by(self) -> str:
        return "month" if self.table == "events" else "reason"

    def keep_out(self, tombstones: Tombstones) -> Chunk:
        """The same without what came under a forgotten id; a forgotten device that others' events name is taken out."""
        events = self.table == "events"
        kept, rows = (
            _admitted(self.project, self.rows, tombstones) if events else (self._admitted_raw(tombstones), self.rows)
        )
        forgotten = dict(_counted(rows[self.by].filter(pc.invert(kept))))
        keys = [key for key, stays in zip(self.keys, kept.to_pylist(), strict=True) if stays]
        return replace(self, rows=rows.filter(kept), keys=keys, forgotten=forgotten)

    def _admitted_raw(self, tombstones: Tombstones) -> pa.Array:
        return pa.array([tombstones.admits_raw(self.project, raw) for raw in self.rows["raw"].to_pylist()], pa.bool_())

    def without_copies(self, claim: Claim, lake: Lake) -> tuple[pa.Table, list[Displaced]]:
        """The rows that are no copies, and those of the lake in whose place some of them are (these count as duplicates).

        They are entered into ``claim`` together with what became of each row.
        """
        settled = self._compare(claim, lake)
        kept, copies = self._but(settled.copies), settled.copies | settled.won
        rows = self._but(copies)
        hour = self.received_at // HOUR
        for label, number in _labels(self.table, rows).items():
            claim.tallies[Tally(self.project, hour, self.source, label)] += number
        if duplicates := len(copies) + sum(self.stored.values()):
            claim.tallies[Tally(self.project, hour, self.source, Outcome.DUPLICATE.label)] += duplicates
        if forgotten := sum(self.forgotten.values()):
            claim.tallies[Tally(self.project, hour, self.source, Outcome.FORGOTTEN.label)] += forgotten
        every, new = _counted(self.rows[self.by]) + Counter(self.stored), _counted(rows[self.by])
        result = {name: [new[name], number - new[name]] for name, number in every.items()}
        claim.result = json.dumps({"table": self.table, "counts": result, "forgotten": forgotten}).encode()
        return kept, settled.displaced

    def _compare(self, claim: Claim, lake: Lake) -> Settled:
        """Of rejected rows, which have no id but their content, the first one stays."""
        if self.table == "rejected":
            return Settled(claim.copies(self.project, self._sightings()))
        log, offsets = f"import:{self.identity}", self.rows["log_offset"].to_pylist()
        return compare(claim, lake, self.project, self._sightings(), log, offsets)

    def _but(self, positions: set[int]) -> pa.Table:
        if not positions:
            return self.rows
        return self.rows.filter(pa.array([at not in positions for at in range(len(self.keys))]))

    def _sightings(self) -> list[Sighting]:
        months = self.rows["month"].to_pylist()
        numbers = {month: month_number(month) for month in set(months)}
        named = zip(self.keys, months, strict=True)
        return [Sighting(key, self.received_at, numbers[month]) for key, month in named]


@dataclass(frozen=True)
class Sender:
    """Whose chunks they are."""

    folder: Path
    project: str
    source: str
    identity: str


def write(sender: Sender, number: int, table: str, rows: pa.Table, stored: dict[str, int], clock: Callable[[], int]) -> None:
    """Hand over ``rows``: the columns of ``table`` in any order, without when, whence and where; rejected with COPY_KEY."""
    folder = sender.folder
    aside = folder / f"{number:012d}.open"
    told = {"project": sender.project, "source": sender.source, "identity": sender.identity, "table": table}
    metadata = {**told, "stored": json.dumps(stored)}
    with aside.open("wb") as file:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_file(file, rows.schema.with_metadata(metadata), options=options) as writer:
            writer.write_table(rows, max_chunksize=1 << 16)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(folder / f"{number:012d}-{clock():016d}{CHUNK}")
    sync_folder(folder)


def read(path: Path) -> Chunk:
    number, received_at = place(path)
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
        found = reader.read_all()
    told = {key.decode(): value.decode() for key, value in found.schema.metadata.items()}
    table, source, size = told["table"], told["source"], len(found)
    given = {
        "received_at": pa.repeat(pa.scalar(received_at, EVENTS.field("received_at").type), size),
        "source": pa.repeat(pa.scalar(source, pa.string()), size),
        "log": pa.repeat(pa.scalar(f"import:{told['identity']}", pa.string()), size),
        "log_offset": pa.array(range(number << _PLACE_BITS, (number << _PLACE_BITS) + size), pa.int64()),
    }
    if table == "rejected":
        given["month"] = pc.strftime(given["received_at"], "%Y-%m").cast(pa.string())
    schema = _SCHEMAS[table]
    columns = [given[name] if name in given else found[name] for name in schema.names]
    rows = pa.Table.from_arrays(columns, names=schema.names).cast(schema)
    keys = found[COPY_KEY if table == "rejected" else "event_id"].to_pylist()
    return Chunk(told["project"], table, received_at, rows, keys, source, told["identity"], json.loads(told["stored"]))


def waiting(spool: Path, watermark: Callable[[str], int]) -> Iterator[InHand]:
    """The chunks that wait now, of each import in order; those that the lake has already are deleted."""
    found = [(path, _identity(path)) for path in sorted(spool.glob(f"*/*{CHUNK}"))]
    for path, identity in found:
        number, _ = place(path)
        if number <= watermark(identity):
            path.unlink(missing_ok=True)
        else:
            yield InHand(path.parent.name, identity, number, number, "import")


def find(spool: Path, work: InHand) -> Path | None:
    return next((spool / work.folder).glob(f"{work.last:012d}-*{CHUNK}"), None)


def _admitted(project: str, rows: pa.Table, tombstones: Tombstones) -> tuple[pa.Array, pa.Table]:
    """``Tombstones.admits`` for whole columns: which rows may be stored, and the rows without forgotten devices."""

    def buried(kind: str, column: str) -> pa.Array:
        values = rows[column].combine_chunks()
        known = [one for one in pc.unique(values).to_pylist() if tombstones.has(project, kind, one)]
        return pc.is_in(values, value_set=pa.array(known, values.type))

    device, signed_in = buried("anonymous", "anonymous_id"), pc.is_valid(rows["user_id"].combine_chunks())
    named = pc.or_(buried("user", "user_id"), pc.or_(buried("user", "previous_id"), buried("anonymous", "previous_id")))
    if pc.any(device).as_py():
        at = rows.schema.get_field_index("anonymous_id")
        clean = pc.if_else(device, pa.scalar(None, rows["anonymous_id"].type), rows["anonymous_id"].combine_chunks())
        rows = rows.set_column(at, rows.schema.field(at), clean)
    return pc.invert(pc.if_else(signed_in, named, device)), rows


def _identity(path: Path) -> str:
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
        return str(reader.schema.metadata[b"identity"].decode())


def _labels(table: str, rows: pa.Table) -> dict[str, int]:
    if table == "events":
        return {Outcome.ACCEPTED.label: len(rows)} if len(rows) else {}
    return {Outcome(reason).label: number for reason, number in _counted(rows["reason"]).items()}


def _counted(column: pa.ChunkedArray) -> Counter[str]:
    return Counter({row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()})
