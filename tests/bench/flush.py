"""Log to lake: events per second of one core, in a process of its own that is held to that core.

``python -m tests.bench.flush FOLDER`` flushes ``FOLDER/log`` and prints what it took.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.figure import Figure


def figures(folder: Path, calls: int) -> list[Figure]:
    """Flushes ``folder/log``, which holds ``calls``, into ``folder/lake``."""
    told = subprocess.run(
        ["taskset", "-c", "0", sys.executable, "-m", "tests.bench.flush", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = json.loads(told)
    rate = calls / found["seconds"]
    return [
        Figure(f"log to lake, {calls:,} events: events/s, one core", f"{rate:,.0f}", "80,000", rate >= 80_000),
        Figure("… events per second of processor time", f"{calls / found['processor_seconds']:,.0f}"),
    ]


def main(folder: Path) -> None:
    from ingest.flush import Flush
    from ingest.ids import Index
    from ingest.lake import Lake

    lake = Lake(str(folder / "lake"))
    lake.create_folder()
    with Index(folder / "index") as index:
        began, cpu = time.perf_counter(), time.process_time()
        Flush(folder / "log", lake, index).once()
        took = {"seconds": time.perf_counter() - began, "processor_seconds": time.process_time() - cpu}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10  # MB
    print(json.dumps({**took, "memory": memory}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
