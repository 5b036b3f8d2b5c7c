"""How long ``jcurve collect`` takes from its start until it answers: with nothing in its log, and with a gigabyte that no
flush has taken, as ``kill -9`` leaves it: its last segment open and torn."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

from ingest.log_folder import LogFolder
from ingest.record import encode
from ingest.segment_file import SegmentFile
from tests.api.processes import up
from tests.bench.figure import Figure
from tests.ingest.world import batch, track

SEGMENT: Final = 16 << 20  # bytes
AIM: Final = 2.0  # seconds per gigabyte


def figures(folder: Path, gigabytes: float) -> list[Figure]:
    """Writes below ``folder``, which is empty."""
    _seconds(folder / "warm")  # the first start reads the program from the disk
    empty = _seconds(folder / "empty")
    _write(folder / "crashed" / "log", gigabytes)
    crashed = _seconds(folder / "crashed")
    more = crashed - empty
    found = f"{crashed:.2f} s, {more:+.2f} s for the log"
    what = f"start after kill -9 with {gigabytes:g} GB of log, until it answers"
    return [Figure(what, found, f"< {AIM * gigabytes:g} s for the log", more < AIM * gigabytes)]


def _write(root: Path, gigabytes: float) -> None:
    folder = LogFolder.claim(root)
    records = [encode(batch(*(track(None) for _ in range(100))))] * 100
    size = sum(map(len, records))
    for _ in range(round(gigabytes * (1 << 30) / SEGMENT)):
        segment = SegmentFile.create(folder.path, folder.identity, folder.take_number())
        for _ in range(SEGMENT // size):
            segment.append(records, 1)
        last = segment.path
        segment.seal()
    last.with_suffix(".segment").rename(last)
    os.truncate(last, last.stat().st_size - 10)
    folder.release()


def _seconds(data: Path) -> float:
    began = time.perf_counter()
    with up(data, command="collect") as running:
        took = time.perf_counter() - began
        for pid in (running.process.pid, *running.children().values()):
            os.kill(pid, signal.SIGKILL)  # asked to stop, it would first store what the log holds
        return took
