"""The write-ahead log: a request is answered once it is on disk here.

Constraints
- ``append`` returns only after its record was written and synced. Records refused with ``Unavailable`` were not stored.
- Requests wait in memory no longer than one commit, and the queue is bounded in bytes.
- The event loop never touches the disk: one writer thread does.
- One process per log folder (``log_folder``), one event loop per process.

Layout: ``log_folder`` (the folder), ``segment_file`` (a segment's life), ``record`` (its bytes).

Writing is group commit: the writer takes what is queued (up to GROUP_BYTES), writes it with one system call, syncs it with
one fdatasync, and answers all of it in one call into the loop; meanwhile the next group gathers (``log_queue``).
A segment is sealed at ``segment_bytes`` or when its oldest record is ``segment_age`` seconds old, also with no traffic;
the flush reads sealed segments only (``record.read_segment``) and deletes them (``flush``).
No room: the group is refused with LogFull and the file cut back to what was synced. The log stops early, at a reserve
of two segments, so that the flush has room to work. A failed sync: see ``segment_file``. Both heal alone.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.disk import free_bytes, reserve_bytes
from ingest.errors import LogFull, LogUnavailable, Unavailable
from ingest.log_folder import CLOSED, LogFolder
from ingest.log_queue import STOPPED, Group, LogQueue
from ingest.record import parts
from ingest.segment_file import SegmentFile

GROUP_BYTES: Final = 8 << 20
_SMALLEST_SEGMENT: Final = 256 << 10
_PLENTY: Final = 256 << 20  # more than others on the disk write between two looks
_LOOK_SECONDS: Final = 0.1
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_RETRY_FULL: Final = 5.0
_RETRY: Final = 1.0


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LogSettings:
    segment_bytes: int = 16 << 20  # a flush of 16 MiB is as fast as one of 32, and takes 90 MB less memory
    segment_age: float = 1.0  # seconds
    queue_bytes: int = 64 << 20
    pulse: float = 0.5  # seconds between beats
    reserve_bytes: int | None = None  # None: see disk.reserve_bytes


def wall_clock() -> int:
    return time.time_ns() // 1000


class Log:
    """``Log.open`` claims a folder and starts the writer; ``close`` drains, seals and gives it back."""

    def __init__(
        self, folder: LogFolder, settings: LogSettings, now: Callable[[], int], timed: Callable[[float], None]
    ) -> None:
        self.folder = folder
        self._timed = timed
        self._settings = settings
        self._now = now
        self._reserve = reserve_bytes(folder.path) if settings.reserve_bytes is None else settings.reserve_bytes
        self._segment_bytes = min(settings.segment_bytes, max(self._reserve // 2, _SMALLEST_SEGMENT))
        self._queue = LogQueue(settings.queue_bytes, min(GROUP_BYTES, self._segment_bytes), now)
        self._segment: SegmentFile | None = None
        self._fault: Unavailable | None = None
        self._told: Unavailable | None = None  # what the process' log says of it
        self._next_pulse = 0.0
        self._room = 0  # bytes free above the reserve, as of the last look and what was written since
        self._next_look = 0.0
        self._writer = threading.Thread(target=self._run, name="log-writer", daemon=True)

    @classmethod
    def open(
        cls,
        root: Path,
        settings: LogSettings | None = None,
        now: Callable[[], int] = wall_clock,
        timed: Callable[[float], None] = lambda seconds: None,
    ) -> Log:
        """Claim a log below ``root``, seal what a crash left in it, and start writing.

        ``timed`` is told, in the writer's thread, the seconds that each group took to be written and synced.
        """
        folder = LogFolder.claim(root)
        try:
            folder.seal_leftovers()
            log = cls(folder, settings or LogSettings(), now, timed)
            folder.beat(now())
        except BaseException:
            folder.release()
            raise
        log._writer.start()
        return log

    def append(self, project: str, source: str, path: str, ip: str, user_agent: str, body: bytes) -> asyncio.Future[None]:
        """Store one request; done when it is synced. Raises LogFull or LogUnavailable: then it was not stored."""
        return self._queue.put(project, source, path, ip, user_agent, body)

    def healthy(self) -> str | None:
        """None, or the reason for which the log cannot store now."""
        if not self._writer.is_alive():
            return "the log's writer has stopped; restart the collector"
        return str(self._fault) if self._fault else None

    def close(self) -> None:
        """Store what is queued, seal the segment, give the folder back. Blocks for one commit or so."""
        self._queue.close()
        self._writer.join()
        self.folder.release()

    # -- the writer thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while group := self._queue.take(self._patience()):
                if group.records:
                    self._commit(group)
                self._rotate()
                self._pulse()
            self._seal()
            if not self._fault:
                self.folder.beat(CLOSED)
        finally:
            self._queue.refuse_all()

    def _patience(self) -> float:
        """Seconds until the next beat or the open segment's age is up."""
        due = self._next_pulse - time.monotonic()
        if self._segment and self._segment.first_received is not None:
            due = min(due, self._settings.segment_age - (self._now() - self._segment.first_received) / 1e6)
        return max(due, 0.001)

    def _commit(self, group: Group) -> None:
        fault: Unavailable | None = STOPPED  # should a bug end this thread, nobody of the group waits for ever
        try:
            fault = self._fault = self._store(group)
        finally:
            self._queue.done(group)
            group.answer(fault)

    def _store(self, group: Group) -> Unavailable | None:
        """Write and sync; returns why that could not be done."""
        try:
            self._check_room(group.size)
            if self._segment is None:
                self._segment = self._new_segment()
            buffers = [part for record in group.records for part in parts(record)]
            started = time.perf_counter()
            self._segment.append(buffers, group.records[0].received_at)
            self._timed(time.perf_counter() - started)
        except OSError as error:
            return self._step_back(error)
        return None

    def _check_room(self, size: int) -> None:
        """Looks at the disk before each commit, but where there is plenty of room only every now and then."""
        moment = time.monotonic()
        if self._room < _PLENTY or moment >= self._next_look:
            self._room = free_bytes(self.folder.path) - self._reserve
            self._next_look = moment + _LOOK_SECONDS
        if self._room < size:
            raise OSError(errno.ENOSPC, "the disk's reserve is reached")
        self._room -= size

    def _new_segment(self) -> SegmentFile:
        return SegmentFile.create(self.folder.path, self.folder.identity, self.folder.take_number())

    def _step_back(self, error: OSError) -> Unavailable:
        """Undo what a failed commit wrote; the segment lives on only after a full disk."""
        full = error.errno in _FULL
        segment = self._segment
        if segment and full and not segment.doubtful:
            try:
                segment.cut()
            except OSError:
                segment.doubtful = True
        if segment and (segment.doubtful or not full):
            self._seal()
        if full:
            return LogFull(f"no room on the log's disk ({error.strerror}); make room, senders will try again", _RETRY_FULL)
        return _failing(error)

    def _rotate(self) -> None:
        segment = self._segment
        if segment is None or segment.first_received is None:
            return
        old = self._now() - segment.first_received >= self._settings.segment_age * 1e6
        if old or segment.synced >= self._segment_bytes:
            self._seal()

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            segment.seal()
        except OSError as error:
            self._fault = _failing(error)

    def _pulse(self) -> None:
        if time.monotonic() < self._next_pulse:
            return
        self._next_pulse = time.monotonic() + self._settings.pulse
        self._tell()
        try:
            self.folder.beat(self._queue.moment())
            self._check_room(0)
            if self._fault:
                self._heal()
        except OSError as error:
            self._fault = self._step_back(error)

    def _tell(self) -> None:
        """Once that it cannot store, and once that it can again."""
        if (self._fault is None) != (self._told is None):
            self._told = self._fault
            if self._fault is None:
                logger.warning("the log stores again", extra={"log": self.folder.path.name})
            else:
                logger.error("the log cannot store", extra={"log": self.folder.path.name, "error": self._fault})

    def _heal(self) -> None:
        """After a fault: room is back, a new segment can be made, and what could not be sealed then can be sealed now."""
        if self._segment is None:
            self.folder.seal_leftovers()
            self._segment = self._new_segment()
        self._fault = None


def _failing(error: OSError) -> LogUnavailable:
    return LogUnavailable(f"the log's disk fails ({error.strerror}); see the system's log", _RETRY)
