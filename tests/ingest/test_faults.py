"""Crashes and full disks, with real processes and a real small disk: what was acknowledged is in the lake, exactly once.

``JCURVE_TEST_KILLS=200`` kills collector or flush that often (default 5); ``JCURVE_TEST_SEED`` chooses whom and when.
Weather (a lake that is away, a clock that jumps, a disk that cannot be written): ``test_weather``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from segment.analytics.client import Client

from ingest import log_folder
from ingest.errors import LogFull
from ingest.flush import Flush
from ingest.ids import Index
from ingest.lake import Lake
from ingest.record import read_segment
from ingest.wal import Log, LogSettings
from tests.ingest.recording_proxy import RecordingProxy
from tests.ingest.world import batch, event_ids, track, write_log
from tests.patience import PATIENCE, eventually, soon
from tests.ports import free_port

KILLS = int(os.environ.get("JCURVE_TEST_KILLS", "5"))
SEED = int(os.environ.get("JCURVE_TEST_SEED", "1"))
KEY = "jw_test"


def start_door(data: Path, port: int) -> subprocess.Popen[bytes]:
    door = subprocess.Popen([sys.executable, "-m", "tests.ingest.door", str(data), str(port)])

    def ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=PATIENCE).status_code == 200
        return False

    try:
        eventually(ready, "the collector is ready")
    except BaseException:
        door.kill()
        door.wait()
        raise
    return door


def start_flush(data: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.ingest.flush_process", str(data)])


def publish_key(data: Path) -> None:
    entry = {"hash": hashlib.sha256(KEY.encode()).hexdigest(), "project": "shop", "source": "web", "kind": "write"}
    (data / "keys.json").write_text(json.dumps({"keys": [entry]}))


class PlainSender(threading.Thread):
    """Sends singles and batches, each until it is answered with 200 or the test ends."""

    def __init__(self, name: str, port: int, stop: threading.Event, chance: random.Random, key: str = KEY) -> None:
        super().__init__(name=name)
        self._key = key
        self.acknowledged: set[str] = set()
        self._base = f"http://127.0.0.1:{port}/v1"
        self._stop_sending = stop
        self._chance = chance

    def run(self) -> None:
        with httpx.Client(auth=(self._key, ""), timeout=5) as client:
            number = 0
            while not self._stop_sending.is_set():
                ids = [f"{self.name}-{number + at}" for at in range(self._chance.choice((1, 1, 7, 40)))]
                number += len(ids)
                calls = [track(event_id) for event_id in ids]
                path, body = ("track", calls[0]) if len(ids) == 1 else ("batch", {"batch": calls})
                while not self._stop_sending.is_set():
                    if self._send(client, path, body):
                        self.acknowledged.update(ids)
                        break

    def _send(self, client: httpx.Client, path: str, body: object) -> bool:
        try:
            return client.post(f"{self._base}/{path}", json=body).status_code == 200
        except httpx.TransportError:
            time.sleep(0.01)
            return False


def test_every_acknowledged_event_is_in_the_lake_exactly_once_though_processes_are_killed(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    publish_key(tmp_path)
    port = free_port()
    stop_sending = threading.Event()
    senders = [PlainSender(f"plain{at}", port, stop_sending, random.Random(SEED + at)) for at in range(3)]
    door, flush = start_door(tmp_path, port), start_flush(tmp_path)
    with RecordingProxy(port) as proxy:
        sdk = Client(KEY, host=proxy.url, upload_size=10, upload_interval=0.02, max_retries=1000)
        for thread in senders:
            thread.start()
        try:
            for _ in range(KILLS):
                kill_at = time.monotonic() + chance.uniform(0.05, 0.6)
                while time.monotonic() < kill_at:
                    sdk.track("u1", "Task Completed", {"at": time.monotonic()})
                    time.sleep(0.002)
                victim = door if chance.random() < 0.7 else flush
                victim.kill()
                victim.wait()
                door, flush = (start_door(tmp_path, port), flush) if victim is door else (door, start_flush(tmp_path))
            sdk.shutdown()
            eventually(lambda: sum(len(sender.acknowledged) for sender in senders) > 20 * KILLS, "the senders are answered")
        finally:
            stop_sending.set()
            for sender in senders:
                sender.join()
            for process in (door, flush):
                process.terminate()
                process.wait()
    lake = Lake(str(tmp_path / "lake"))
    with Index(tmp_path / "index") as index:
        Flush(tmp_path / "log", lake, index).once()
        outcomes = index.counts("shop")
    stored = Counter(event_ids(lake))
    by_sdk = proxy.acknowledged
    acknowledged = by_sdk.union(*(sender.acknowledged for sender in senders))
    assert len(by_sdk) > 5 * KILLS
    assert sorted(acknowledged - set(stored)) == []
    assert [event_id for event_id, times in stored.items() if times > 1] == []
    assert outcomes["accepted"] == len(stored)


@pytest.mark.parametrize("step", ["in hand", "claimed", "stored events", "stored rejected", "indexed", "retired"])
def test_a_flush_whose_process_is_gone_after_any_step_is_done_again_with_the_same_end(tmp_path: Path, step: str) -> None:
    write_log(tmp_path / "log", [batch(track("a"), track("b"), track("a"), {"type": "odd"})]).release()
    gone = subprocess.run([sys.executable, "-m", "tests.ingest.flush_process", str(tmp_path), step], check=False)
    assert gone.returncode == 9
    lake = Lake(str(tmp_path / "lake"))
    with Index(tmp_path / "index") as index:
        Flush(tmp_path / "log", lake, index).once()
        assert index.counts("shop") == {"accepted": 2, "duplicate": 1, "rejected:unknown_type": 1}
    assert event_ids(lake) == ["a", "b"]
    assert log_folder.sealed_segments(tmp_path / "log" / "0001") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


class Writer:
    """Appends events with a kilobyte of noise each, and remembers which were acknowledged."""

    def __init__(self, log: Log) -> None:
        self.acknowledged: list[str] = []
        self._log = log
        self._number = 0

    async def write(self) -> None:
        self._number += 1
        event_id = f"e{self._number}"
        call = track(event_id, properties={"noise": os.urandom(1000).hex()})
        await self._log.append("shop", "web", "/v1/track", "", "", json.dumps(call).encode())
        self.acknowledged.append(event_id)

    async def write_until_full(self) -> LogFull:
        try:
            while True:
                await self.write()
        except LogFull as full:
            return full


def sealed_records(log: Log) -> int:
    return sum(1 for segment in log_folder.sealed_segments(log.folder.path) for _ in read_segment(segment))


async def recovered(log: Log) -> None:
    await soon(lambda: log.healthy() is None, "the log stores again")


def test_a_log_that_fills_the_disk_refuses_loses_nothing_and_the_flush_makes_room(small_disk: Path) -> None:
    async def run() -> list[str]:
        log = Log.open(small_disk / "log", LogSettings(pulse=0.05, segment_age=0.05))
        writer = Writer(log)
        for _ in range(3):
            full = await writer.write_until_full()
            assert full.retry_after > 0
            assert log.healthy() is not None
            await soon(lambda: bool(log_folder.sealed_segments(log.folder.path)), "a segment is sealed")
            assert await asyncio.to_thread(flush.once) > 0
            await recovered(log)
        await writer.write()
        log.close()
        flush.once()
        return writer.acknowledged

    lake = Lake(str(small_disk / "lake"))
    with Index(small_disk / "index") as index:
        flush = Flush(small_disk / "log", lake, index)
        acknowledged = asyncio.run(run())
    assert len(acknowledged) > 3000
    assert event_ids(lake) == acknowledged


@pytest.mark.parametrize("room", [0, 150_000], ids=["no room", "room for the index, not for the lake"])
def test_a_disk_filled_by_others_stops_log_and_flush_and_both_go_on_when_there_is_room(small_disk: Path, room: int) -> None:
    async def run() -> list[str]:
        log = Log.open(small_disk / "log", LogSettings(pulse=0.05, segment_age=0.05))
        writer = Writer(log)
        for _ in range(1000):
            await writer.write()
        fill(small_disk / "ballast", room)
        await writer.write_until_full()
        await soon(
            lambda: sealed_records(log) == len(writer.acknowledged), "the last segment is sealed though the disk is full"
        )
        with pytest.raises(Exception, match=r"(?i)space|full|os error 28"):
            await asyncio.to_thread(flush.once)
        assert log_folder.sealed_segments(log.folder.path)
        stored = event_ids(lake)
        assert stored == writer.acknowledged[: len(stored)]
        assert len(stored) < len(writer.acknowledged)
        (small_disk / "ballast").unlink()
        await recovered(log)
        await writer.write()
        log.close()
        flush.once()
        return writer.acknowledged

    lake = Lake(str(small_disk / "lake"))
    with Index(small_disk / "index") as index:
        flush = Flush(small_disk / "log", lake, index)
        acknowledged = asyncio.run(run())
    assert event_ids(lake) == acknowledged
    assert len(acknowledged) >= 1001


def fill(path: Path, room: int) -> None:
    """Leave ``room`` bytes on the disk."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC
        file.truncate(file.tell() - room)
