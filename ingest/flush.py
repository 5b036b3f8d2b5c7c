"""The flush: sealed segments of every log -> the lake, exactly once, then out of the log.

A group is a run of a log's sealed segments, in order, of GROUP_BYTES or one segment at most. Its steps, and what a crash
behind each leaves:
    in hand   The index notes which segments come now. The same group is done again.
    claimed   Ids are looked up and entered; the index' transaction is open, and lost. The same group is done again.
    exchange written   Only where a copy displaces a row of the lake (``exchange``): files are there that no version names.
              The same group is done again.
    stored    Events, then rejected, went to the lake as batch `last segment` of writer `log:<identity>`. The group is done
              again, decides the same about every event, and the lake refuses the batch it has.
    indexed   Ids, counts and watermark became true. The segments stand at or below the watermark: they are only deleted.
    retired   The segments are deleted.
What is in hand comes first, before any other log: its events may be in the lake while their ids are not in the index, and a
copy of one that came through another log must not get past them.

A chunk of an import (``load.spool``) goes the same way, as batch `number` of writer `import:<identity>`; between two chunks
the logs have their turn, so that an import of hours holds up nobody's events. So does a chunk of rejected events that are
replayed (``replay``), with a step more before ``indexed``: ``removed``, when the rows that they were are gone.

Bad weather (no room, no lake) undoes the claim, leaves the segments, and is tried again with growing pauses.
A segment with a damaged place gives what can be read, and is set aside as ``.damaged`` instead of deleted.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from ingest import log_folder, replay
from ingest.batch import Batch, Decoder, batches
from ingest.copies import Displaced
from ingest.disk import reserve_bytes
from ingest.exchange import exchange
from ingest.ids import Claim, Index, InHand, Violation, example_of
from ingest.lake import Lake
from ingest.load import spool as imports
from ingest.plan import CurrentPlan
from ingest.progress import complete_until
from ingest.protocols import decode
from ingest.record import Record, read_segment
from ingest.segment_file import sync_folder
from ingest.times import SECOND
from ingest.tombstones import Tombstones

Measured = Mapping[tuple[str, str, str], int]  # source, protocol, outcome -> events

GROUP_BYTES: Final = 16 << 20
_POLL: Final = 0.2  # seconds
_LONGEST_PAUSE: Final = 10.0
_DAMAGED: Final = ".damaged"

logger = logging.getLogger(__name__)


class Flush:
    """``at`` is told the name of each step when it is done; tests crash there. ``meter``: how events ended."""

    def __init__(
        self,
        log_root: Path,
        lake: Lake,
        index: Index,
        *,
        decoder: Decoder = decode,
        tombstones: Tombstones | None = None,
        plan: CurrentPlan | None = None,
        at: Callable[[str], None] = lambda step: None,
        meter: Callable[[str, Measured], None] = lambda project, measured: None,
    ) -> None:
        self._log_root = log_root
        self._lake = lake
        self._index = index
        self._decoder = decoder
        self._spool = log_root.with_name("import")
        self._tombstones = tombstones
        self._plan = plan
        self._at = at
        self._meter = meter
        self._damaged: set[Path] = set()
        self._newest = 0  # received_at of the newest event seen: what the clock said at least

    def run(self, stop: threading.Event) -> None:
        """Flush until ``stop``, and once more then. Errors are logged and tried again."""
        pause = _POLL
        while True:
            last = stop.is_set()
            try:
                self.once()
                pause = _POLL
            except Exception:  # whatever it is, the segments are still there, and no other process will do this work
                logger.exception("flush failed; nothing is lost, next try in %.1f s", pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            if last:
                return
            stop.wait(pause)

    def once(self) -> int:
        """Flush what is sealed now; returns how many events the lake got. Raises what the disk, the lake or LMDB raise."""
        stored = 0
        if work := self._index.in_hand():
            stored += self._finish(work) if work.kind == "log" else self._finish_chunk(work)
        stored += self._once_logs()
        for work in imports.waiting(self._spool, self._index.watermark):
            self._index.take(work)
            self._at("in hand")
            stored += self._finish_chunk(work)
            stored += self._once_logs()
        if stored:
            self._index.forget(self._oldest_to_come())
        return stored

    def _once_logs(self) -> int:
        stored = 0
        for folder in log_folder.folders(self._log_root):
            log_folder.seal_abandoned(folder)
            for work in self._groups(folder):
                self._index.take(work)
                self._at("in hand")
                stored += self._finish(work)
        return stored

    def _oldest_to_come(self) -> int:
        """No event received before this is still in a log or waits as a chunk; a silent or damaged log holds it back."""
        newest = datetime.fromtimestamp(self._newest // SECOND, UTC)
        return int(complete_until(self._log_root, newest).until.timestamp()) * SECOND

    def _groups(self, folder: Path) -> Iterator[InHand]:
        identity = log_folder.read_identity(folder)
        if identity is None:
            return
        watermark = self._index.watermark(identity)
        most = min(GROUP_BYTES, reserve_bytes(folder) // 2)  # what the log leaves free must do for the lake's copy of it
        numbers: list[int] = []
        size = 0
        for path in log_folder.sealed_segments(folder):
            length = path.stat().st_size
            number = log_folder.number_of(path)
            if number <= watermark:
                self._retire([path])
                continue
            if numbers and size + length > most:
                yield InHand(folder.name, identity, numbers[0], numbers[-1])
                numbers, size = [], 0
            numbers.append(number)
            size += length
        if numbers:
            yield InHand(folder.name, identity, numbers[0], numbers[-1])

    def _finish(self, work: InHand) -> int:
        """Bring a group that is in hand to its end."""
        folder = self._log_root / work.folder
        span = range(work.first, work.last + 1)
        paths = [path for path in log_folder.sealed_segments(folder) if log_folder.number_of(path) in span]
        if not paths:
            logger.error("%s: segments %d to %d are gone before they were flushed", folder, work.first, work.last)
            self._index.put_back()
            return 0
        self._look()
        found = batches(((log_folder.number_of(path), self._records(path)) for path in paths), work.identity, self._decoder)
        if self._tombstones:
            for batch in found:
                batch.keep_out(self._tombstones)
        received = {call.received_at for batch in found for call in batch.calls}
        self._newest = max(received, default=self._newest)
        with self._index.claim(work, received) as claim:
            for batch in found:
                batch.drop_copies(claim, self._lake, work.identity)
                self._warn(batch, claim)
            self._at("claimed")
            for batch in found:
                self._store(batch, work)
        for batch in found:
            self._meter(batch.project, batch.measured)
        self._at("indexed")
        self._retire(paths)
        self._at("retired")
        return sum(len(batch.calls) for batch in found)

    def _finish_chunk(self, work: InHand) -> int:
        """Bring a chunk of an import that is in hand to its end."""
        path = imports.find(self._spool, work)
        if path is None:
            logger.error("chunk %d of the import %s is gone before it was flushed", work.last, work.folder)
            self._index.put_back()
            return 0
        if replay.is_asked(path):
            return self._finish_replay(work, path)
        chunk = imports.read(path)
        self._look()
        if self._tombstones:
            chunk = chunk.keep_out(self._tombstones)
        self._newest = max(self._newest, chunk.received_at)
        with self._index.claim(work, {chunk.received_at}) as claim:
            rows, displaced = chunk.without_copies(claim, self._lake)
            self._at("claimed")
            if len(rows):
                self._append(chunk.project, chunk.table, rows, displaced, f"import:{work.identity}", work.last)
            self._at(f"stored {chunk.table}")
        self._at("indexed")
        path.unlink()
        sync_folder(path.parent)
        self._at("retired")
        return len(rows) if chunk.table == "events" else 0

    def _finish_replay(self, work: InHand, path: Path) -> int:
        """Bring rejected events that somebody asked to replay to their end."""
        chunk = replay.read(path)
        self._look()
        self._newest = max(self._newest, chunk.received_at)
        with self._index.claim(work, {chunk.received_at}) as claim:
            made = replay.again(chunk, claim, self._decoder)
            if self._tombstones:
                made.batch.keep_out(self._tombstones)
            made.batch.drop_copies(claim, self._lake, work.identity)
            self._warn(made.batch, claim)
            self._at("claimed")
            self._store(made.batch, work)
            made.remove(self._lake)
            self._at("removed")
        self._at("indexed")
        path.unlink()
        sync_folder(path.parent)
        shutil.rmtree(path.parent, ignore_errors=True)
        self._at("retired")
        return len(made.batch.calls)

    def _look(self) -> None:
        """Before decoding: what is received after a burial, or a change of the plan, is decoded after it."""
        if self._tombstones is not None:
            self._tombstones.refresh()
        if self._plan is not None:
            self._plan()

    def _records(self, path: Path) -> Iterator[tuple[int, Record]]:
        return read_segment(path, partial(self._note_damage, path))

    def _note_damage(self, path: Path, first: int, behind: int) -> None:
        logger.error("%s is damaged from byte %d to %d; the rest is flushed, the file is kept", path, first, behind)
        self._damaged.add(path)

    def _store(self, batch: Batch, work: InHand) -> None:
        for table, rows in batch.tables(work.identity):
            displaced = batch.displaced if table == "events" else []
            self._append(batch.project, table, rows, displaced, f"log:{work.identity}", work.last)
            self._at(f"stored {table}")

    def _warn(self, batch: Batch, claim: Claim) -> None:
        """Count which of the accepted events break the tracking plan."""
        for call, broken in self._plan.warned(batch.accepted()) if self._plan else ():
            what = (broken.rule, call.source, call.received_at, example_of(call.event_id))
            claim.violations.append(Violation(batch.project, call.event, *what))

    def _append(self, project: str, table: str, rows: pa.Table, displaced: list[Displaced], writer: str, batch: int) -> None:
        if displaced:
            exchange(self._lake, project, rows, displaced, writer=writer, batch=batch, at=self._at)
        else:
            self._lake.append(project, table, rows, writer=writer, batch=batch, partition="month")

    def _retire(self, paths: list[Path]) -> None:
        for path in paths:
            if path in self._damaged:
                path.rename(path.with_suffix(_DAMAGED))
            else:
                path.unlink()
        sync_folder(paths[0].parent)
