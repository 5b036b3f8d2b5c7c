"""Requests on their way to the log: from the event loop, which may not wait, to the writer thread, which does.

Bounded in bytes, and no source may take all of them (``shares``). ``received_at`` is stamped under the lock that queues the
record, and never runs backwards: so records lie in the log in its order, and ``moment`` is a lower bound of every record
that is not yet in a segment.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ingest.errors import LogFull, LogUnavailable, Unavailable
from ingest.record import Record
from ingest.shares import Shares

_RETRY: Final = 1.0  # seconds
STOPPED: Final = LogUnavailable("the log's writer has stopped; restart the collector", _RETRY)


@dataclass
class Group:
    """What is committed together. ``size``: bytes of the bodies."""

    records: list[Record] = field(default_factory=list)
    futures: list[asyncio.Future[None]] = field(default_factory=list)
    size: int = 0

    def answer(self, fault: Unavailable | None) -> None:
        """Tell all who wait, in one call into their loop: stored, or refused with ``fault``."""
        if self.futures and not (loop := self.futures[0].get_loop()).is_closed():
            loop.call_soon_threadsafe(self._settle, fault)

    def _settle(self, fault: Unavailable | None) -> None:
        for future in self.futures:
            if future.done():
                continue  # whoever sent it has hung up
            if fault is None:
                future.set_result(None)
            else:
                future.set_exception(type(fault)(str(fault), fault.retry_after))


class LogQueue:
    """``put`` in the event loop; ``take``, ``done`` and ``moment`` in the writer thread; ``close`` anywhere."""

    def __init__(self, limit: int, most: int, now: Callable[[], int]) -> None:
        """``limit``: bytes that may wait in all; ``most``: bytes at which a group is full."""
        self._shares = Shares(limit)  # of what waits and of the group being written
        self._most = most
        self._now = now
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._waiting: deque[Group] = deque()
        self._newest = 0  # no record to come is stamped before this
        self._closing = False

    def put(self, project: str, source: str, path: str, ip: str, user_agent: str, body: bytes) -> asyncio.Future[None]:
        """The future is done when the record is synced. Raises LogFull or LogUnavailable."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            if self._closing:
                raise LogUnavailable("the log is closing; send again", _RETRY)
            if not self._shares.take((project, source), len(body)):
                raise LogFull("more requests wait than memory allows; send again", _RETRY)
            self._newest = received_at = max(self._newest, self._now())
            if not self._waiting:  # the writer sleeps only on an empty queue
                loop.call_soon(self._wake)
            if not self._waiting or self._waiting[-1].size >= self._most:
                self._waiting.append(Group())
            group = self._waiting[-1]
            group.records.append(Record(received_at, project, source, path, ip, user_agent, body))
            group.futures.append(future)
            group.size += len(body)
        return future

    def _wake(self) -> None:
        """Runs behind all requests that arrived together: woken by the first, the writer would sync that one alone."""
        with self._lock:
            self._ready.notify()

    def take(self, patience: float) -> Group | None:
        """The next group; an empty one after ``patience`` seconds; None when it is over."""
        with self._lock:
            if not self._waiting and not self._closing:
                self._ready.wait(patience)
            if self._waiting:
                return self._waiting.popleft()
            return None if self._closing else Group()

    def done(self, group: Group) -> None:
        """Its memory is free again."""
        with self._lock:
            for record in group.records:
                self._shares.give_back((record.project, record.source), len(record.body))

    def moment(self) -> int:
        """All records stamped before this have been taken, and none will be stamped before it."""
        with self._lock:
            if self._waiting:
                return self._waiting[0].records[0].received_at
            self._newest = max(self._newest, self._now())
            return self._newest

    def close(self) -> None:
        with self._lock:
            self._closing = True
            self._ready.notify()

    def refuse_all(self) -> None:
        """Nobody waits for ever, should a bug stop the writer."""
        self.close()
        while group := self.take(0):
            group.answer(STOPPED)
