"""Every protocol through the door and the flush: ``python -m tests.bench.protocols [--quick] [--write]``.

Batches of a hundred of the same event in each family's own fields (``sdks``). The door stands on one core, beside an
endpoint that reads the same body and answers; the flush decodes and stores on one core. Then all families together, a
million events in the logs while nothing flushes, and what the flush takes in memory to make up for it; and how the door
scales with its workers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from ingest.keys import Key
from ingest.wal import Log
from tests.bench import door, workers
from tests.bench.figure import machine, put_into
from tests.bench.load import load, request
from tests.bench.pace import paced
from tests.bench.sdks import KEY, SDKS, Sdk
from tests.bench.workers import Scaled
from tests.ingest import asgi

README: Final = Path(__file__).parents[2] / "README.md"
BATCH: Final = 100
CONNECTIONS: Final = 32
NEAR: Final = 1 / 1.3  # of Segment's rate: within 30 % of its figures
LATE: Final = 0.020  # seconds
MEMORY: Final = 1_024  # MB
SCALES: Final = 0.85  # of N times one worker's rate


@dataclass
class Found:
    """What was measured of one family. Rates are events per second."""

    sdk: Sdk
    bytes_each: float
    rates: list[float] = field(default_factory=list)
    of_processor: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    flushed: float = 0  # per second of processor time
    flush_memory: int = 0  # MB


@dataclass
class InFlight:
    events: int
    flush_memory: int
    door_memory: int


def measure(rounds: int, seconds: float, events: int) -> tuple[list[Found], InFlight]:
    """``events``: how many of each family the flush gets."""
    found = [Found(sdk, len(sdk.body(0, BATCH)) / BATCH) for sdk in SDKS]
    door_memory = _doors(found, rounds, seconds)
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
        together = Path(folder) / "together"
        for number, one in enumerate(found):
            data = Path(folder) / one.sdk.name.replace(" ", "-")
            _write_log(data / "log", one.sdk, number * events, events)
            _link(data / "log" / "0001", together / "log" / f"{number + 1:04d}")
            told = _flush(data)
            one.flushed, one.flush_memory = events / told["processor_seconds"], int(told["memory"])
            shutil.rmtree(data)
            print(f"{one.sdk.name}: {one.flushed:,.0f} events/s decoded and stored", file=sys.stderr)
        told = _flush(together)
    return found, InFlight(events * len(found), int(told["memory"]), door_memory)


def _doors(found: Sequence[Found], rounds: int, seconds: float) -> int:
    """Rates and latencies; returns the door's peak memory in MB."""
    server_core, sender_core = door.cores()
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder, ExitStack() as stack:
        data = Path(folder)
        door.publish(data)
        (port, pid), (bare, _) = (stack.enter_context(door.server(name, data, server_core)) for name in ("jcurve", "bare"))
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {sender_core})
        try:
            load(port, _text(SDKS[0]), 0.5, CONNECTIONS)  # until it is warm
            for _ in range(rounds):
                for one in found:
                    _round(one, port, pid, bare, seconds)
                    door.empty(data / "log")
            for one in found:
                half = max(median(one.rates) / BATCH / 2, 10)
                one.latencies = paced(port, _text(one.sdk), half, 2 * seconds, 4 * CONNECTIONS)
                print(f"{one.sdk.name}: p99 {_at(one.latencies, 0.99) * 1000:.1f} ms", file=sys.stderr)
                door.empty(data / "log")
        finally:
            os.sched_setaffinity(0, everywhere)
        return _peak(pid)


def _round(one: Found, port: int, pid: int, bare: int, seconds: float) -> None:
    text = _text(one.sdk)
    before = door.processor_seconds(pid)
    run = load(port, text, seconds, CONNECTIONS)
    one.rates.append(BATCH * run.requests / run.seconds)
    one.of_processor.append(BATCH * run.total / (door.processor_seconds(pid) - before))
    yardstick = load(bare, text, seconds / 2, CONNECTIONS)
    one.bare.append(BATCH * yardstick.requests / yardstick.seconds)


def _text(sdk: Sdk) -> bytes:
    return request(sdk.path, KEY, sdk.body(0, BATCH), sdk.headers)


def _write_log(root: Path, sdk: Sdk, first: int, events: int) -> None:
    """Through the collector without a socket, so that the log holds what it keeps of such requests."""
    asgi.KEYS[KEY] = Key("default", "bench", "write")
    front = asgi.Door(max_body_bytes=1 << 20)
    headers = {**dict(sdk.headers), "authorization": asgi.basic(f"{KEY}:")}

    async def write() -> None:
        log = Log.open(root)
        front.log.append = log.append  # type: ignore[method-assign, assignment]
        for start in range(first, first + events, BATCH):
            await front.asked("POST", sdk.path, sdk.body(start, BATCH), headers)
        log.close()

    import uvloop

    uvloop.run(write())


def _link(log: Path, other: Path) -> None:
    """The same log once more: sealed segments are never written to again."""
    other.mkdir(parents=True)
    for path in log.iterdir():
        if path.suffix == ".segment":
            os.link(path, other / path.name)
        else:
            shutil.copy(path, other / path.name)


def _flush(data: Path) -> dict[str, float]:
    command = ["taskset", "-c", "0", sys.executable, "-m", "tests.bench.flush", str(data)]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def _peak(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) >> 10


def _at(rising: Sequence[float], share: float) -> float:
    return rising[min(int(share * len(rising)), len(rising) - 1)]


def table(found: Sequence[Found], flight: InFlight, scaled: Sequence[Scaled]) -> str:
    head = ("SDK", "bytes", "through the door", "of the bare endpoint", "p50", "p99", "decoded and stored", "memory")
    segment = found[0]
    rows = [" | ".join(_cells(one, segment)) for one in found]
    total = flight.flush_memory + flight.door_memory
    return "\n".join(
        [
            f"Measured {datetime.now(UTC).date().isoformat()} on {machine()}.",
            "",
            f"| {' | '.join(head)} |",
            "|---|" + "---:|" * (len(head) - 1),
            *(f"| {row} |" for row in rows),
            "",
            f"With {flight.events:,} events in flight: door {flight.door_memory} MB, flush {flight.flush_memory} MB at"
            f" their peaks (aim: less than {MEMORY:,} MB together{_mark(total < MEMORY)}).",
            _scaling(scaled),
        ]
    )


def _scaling(scaled: Sequence[Scaled]) -> str:
    one, *more = scaled
    told = [f"1 worker {one.rate:,.0f} events/s ({one.of_processor:,.0f} of processor time)"]
    for many in more:
        aim, apart = SCALES * many.workers, many.apart(one)
        told.append(
            f"{many.workers} workers {many.rate:,.0f} ({many.of_processor:,.0f}), {many.rate / one.rate:.2f} × by the clock,"
            f" since the senders took {many.senders:.1f} of the {os.cpu_count()} cores; by what the doors took, with senders"
            f" elsewhere, {apart:.2f} × (aim: {aim:g}{_mark(apart >= aim)}), the busiest had {many.busiest:.0%}"
        )
    return f"Batches through `jcurve collect`, its flush standing still: {'; '.join(told)}."


def _cells(one: Found, segment: Found) -> Iterator[str]:
    rate, stored = median(one.of_processor), one.flushed
    yield one.sdk.name
    yield f"{one.bytes_each:,.0f}"
    yield f"{rate:,.0f}{_mark(rate >= NEAR * median(segment.of_processor))}"
    yield f"{median(ours / theirs for ours, theirs in zip(one.rates, one.bare, strict=True)):.2f} ×"
    yield f"{_at(one.latencies, 0.5) * 1000:.1f} ms"
    late = _at(one.latencies, 0.99)
    yield f"{late * 1000:.1f} ms{_mark(late < LATE)}"
    yield f"{stored:,.0f}{_mark(stored >= NEAR * segment.flushed)}"
    yield f"{one.flush_memory} MB"


def _mark(met: bool) -> str:
    return " ✓" if met else " ✗"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench-protocols", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller and shorter")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    rounds, seconds, events = (1, 0.6, 20_000) if options.quick else (5, 2.0, 143_000)
    scaled = workers.measure((1, 2), 2 * seconds)
    told = table(*measure(rounds, seconds, events), scaled)
    print(told)
    if options.write:
        put_into(README, told, "bench-protocols")


if __name__ == "__main__":
    main()
