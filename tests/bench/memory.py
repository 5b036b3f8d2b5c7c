"""What ``jcurve up`` holds in memory when it idles, process by process, and the collector after a burst of events."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from api.demo.show import make_keys
from api.folder import DataFolder
from api.settings import Settings
from tests.api.processes import ENVIRONMENT
from tests.bench.event import batch
from tests.bench.figure import Figure
from tests.bench.load import load, request

COLLECTOR: Final = 150
ALL: Final = 900


def figures(folder: Path, settle: float, burst: float) -> list[Figure]:
    """``settle``: seconds of idling before it is measured; ``burst``: seconds of batches for the collector."""
    settings = Settings(data=folder)
    DataFolder(folder).create()
    key = make_keys(settings)["write"]
    command = [sys.executable, "-m", "api.cli", "up", "--data", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().split()[4].rsplit(":", 1)[1])
            time.sleep(settle)
            idle = _resident(process.pid)
            load(port, request("/v1/batch", key, batch()), burst, 16)
            door = _peak(_children(process.pid)["door"])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)
    total = sum(idle.values())
    parts = ", ".join(f"{role} {megabytes:.0f}" for role, megabytes in idle.items())
    return [
        Figure("collector process after a burst of batches, peak", f"{door:.0f} MB", f"< {COLLECTOR} MB", door < COLLECTOR),
        Figure(f"all roles of an idle `up` ({parts})", f"{total:.0f} MB", f"< {ALL} MB", total < ALL),
    ]


def _resident(supervisor: int) -> dict[str, float]:
    """Role -> resident megabytes."""
    return {"supervisor": _status(supervisor, "VmRSS"), **{r: _status(p, "VmRSS") for r, p in _children(supervisor).items()}}


def _peak(pid: int) -> float:
    return _status(pid, "VmHWM")


def _children(parent: int) -> dict[str, int]:
    """Role -> process id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode().split("\0")
            if f"PPid:\t{parent}\n" in (process / "status").read_text() and "api.roles" in command:
                found[command[command.index("api.roles") + 1]] = int(process.name)
        except FileNotFoundError:
            continue  # it ended
    return found


def _status(pid: int, field: str) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024
