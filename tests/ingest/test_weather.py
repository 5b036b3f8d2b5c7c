"""Bad weather and random actions: after it, what was acknowledged is in the lake, once, and nothing else but what may be.

``JCURVE_TEST_WEATHER_SEEDS=50`` runs the model that often (default 4).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import random
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ingest import log_folder
from ingest.errors import LogUnavailable, Unavailable
from ingest.flush import Flush
from ingest.ids import Index
from ingest.lake import Lake
from ingest.record import encode
from ingest.wal import Log, LogSettings
from tests.api.processes import jcurve
from tests.ingest.world import NOON, SECOND, batch, event_ids, track
from tests.patience import PATIENCE, soon

SEEDS = int(os.environ.get("JCURVE_TEST_WEATHER_SEEDS", "4"))
QUICK = LogSettings(segment_age=0.02, pulse=0.02)
DAY = 86_400 * SECOND


async def append(log: Log, *ids: str) -> None:
    body = json.dumps({"batch": [track(event_id) for event_id in ids]}).encode()
    await log.append("shop", "web", "/v1/batch", "", "", body)


async def sealed(log: Log, count: int) -> None:
    await soon(lambda: len(log_folder.sealed_segments(log.folder.path)) >= count, "so many segments are sealed")


def flushed(data: Path) -> list[str]:
    lake = Lake(str(data / "lake"))
    with Index(data / "index") as index:
        Flush(data / "log", lake, index).once()
    return event_ids(lake)


@pytest.mark.parametrize("away", ["renamed", "a file in its place"])
def test_events_wait_in_the_log_while_the_lake_is_away_and_come_when_it_is_back(tmp_path: Path, away: str) -> None:
    lake_root, elsewhere = tmp_path / "lake", tmp_path / "elsewhere"
    lake = Lake(str(lake_root))
    stop = threading.Event()

    async def run() -> None:
        log = Log.open(tmp_path / "log", QUICK)
        await append(log, "before")
        await soon(lambda: lake.open("shop", "events") is not None, "the lake is made")
        await soon(lambda: log_folder.sealed_segments(log.folder.path) == [], "what is stored leaves the log")
        lake_root.rename(elsewhere)
        lake_root.write_text("the lake's disk is not mounted")
        for number in range(30):
            await append(log, f"e{number}", "before")
            await sealed(log, min(number, 4))
        lake_root.unlink()
        if away == "renamed":
            elsewhere.rename(lake_root)
        else:
            shutil.copytree(elsewhere, lake_root)
        await append(log, "after")
        log.close()

    with Index(tmp_path / "index") as index:
        flusher = threading.Thread(target=Flush(tmp_path / "log", lake, index).run, args=(stop,))
        flusher.start()
        try:
            asyncio.run(run())
        finally:
            stop.set()
            flusher.join()
    assert sorted(flushed(tmp_path)) == sorted(["before", "after", *(f"e{number}" for number in range(30))])


def test_a_clock_that_jumps_back_and_forth_costs_no_event_and_doubles_none(tmp_path: Path) -> None:
    moments = [NOON, NOON - DAY, NOON + DAY, NOON - 20 * DAY, NOON]
    for number, moment in enumerate(moments):

        async def run(moment: int = moment, number: int = number) -> None:
            clock = iter([moment, moment - DAY, moment + SECOND, moment - SECOND])
            log = Log.open(tmp_path / "log", LogSettings(segment_age=3600, pulse=3600), now=lambda: next(clock, moment))
            for at in range(4):
                await append(log, f"e{number}-{at}", "sent again and again")
            log.close()

        asyncio.run(run())
        flushed(tmp_path)
    expected = [f"e{number}-{at}" for number in range(len(moments)) for at in range(4)]
    assert sorted(flushed(tmp_path)) == [*expected, "sent again and again"]


@dataclass
class ReadOnly:
    """Every system call that would change the disk fails, while armed, as after the kernel's ``remount-ro``."""

    armed: bool = False
    real: dict[str, Callable[..., object]] = field(default_factory=dict)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("pwritev", "pwrite", "fdatasync", "fsync", "ftruncate", "rename", "unlink", "open"):
            self.real[name] = getattr(os, name)
            patch.setattr(os, name, lambda *given, name=name, **named: self.call(name, *given, **named))

    def call(self, name: str, *given: object, **named: object) -> object:
        if self.armed and (name != "open" or any(isinstance(flag, int) and flag & os.O_CREAT for flag in given[1:])):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return self.real[name](*given, **named)


def test_a_disk_that_turns_read_only_refuses_and_the_log_goes_on_when_it_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = ReadOnly()
    disk.install(monkeypatch)

    async def run() -> None:
        log = Log.open(tmp_path / "log", QUICK)
        await append(log, "before")
        disk.armed = True
        for _ in range(5):
            with pytest.raises(LogUnavailable, match="Read-only file system"):
                await append(log, "refused")
            await asyncio.sleep(0.02)
        assert log.healthy() is not None
        disk.armed = False
        await soon(lambda: log.healthy() is None, "the log stores again")
        await append(log, "after")
        log.close()

    asyncio.run(asyncio.wait_for(run(), PATIENCE))
    assert flushed(tmp_path) == ["before", "after"]


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount")
    command = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a read-only disk needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_collector_on_a_read_only_disk_says_so_and_does_not_start(read_only_disk: Path) -> None:
    refused = jcurve("collect", "--port", "0", data=read_only_disk / "data", expect=2)
    assert "Read-only file system" in refused.stderr
    assert refused.stdout == ""


class Gone(Exception):
    """The flush' process, at one of its steps."""


def _copied(before: Path, after: Path) -> bool:
    """Whether all that stood there could be copied: not where the log's writer sealed a segment meanwhile."""
    try:
        shutil.copytree(before, after)
    except shutil.Error:
        return False
    return True


class Model:
    """A collector and its flush in one process. A crash goes on with a copy of what is on disk, its tail torn or spoilt."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.acknowledged: set[str] = set()
        self.uncertain: set[str] = set()  # refused, or in flight at a crash: there once, or not at all
        self._root = root
        self._chance = chance
        self._life = 0
        self._number = 0
        self._clock = NOON
        self._start()

    @property
    def data(self) -> Path:
        return self._root / str(self._life)

    def _start(self) -> None:
        self.log = Log.open(self.data / "log", LogSettings(segment_age=3600, pulse=3600, queue_bytes=3000), now=self._now)

    def _now(self) -> int:
        self._clock += self._chance.choice((1, 1, SECOND, -SECOND, -3600 * SECOND, 3600 * SECOND))
        return self._clock

    def send(self) -> None:
        """Batches at the same time, with ids that are new, sent before, or twice in a batch; the queue may refuse some."""
        known = sorted(self.acknowledged | self.uncertain)
        batches = []
        for _ in range(self._chance.randrange(1, 8)):
            self._number += 3
            fresh = [f"e{self._number + at}" for at in range(self._chance.randrange(1, 4))]
            batches.append([*fresh, *self._chance.sample(known, min(len(known), self._chance.randrange(3))), fresh[0]])
        for ids, answer in zip(batches, asyncio.run(self._all(batches)), strict=True):
            if answer is None:
                self.acknowledged.update(ids)
            else:
                assert isinstance(answer, Unavailable)
                self.uncertain.update(ids)

    async def _all(self, batches: list[list[str]]) -> list[BaseException | None]:
        return list(await asyncio.gather(*(append(self.log, *ids) for ids in batches), return_exceptions=True))

    def restart(self) -> None:
        self.log.close()
        self._start()

    def crash(self) -> None:
        """In flight: records of which any part, whole or spoilt, may be on disk."""
        before = self.data
        self._life += 1
        while not _copied(before, self.data):
            shutil.rmtree(self.data)
        self.log.close()
        shutil.rmtree(before)
        for path in log_folder.open_segments(self.data / "log" / "0001"):
            self._number += 3
            lost = [f"e{self._number + at}" for at in range(3)]
            self.uncertain.update(lost)
            tail = bytearray(b"".join(encode(batch(track(event_id), at=self._clock)) for event_id in lost))
            del tail[self._chance.randrange(len(tail) + 1) :]
            if tail and self._chance.random() < 0.5:
                tail[self._chance.randrange(len(tail))] ^= 0xFF
            with path.open("ab") as file:
                file.write(bytes(tail) + bytes(self._chance.choice((0, 0, 5000))))
        self._start()

    def flush(self) -> None:
        """Of what is sealed; its process may be gone after any of its steps."""
        left = self._chance.choice((1, 2, 3, 4, 5, 1000))

        def step(_: str) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Gone

        with Index(self.data / "index") as index, contextlib.suppress(Gone):
            Flush(self.data / "log", Lake(str(self.data / "lake")), index, at=step).once()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_actions_end_as_a_simple_model_says(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    model = Model(tmp_path, chance)
    for _ in range(40):
        chance.choices((model.send, model.restart, model.crash, model.flush), (5, 2, 2, 3))[0]()
    model.log.close()
    stored = Counter(flushed(model.data))
    assert len(model.acknowledged) > 20
    assert sorted(model.acknowledged - set(stored)) == []
    assert sorted(set(stored) - model.acknowledged - model.uncertain) == []
    assert [event_id for event_id, times in stored.items() if times > 1] == []
