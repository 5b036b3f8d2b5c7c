"""A running ``jcurve collect``: its address, a write key, and what has come into its lake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.lake import Lake
from tests.api.processes import alive
from tests.patience import PATIENCE, eventually

JCURVE = str(Path(sys.executable).with_name("jcurve"))


@dataclass(frozen=True)
class Collecting:
    data: Path
    url: str
    key: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """kill -9 of all its processes, while the supervisor stands still, which would start the others again."""
        pid = self.process.pid
        os.kill(pid, signal.SIGSTOP)
        children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        for each in (*children, pid):
            os.kill(each, signal.SIGKILL)
        self.process.wait()
        eventually(lambda: not any(map(alive, children)), "all its processes are gone")

    def rows(self, table: str, ids: Collection[str], columns: list[str] | None = None) -> list[dict[str, Any]]:
        """A table's rows once all of ``ids`` are among them, or after PATIENCE; properties and context as objects."""
        deadline = time.monotonic() + PATIENCE
        while True:
            handle = Lake(str(self.data / "lake")).open("default", table)
            rows = [] if handle is None else handle.to_pyarrow_table(columns=columns).to_pylist()
            if {row["event_id"] for row in rows}.issuperset(ids) or time.monotonic() > deadline:
                return [with_objects(row) for row in rows]
            time.sleep(0.1)

    def stored(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The events of these ids, in their order; fails where one is missing or there twice."""
        rows = [row for row in self.rows("events", ids) if row["event_id"] in ids]
        assert sorted(row["event_id"] for row in rows) == sorted(ids)
        return sorted(rows, key=lambda row: ids.index(row["event_id"]))

    def rejected(self, ids: Collection[str]) -> dict[str, str]:
        """Why the events of these ids were rejected, by id."""
        rows = self.rows("rejected", ids, ["event_id", "reason"])
        return {row["event_id"]: row["reason"] for row in rows if row["event_id"] in ids}


def with_objects(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.loads(value) if name in ("properties", "context") else value for name, value in row.items()}


@contextmanager
def collecting(data: Path) -> Iterator[Collecting]:
    created = subprocess.run(
        [JCURVE, "keys", "create", "write", "--data", str(data)], capture_output=True, text=True, check=True
    )
    command = [JCURVE, "collect", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = process.stdout.readline()
            assert "ready at http://" in ready, ready
            yield Collecting(data, ready.split(" ready at ")[1].split()[0], created.stdout.strip(), process)
        finally:
            process.terminate()
            process.wait(PATIENCE)
