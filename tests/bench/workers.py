"""``jcurve collect --workers N``: events per second through N doors at one port, the flush standing still.

Senders and doors share the machine's cores, so by the clock N doors on N cores pay for the senders as well. What N doors do
where senders are elsewhere follows from what each took of a processor (``Scaled.apart``).
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from api.demo.show import make_keys
from api.folder import DataFolder
from api.settings import Settings
from tests.api.processes import Running, alive, up
from tests.bench.door import processor_seconds
from tests.bench.event import batch
from tests.bench.load import load, request
from tests.patience import eventually

BATCH = 100
CONNECTIONS = 32  # for each


@dataclass(frozen=True)
class Scaled:
    """Events per second, by the clock and by the doors' processor time; ``busiest``: the largest share of one door;
    ``senders``: of a core."""

    workers: int
    rate: float
    of_processor: float
    busiest: float
    senders: float

    def apart(self, one: Scaled) -> float:
        """How many times one worker's rate it is with a core for each door, and none for senders: the busiest tells."""
        return self.of_processor / self.busiest / one.of_processor


def measure(numbers: Sequence[int], seconds: float) -> list[Scaled]:
    return [_measure(workers, seconds) for workers in numbers]


def _measure(workers: int, seconds: float) -> Scaled:
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
        data = Path(folder)
        DataFolder(data).create()
        text = request("/v1/batch", make_keys(Settings(data=data))["write"], batch())
        with up(data, "--workers", str(workers), command="collect") as running:
            flush = running.children()["flush"]
            os.kill(flush, signal.SIGSTOP)
            try:
                return _loaded(running, workers, text, seconds)
            finally:
                _end(running, flush)


def _loaded(running: Running, workers: int, text: bytes, seconds: float) -> Scaled:
    port, doors = int(running.url.rpartition(":")[2]), sorted(running.workers())
    load(port, text, seconds / 4, workers * CONNECTIONS)  # until they are warm
    before = [processor_seconds(pid) for pid in doors]
    run = load(port, text, seconds, workers * CONNECTIONS)
    took = [processor_seconds(pid) - earlier for pid, earlier in zip(doors, before, strict=True)]
    total = sum(took)
    return Scaled(workers, BATCH * run.requests / run.seconds, BATCH * run.total / total, max(took) / total, run.busy)


def _end(running: Running, flush: int) -> None:
    """Without the flush's work, which would take longer than all the rest."""
    doors = running.workers()
    running.process.send_signal(signal.SIGTERM)
    eventually(lambda: not any(alive(pid) for pid in doors), "the doors end")
    os.kill(flush, signal.SIGKILL)
