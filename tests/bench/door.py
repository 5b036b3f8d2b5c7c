"""Singles and batches against the door, beside an endpoint that does nothing and a FastAPI route with a pydantic body.

The servers stand on one core, the senders on another; rounds are interleaved, so that what else happens on the machine meets
all three; the middle of the rounds' ratios is told.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from ingest.keys import hash_of
from tests.bench.event import batch, single
from tests.bench.figure import Figure
from tests.bench.load import load, request

NAMES: Final = ("bare", "jcurve", "pydantic")  # the compared ones side by side
KEY: Final = "jw_bench"
CONNECTIONS: Final = (64, 32)  # for singles, for batches


@dataclass(frozen=True)
class Round:
    """One run against one server: answers per second, and per second of the server's own processor time."""

    rate: float
    rate_of_processor: float
    senders_busy: float


Rounds = dict[str, list[Round]]  # server -> its runs, round by round


def figures(rounds: int, seconds: float) -> list[Figure]:
    singles, batches = _measure(rounds, seconds)
    busiest = max(run.senders_busy for kind in (singles, batches) for runs in kind.values() for run in runs)
    return [
        *_rows("single events/s, one core", singles, 1),
        *_against(singles, "bare", "(a)", 0.6),
        *_rows("events/s in batches of 100, one core", batches, 100),
        *_against(batches, "pydantic", "(b)", 4.0),
        Figure("busiest the senders were, of their core", f"{busiest:.0%}", "< 95 %", busiest < 0.95),
    ]


def _rows(what: str, runs: Rounds, events: int) -> list[Figure]:
    rates = {name: f"{events * median(run.rate for run in runs[name]):,.0f}" for name in NAMES}
    return [
        Figure(what, rates["jcurve"]),
        Figure("… (a) ASGI endpoint that reads and answers", rates["bare"]),
        Figure("… (b) FastAPI route with a pydantic body", rates["pydantic"]),
    ]


def _against(runs: Rounds, yardstick: str, called: str, aim: float) -> list[Figure]:
    """The middle of the rounds' own ratios: a round's two runs are neighbours, so a busy machine slows both."""
    pairs = list(zip(runs["jcurve"], runs[yardstick], strict=True))
    ratio = median(ours.rate / theirs.rate for ours, theirs in pairs)
    of_processor = median(ours.rate_of_processor / theirs.rate_of_processor for ours, theirs in pairs)
    return [
        Figure(f"… synced, against {called}", f"{ratio:.2f} ×", f"{aim:g} ×", ratio >= aim),
        Figure("… the same per second of processor time, without waiting for the disk", f"{of_processor:.2f} ×"),
    ]


def _measure(rounds: int, seconds: float) -> tuple[Rounds, Rounds]:
    """The rounds with singles, and those with batches."""
    texts = (request("/v1/track", KEY, single()), request("/v1/batch", KEY, batch()))
    found: tuple[Rounds, Rounds] = ({name: [] for name in NAMES}, {name: [] for name in NAMES})
    server_core, sender_core = cores()
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder, ExitStack() as stack:
        data = Path(folder)
        publish(data)
        servers = {name: stack.enter_context(server(name, data, server_core)) for name in NAMES}
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {sender_core})
        try:
            for _ in range(rounds):
                for runs, text, connections in zip(found, texts, CONNECTIONS, strict=True):
                    for name in NAMES:
                        runs[name].append(_run(*servers[name], text, seconds, connections))
                    empty(data / "log")
        finally:
            os.sched_setaffinity(0, everywhere)
    return found


def _run(port: int, pid: int, text: bytes, seconds: float, connections: int) -> Round:
    before = processor_seconds(pid)
    run = load(port, text, seconds, connections)
    return Round(run.requests / run.seconds, run.total / (processor_seconds(pid) - before), run.busy)


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, int]:
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def publish(folder: Path) -> None:
    key = {"hash": hash_of(KEY), "project": "default", "source": "bench", "kind": "write"}
    (folder / "keys.json").write_text(json.dumps({"keys": [key]}))


@contextmanager
def server(name: str, folder: Path, core: int) -> Iterator[tuple[int, int]]:
    """The port and the process id of a server on ``core``."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        port = int(listener.getsockname()[1])
        process = subprocess.Popen(
            [
                "taskset",
                "-c",
                str(core),
                sys.executable,
                "-m",
                "tests.bench.doors",
                name,
                str(folder),
                str(listener.fileno()),
            ],
            pass_fds=(listener.fileno(),),
        )
    try:
        _wait(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"a server of the benchmark ended with status {process.returncode}; its error stands above")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("a server of the benchmark does not listen")


def empty(log: Path) -> None:
    """The flush's stand-in: a benchmark that kept its log would fill the disk."""
    for segment in log.glob("*/*.segment"):
        segment.unlink(missing_ok=True)
