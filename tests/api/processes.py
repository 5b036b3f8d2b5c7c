"""``jcurve`` as a process of its own, for tests; nothing it starts outlives them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from tests.patience import PATIENCE, eventually

COMMAND = (sys.executable, "-m", "api.cli")
ENVIRONMENT = {name: text for name, text in os.environ.items() if not name.startswith("JCURVE_")}


def jcurve(*arguments: str | Path, data: Path, expect: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    command = [*COMMAND, *map(str, arguments), "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=ENVIRONMENT | environment)
    assert done.returncode == expect, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Running:
    """A running ``jcurve up``."""

    process: subprocess.Popen[str]
    url: str
    data: Path

    def children(self) -> dict[str, int]:
        """Role -> pid of the supervisor's children; of several workers, one."""
        return dict(self._children())

    def workers(self) -> set[int]:
        """The pids of all doors."""
        return {pid for role, pid in self._children() if role == "door"}

    def _children(self) -> list[tuple[str, int]]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                status = (folder / "status").read_text()
                command = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"PPid:\t{self.process.pid}\n" in status and b"api.roles" in command:
                found.append((command[command.index(b"api.roles") + 1].decode(), int(folder.name)))
        return found

    def get(self, path: str, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
            return client.get(self.url + path, headers=headers)

    def post(self, path: str, body: object, key: str) -> httpx.Response:
        with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
            return client.post(self.url + path, json=body, auth=(key, ""))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def up(
    data: Path, *arguments: str, command: str = "up", logs: IO[str] | None = None, **environment: str
) -> Iterator[Running]:
    """``jcurve up`` on a free port, ready; stopped at the end, and its children with it. ``logs``: where its logs go."""
    line = [*COMMAND, command, "--data", str(data), "--port", "0", *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=logs, text=True, env=ENVIRONMENT | environment) as process:
        running = None
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert told.startswith("jcurve is ready at http://127.0.0.1:"), told
            running = Running(process, told.split()[4], data)
            yield running
        finally:
            children = [pid for _, pid in running._children()] if running else []
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
            eventually(lambda: not any(alive(pid) for pid in children), "its children end with it")


def alive(pid: int) -> bool:
    """Does it still run? (A zombie does not.)"""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
