"""The lake that the answers are measured on: a big company's calls in a log, and then in the lake, without HTTP."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ingest.demo import Company, Size, deliver, plan
from ingest.wal import Log

END: Final = datetime(2026, 2, 20, tzinfo=UTC)
NOW: Final = int(datetime(2026, 2, 20, 10, tzinfo=UTC).timestamp()) * 1000
PROJECT: Final = "default"
_EVENTS_EACH: Final = 57  # of one person, about


def company(events: int) -> Company:
    people = events // _EVENTS_EACH
    return plan(Size(people, max(people * 4 // 25, 1)), END)


def write_log(root: Path, size: Company) -> tuple[int, int]:
    """All calls into sealed segments; how many calls, and how many of them are no copies and no faults."""
    delivery = deliver(size)
    asyncio.run(_append(root, [batch.body(NOW) for batch in delivery.batches]))
    return delivery.calls, delivery.accepted


async def _append(root: Path, bodies: list[bytes]) -> None:
    log = Log.open(root, now=_Ticking())
    try:
        for first in range(0, len(bodies), 200):
            group = bodies[first : first + 200]
            await asyncio.gather(*(log.append(PROJECT, "bench", "/v1/batch", "127.0.0.1", "bench", body) for body in group))
    finally:
        await asyncio.to_thread(log.close)


class _Ticking:
    """A clock in the company's time, a microsecond a look, so that wrong clocks are corrected by what they are off."""

    def __init__(self) -> None:
        self._now = NOW * 1000
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self._now += 1
            return self._now
