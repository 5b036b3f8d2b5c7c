"""``python -m tests.ingest.door DATA PORT``: a collector process and nothing else, for tests that kill it."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from ingest.http import Collector, CollectorSettings
from ingest.keys import KeyFile
from ingest.wal import Log, LogSettings


def main(data: Path, port: int) -> None:
    log = Log.open(data / "log", LogSettings(segment_age=0.1))
    collector = Collector(log, KeyFile(data / "keys.json"), CollectorSettings())
    try:
        uvicorn.run(collector, host="127.0.0.1", port=port, log_level="critical", lifespan="off")
    finally:
        log.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
