"""``python -m tests.ingest.flush_process DATA [STEP]``: a flush until SIGTERM, or gone, without a word, after STEP."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from ingest.flush import Flush
from ingest.ids import Index
from ingest.lake import Lake


def until_stopped(data: Path) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Index(data / "index") as index:
        Flush(data / "log", Lake(str(data / "lake")), index).run(stop)


def main(data: Path, step: str) -> None:
    def end(done: str) -> None:
        if done == step:
            os._exit(9)

    with Index(data / "index") as index:
        Flush(data / "log", Lake(str(data / "lake")), index, at=end).once()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        main(Path(sys.argv[1]), sys.argv[2])
    else:
        until_stopped(Path(sys.argv[1]))
