"""Replay: rejected events decoded again, as after a fix of a decoder or with another limit, and what is sound now stored.

Whoever asks hands whole rows of ``rejected`` to the flush, as chunks in the spool of imports; the flush decodes them, each
under its own path, and for each row of which at least one event is sound stores these events, keeps what else was in it as
rows of ``rejected`` of their own, and removes the row. A row that is as faulty as before stays as it is, with its reason.

Exactly once: a row's place (log, log_offset) is entered into the index as an id, in the transaction that ends the chunk.
So a row that was handed over twice is taken once. A flush that is killed between any two steps does the same chunk again:
the lake refuses the batch it has, and of a row that is gone nothing is removed.

An event keeps its own id; one that it does not bring is minted of its row's place, so that it is the same each time. Its
time is corrected as of the moment when the row came; ``received_at`` is that of the replay, since readers count on it that
nothing comes into the lake that is older than their mark. Counts move with it: ``rejected:<reason>`` of the row's hour goes
down by one, and what became of its events counts in the hour of the replay, so that every event has still one outcome.

What a request says beside its events is kept with each (``ingest.asked``), so that an event becomes what it would have been;
rows of earlier releases have nothing of it: their time is the event's own, and what they ran on is what their context tells.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from ingest.asked import asked, path_of
from ingest.batch import Batch, Decoder, decoded
from ingest.columns import RejectedEvent
from ingest.copies import month_number
from ingest.event import REJECTED
from ingest.ids import HOUR, Claim, Sighting, Tally
from ingest.lake import Lake
from ingest.load import place, spool
from ingest.outcome import Outcome
from ingest.protocols import FAMILIES
from ingest.protocols.call import received
from ingest.protocols.family import Decoded
from ingest.record import Record

TABLE: Final = "replay"  # of a chunk: not the name of a table of the lake
_EVENT_IN_A_BATCH: Final = (  # where it is not known what stood around it
    (b"", b""),
    (b'{"batch":[', b"]}"),
    (b'{"events":[', b"]}"),
    (b"[", b"]"),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of ``rejected``; ``received_at`` in microseconds."""

    received_at: int
    source: str
    path: str
    reason: str
    raw: bytes
    log: str
    log_offset: int
    month: str

    @property
    def key(self) -> str:
        return f"replay of {self.log} {self.log_offset}"


@dataclass(frozen=True)
class Chunk:
    """Rows that somebody asked to replay; ``received_at``: when."""

    project: str
    identity: str
    received_at: int
    rows: Sequence[Kept]


@dataclass
class Again:
    """What rows turned out to be: events and rejects in ``batch``, and the rows in whose place they are."""

    batch: Batch
    rows: list[Kept] = field(default_factory=list)

    def remove(self, lake: Lake) -> int:
        """Take the rows out of ``rejected``; doing it again removes nothing. Returns how many went."""
        if not self.rows:
            return 0
        offsets: dict[str, list[str]] = {}
        for row in self.rows:
            offsets.setdefault(row.log, []).append(str(row.log_offset))
        either = " or ".join(f"(log = {_quoted(log)} and log_offset in ({', '.join(at)}))" for log, at in offsets.items())
        months = ", ".join(_quoted(month) for month in sorted({row.month for row in self.rows}))
        return lake.delete(self.batch.project, "rejected", f"month in ({months}) and ({either})")


def kept(rows: pa.Table) -> list[Kept]:
    """Rows of ``rejected`` with at least the columns of ``Kept``."""
    micros = rows["received_at"].cast(REJECTED.field("received_at").type).cast(pa.int64()).to_pylist()
    names = ("source", "path", "reason", "raw", "log", "log_offset", "month")
    columns = [rows[name].to_pylist() for name in names]
    return [Kept(*row) for row in zip(micros, *columns, strict=True)]


def hand_over(imports: Path, project: str, rows: pa.Table, clock: Callable[[], int]) -> Path:
    """Ask the flush to replay ``rows`` of ``rejected``; returns the folder, which goes when that is done."""
    identity = f"replay-{uuid.uuid4().hex}"
    folder = imports / identity
    folder.mkdir(parents=True)
    columns = ["received_at", "source", "path", "reason", "raw", "log", "log_offset", "month"]
    told = rows.select(columns).cast(pa.schema([REJECTED.field(name) for name in columns]))
    spool.write(spool.Sender(folder, project, "", identity), 1, TABLE, told, {}, clock)
    return folder


def is_asked(chunk: Path) -> bool:
    """Whether a chunk of the spool holds rows to replay, and not rows of an import."""
    return chunk.parent.name.startswith("replay-")


def read(chunk: Path) -> Chunk:
    with pa.OSFile(str(chunk)) as file, pa.ipc.open_file(file) as reader:
        found = reader.read_all()
    told = {key.decode(): value.decode() for key, value in found.schema.metadata.items()}
    return Chunk(told["project"], told["identity"], place(chunk)[1], kept(found))


def again(chunk: Chunk, claim: Claim, decode: Decoder) -> Again:
    """Decode the rows that were not replayed before, and enter them into ``claim``; what is still faulty is not entered."""
    found = [(row, events) for row, events in rehearsed(chunk.project, chunk.rows, decode) if events[0]]
    seen = [Sighting(row.key, chunk.received_at, month_number(row.month)) for row, _ in found]
    copies = claim.copies(chunk.project, seen)
    made = Again(Batch(chunk.project, chunk.received_at))
    for at, (row, events) in enumerate(found):
        if at not in copies:
            made.rows.append(row)
            _add(made.batch, row, events, chunk.received_at)
    return made


def decoded_again(project: str, row: Kept, decode: Decoder) -> Decoded:
    """What a row holds now. Its bytes are a whole body, or one event of a batch: then in the family's own envelope.

    Rows of an import and of a family that is no more have no decoder: nothing comes of them.
    """
    if row.log.startswith("import:") or row.path.split("/", 2)[1:2] not in [[name] for name in FAMILIES]:
        return [], []
    outcome: Decoded = ([], [])
    for record in _records(project, row):
        outcome = decoded(decode, record, lambda at: f"{row.log}-{row.log_offset:x}-r{at}")
        if outcome[0]:
            return outcome
    return outcome


def _records(project: str, row: Kept) -> Iterator[Record]:
    """What may have been asked, the likeliest first."""
    said = asked(row.path)
    for before, behind in _EVENT_IN_A_BATCH if said.around is None else (said.around,):
        body = before + row.raw + behind
        yield Record(row.received_at, project, row.source, said.path, said.ip, said.user_agent, body)


def _add(batch: Batch, row: Kept, events: Decoded, received_at: int) -> None:
    calls, rejects = events
    hour, first = received_at // HOUR, len(batch.calls) + len(batch.rejected)
    for call in calls:
        call.received_at = received_at
    batch.calls += calls
    batch.offsets += range(first, first + len(calls))
    batch.tallies[Tally(batch.project, row.received_at // HOUR, row.source, f"rejected:{row.reason}")] -= 1
    batch.tallies[Tally(batch.project, hour, row.source, Outcome.ACCEPTED.label)] += received(calls)
    whole = next(_records(batch.project, row))
    for at, reject in enumerate(rejects, first + len(calls)):
        if reject.reason.is_rejection:
            path = row.path if reject.raw == row.raw else path_of(whole, whole=False)
            batch.rejected.append(RejectedEvent(reject, received_at, row.source, path, at))
        batch.tallies[Tally(batch.project, hour, row.source, reject.reason.label)] += 1


def rehearsed(project: str, rows: Iterable[Kept], decode: Decoder) -> Iterator[tuple[Kept, Decoded]]:
    """Each row with what comes of it now."""
    return ((row, decoded_again(project, row, decode)) for row in rows)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
