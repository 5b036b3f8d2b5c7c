"""``python -m tests.ingest.flush_process DATA STEP``: a flush that is gone, without a word, after STEP."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ingest.flush import Flush
from ingest.ids import Index
from ingest.lake import Lake


def main(data: Path, step: str) -> None:
    def end(done: str) -> None:
        if done == step:
            os._exit(9)

    with Index(data / "index") as index:
        Flush(data / "log", Lake(str(data / "lake")), index, at=end).once()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
