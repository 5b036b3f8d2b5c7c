"""Singles and batches against the door, beside an endpoint that does nothing and a FastAPI route with a pydantic body.

The servers stand on one core, the senders on another; rounds are interleaved, so that what else happens on the machine meets
all three; medians are compared.
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
from pathlib import Path
from statistics import median
from typing import Final

from ingest.keys import hash_of
from tests.bench.event import batch, single
from tests.bench.figure import Figure
from tests.bench.load import Load, load, request

NAMES: Final = ("bare", "pydantic", "jcurve")
KEY: Final = "jw_bench"
CONNECTIONS: Final = {"single": 64, "batch": 32}


def figures(rounds: int, seconds: float) -> list[Figure]:
    singles, batches = _measure(rounds, seconds)
    to_bare = singles["jcurve"].rate / singles["bare"].rate
    to_pydantic = batches["jcurve"].rate / batches["pydantic"].rate
    busiest = max(run.busy for kind in (singles, batches) for run in kind.values())
    return [
        Figure("single events/s, one core", f"{singles['jcurve'].rate:,.0f}"),
        Figure("… (a) ASGI endpoint that reads and answers", f"{singles['bare'].rate:,.0f}"),
        Figure("… (b) FastAPI route with a pydantic body", f"{singles['pydantic'].rate:,.0f}"),
        Figure("… synced, against (a)", f"{to_bare:.2f} ×", "0.6 ×", to_bare >= 0.6),
        Figure("events/s in batches of 100, one core", f"{100 * batches['jcurve'].rate:,.0f}"),
        Figure("… (a) ASGI endpoint that reads and answers", f"{100 * batches['bare'].rate:,.0f}"),
        Figure("… (b) FastAPI route with a pydantic body", f"{100 * batches['pydantic'].rate:,.0f}"),
        Figure("… synced, against (b)", f"{to_pydantic:.1f} ×", "4 ×", to_pydantic >= 4),
        Figure("busiest the senders were, of their core", f"{busiest:.0%}", "< 95 %", busiest < 0.95),
    ]


def _measure(rounds: int, seconds: float) -> tuple[dict[str, Load], dict[str, Load]]:
    texts = {"single": request("/v1/track", KEY, single()), "batch": request("/v1/batch", KEY, batch())}
    runs: dict[str, dict[str, list[Load]]] = {kind: {name: [] for name in NAMES} for kind in texts}
    server_core, sender_core = _cores()
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder, ExitStack() as stack:
        data = Path(folder)
        _publish(data)
        ports = {name: stack.enter_context(_server(name, data, server_core)) for name in NAMES}
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {sender_core})
        try:
            for _ in range(rounds):
                for kind, text in texts.items():
                    for name in NAMES:
                        runs[kind][name].append(load(ports[name], text, seconds, CONNECTIONS[kind]))
                    _empty(data / "log")
        finally:
            os.sched_setaffinity(0, everywhere)
    return tuple({name: _middle(runs[kind][name]) for name in NAMES} for kind in texts)  # type: ignore[return-value]


def _middle(runs: list[Load]) -> Load:
    rate = median(run.rate for run in runs)
    return Load(round(rate * 1000), 1000.0, max(run.busy for run in runs))


def _cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


def _publish(folder: Path) -> None:
    key = {"hash": hash_of(KEY), "project": "default", "source": "bench", "kind": "write"}
    (folder / "keys.json").write_text(json.dumps({"keys": [key]}))


@contextmanager
def _server(name: str, folder: Path, core: int) -> Iterator[int]:
    """The server on ``core``, which gets an open port."""
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
        yield port
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


def _empty(log: Path) -> None:
    """The flush's stand-in: a benchmark that kept its log would fill the disk."""
    for segment in log.glob("*/*.segment"):
        segment.unlink(missing_ok=True)
