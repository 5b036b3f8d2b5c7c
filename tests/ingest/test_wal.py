"""The log: what it acknowledges is there after any crash, in order, once."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import threading
from pathlib import Path

import pytest

from ingest import log_folder
from ingest.errors import CorruptSegment, LogFull, LogUnavailable
from ingest.log_folder import LogFolder
from ingest.record import HEADER_BYTES, Record, encode, read_segment, whole_length
from ingest.segment_file import SegmentFile
from ingest.wal import Log, LogSettings
from tests.patience import PATIENCE, soon

CALM = LogSettings(segment_age=3600, pulse=3600)


def record(body: bytes, received_at: int = 1) -> Record:
    return Record(received_at, "shop", "web", "/v1/track", "::1", "agent", body)


async def send(log: Log, body: bytes) -> None:
    await log.append("shop", "web", "/v1/track", "127.0.0.1", "agent/1", body)


def bodies(root: Path) -> list[bytes]:
    """Everything below a log root, by log and segment, sealed or not."""
    segments = [path for folder in log_folder.folders(root) for path in sorted(folder.glob("*.*")) if path.stem.isdigit()]
    return [found.body for path in segments for _, found in read_segment(path)]


def test_what_was_appended_is_read_back_with_all_its_fields(tmp_path: Path) -> None:
    async def run() -> None:
        log = Log.open(tmp_path, CALM, now=lambda: 1_700_000_000_000_000)
        await log.append("shop", "wëb", "/v1/batch", "::1", "agent \ud800", b"\x00\xff")
        log.close()

    asyncio.run(run())
    [segment] = log_folder.sealed_segments(tmp_path / "0001")
    assert list(read_segment(segment)) == [
        (HEADER_BYTES, Record(1_700_000_000_000_000, "shop", "wëb", "/v1/batch", "::1", "agent ?", b"\x00\xff"))
    ]


def test_many_senders_share_one_sync_and_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    real = os.fdatasync

    def counted(descriptor: int) -> None:
        syncs.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)

    async def run() -> None:
        log = Log.open(tmp_path, CALM)
        await asyncio.gather(*(send(log, b"%04d" % number) for number in range(500)))
        log.close()

    asyncio.run(run())
    assert bodies(tmp_path) == [b"%04d" % number for number in range(500)]
    assert len(syncs) < 50


def test_received_at_never_runs_backwards_when_the_clock_does(tmp_path: Path) -> None:
    clock = iter([100, 100, 90, 110, 80, 80, 80, 80])

    async def run() -> None:
        log = Log.open(tmp_path, CALM, now=lambda: next(clock, 80))
        for _ in range(3):
            await send(log, b"x")
        log.close()

    asyncio.run(run())
    [segment] = log_folder.sealed_segments(tmp_path / "0001")
    times = [found.received_at for _, found in read_segment(segment)]
    assert times == sorted(times)


def test_a_torn_tail_is_cut_at_every_byte_of_the_last_record(tmp_path: Path) -> None:
    folder = LogFolder.claim(tmp_path)
    segment = SegmentFile.create(folder.path, folder.identity, folder.take_number())
    segment.append([encode(record(b"whole")), encode(record(b"last"))], 1)
    data = segment.path.read_bytes()
    begin = HEADER_BYTES + len(encode(record(b"whole")))
    for length in range(begin, len(data)):
        segment.path.write_bytes(data[:length])
        assert [found.body for _, found in read_segment(segment.path)] == [b"whole"]
        folder.seal_leftovers()
        sealed = segment.path.with_suffix(".segment")
        assert sealed.read_bytes() == data[:begin]
        sealed.unlink()
    segment.path.write_bytes(data)
    segment.seal()
    folder.release()


def test_a_tail_of_zeros_or_garbage_is_cut_too(tmp_path: Path) -> None:
    folder = LogFolder.claim(tmp_path)
    whole = encode(record(b"whole"))
    for number, tail in enumerate((bytes(5000), os.urandom(5000), whole[:-1] + b"\x00", whole[:12]), 1):
        segment = SegmentFile.create(folder.path, folder.identity, number)
        segment.append([whole], 1)
        with segment.path.open("ab") as file:
            file.write(tail)
        os.close(segment._descriptor)  # the process dies here
    folder.seal_leftovers()
    folder.release()
    assert bodies(tmp_path) == [b"whole"] * 4
    assert {path.stat().st_size for path in log_folder.sealed_segments(folder.path)} == {HEADER_BYTES + len(whole)}


def test_damage_in_the_middle_is_named_with_its_position_and_can_be_passed_over(tmp_path: Path) -> None:
    folder = LogFolder.claim(tmp_path)
    segment = SegmentFile.create(folder.path, folder.identity, 1)
    frame = encode(record(b"12345"))
    segment.append([frame, frame, frame], 1)
    segment.seal()
    folder.release()
    [path] = log_folder.sealed_segments(folder.path)
    data = bytearray(path.read_bytes())
    second = HEADER_BYTES + len(frame)
    data[second + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptSegment) as caught:
        list(read_segment(path))
    assert caught.value.position == second
    holes: list[tuple[int, int]] = []
    assert len(list(read_segment(path, lambda first, behind: holes.append((first, behind))))) == 2
    assert holes == [(second, second + len(frame))]


def test_a_segment_of_another_format_is_refused(tmp_path: Path) -> None:
    folder = LogFolder.claim(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.record.FORMAT", 2)
        SegmentFile.create(folder.path, folder.identity, 1).append([encode(record(b"x"))], 1)
    folder.release()
    with pytest.raises(CorruptSegment, match="format 1, this one is of 2"):
        list(read_segment(folder.path / "000000000001.open"))


def test_an_old_segment_is_sealed_without_traffic_and_an_empty_one_is_not(tmp_path: Path) -> None:
    async def run() -> None:
        log = Log.open(tmp_path, LogSettings(segment_age=0.05, pulse=0.02))
        await send(log, b"x")
        await soon(lambda: bool(log_folder.sealed_segments(log.folder.path)), "it is sealed")
        await asyncio.sleep(0.1)
        assert len(log_folder.sealed_segments(log.folder.path)) == 1
        log.close()
        assert len(list(log.folder.path.glob("0*"))) == 1

    asyncio.run(run())


def test_a_full_segment_is_sealed_and_numbers_go_on(tmp_path: Path) -> None:
    async def run() -> None:
        log = Log.open(tmp_path, LogSettings(segment_bytes=1000, segment_age=3600, reserve_bytes=0))
        for _ in range(5):
            await send(log, bytes(600))
        log.close()

    asyncio.run(run())
    assert [log_folder.number_of(path) for path in log_folder.sealed_segments(tmp_path / "0001")] == [1, 2, 3]


def test_numbers_never_restart_though_all_segments_were_retired(tmp_path: Path) -> None:
    async def run() -> int:
        log = Log.open(tmp_path, CALM)
        await send(log, b"x")
        log.close()
        [segment] = log_folder.sealed_segments(log.folder.path)
        segment.unlink()
        return log_folder.number_of(segment)

    numbers = [asyncio.run(run()) for _ in range(3)]
    assert numbers == sorted(set(numbers))


def test_a_held_log_is_not_claimed_twice_and_a_released_one_is_claimed_again(tmp_path: Path) -> None:
    first, second = Log.open(tmp_path), Log.open(tmp_path)
    assert (first.folder.path.name, second.folder.path.name) == ("0001", "0002")
    assert first.folder.identity != second.folder.identity
    first.close()
    third = Log.open(tmp_path)
    assert third.folder.path == first.folder.path
    assert third.folder.identity == first.folder.identity
    second.close()
    third.close()


def test_the_queue_is_bounded_in_bytes(tmp_path: Path) -> None:
    async def run() -> list[BaseException | None]:
        log = Log.open(tmp_path, LogSettings(queue_bytes=1000))
        answers = await asyncio.gather(*(send(log, bytes(400)) for _ in range(4)), return_exceptions=True)
        await send(log, bytes(5000))  # larger than the queue, but alone
        log.close()
        return answers

    answers = asyncio.run(run())
    assert [type(answer) for answer in answers] == [type(None), type(None), LogFull, LogFull]
    assert len(bodies(tmp_path)) == 3


def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    log = Log.open(tmp_path)
    log.close()
    log.close()
    with pytest.raises(LogUnavailable):
        asyncio.run(send(log, b"x"))
    assert log_folder.read_beat(log.folder.path) == log_folder.CLOSED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_the_writer_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(SegmentFile, "append", surprise)

    async def run() -> list[BaseException | None]:
        log = Log.open(tmp_path)
        answers = [*await asyncio.gather(send(log, b"x"), return_exceptions=True)]
        await soon(lambda: log.healthy() is not None, "it knows that its writer is gone")
        return [*answers, *await asyncio.gather(send(log, b"y"), return_exceptions=True)]

    assert [type(answer) for answer in asyncio.run(run())] == [LogUnavailable, LogUnavailable]


class Fails:
    """A system call that fails with ``error`` while armed, having written ``torn`` bytes if it is a write."""

    def __init__(self, name: str, error: int, torn: int = 0) -> None:
        self.real = getattr(os, name)
        self.error = error
        self.torn = torn
        self.armed = False

    def __call__(self, descriptor: int, *arguments: object) -> object:
        if not self.armed:
            return self.real(descriptor, *arguments)
        if self.torn:
            buffers, at = arguments
            assert isinstance(buffers, list)
            os.pwrite(descriptor, bytes(buffers[0])[: self.torn], at)  # type: ignore[arg-type]
        raise OSError(self.error, os.strerror(self.error))


@pytest.mark.parametrize(
    ("call", "error", "torn", "refusal", "segments"),
    [
        ("pwritev", errno.ENOSPC, 30, LogFull, 1),
        ("pwritev", errno.EIO, 30, LogUnavailable, 2),
        ("fdatasync", errno.EIO, 0, LogUnavailable, 2),
        ("fdatasync", errno.ENOSPC, 0, LogFull, 2),  # a file whose sync failed is never written again
    ],
)
def test_a_failed_commit_is_refused_leaves_no_trace_and_the_log_heals(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    error: int,
    torn: int,
    refusal: type[Exception],
    segments: int,
) -> None:
    fails = Fails(call, error, torn)
    monkeypatch.setattr(os, call, fails)

    async def run() -> None:
        log = Log.open(tmp_path, CALM)
        await send(log, b"before")
        fails.armed = True
        with pytest.raises(refusal):
            await send(log, b"refused")
        assert log.healthy()
        fails.armed = False
        await send(log, b"after")
        assert log.healthy() is None
        log.close()

    asyncio.run(run())
    assert bodies(tmp_path) == [b"before", b"after"]
    assert len(log_folder.sealed_segments(tmp_path / "0001")) == segments


def test_a_log_without_traffic_notices_that_the_disk_is_full_and_that_it_has_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [1 << 40]
    monkeypatch.setattr("ingest.wal.free_bytes", lambda folder: free[0])

    async def run() -> None:
        log = Log.open(tmp_path, LogSettings(pulse=0.01))
        free[0] = 10
        await soon(lambda: log.healthy() is not None, "it notices")
        with pytest.raises(LogFull) as caught:
            await send(log, b"x")
        assert caught.value.retry_after > 0
        free[0] = 1 << 40
        await soon(lambda: log.healthy() is None, "it has room again")
        await send(log, b"y")
        log.close()

    asyncio.run(run())
    assert bodies(tmp_path) == [b"y"]


@pytest.mark.parametrize("seed", range(int(os.environ.get("JCURVE_TEST_LOG_SEEDS", "12"))))
def test_the_log_behaves_like_a_list_under_random_actions_and_crashes(tmp_path: Path, seed: int) -> None:
    """A crash loses any part of what was not synced: here, any bytes behind the synced length, or bits within them."""
    chance = random.Random(seed)
    expected: list[bytes] = []  # what was acknowledged
    floating: set[bytes] = set()  # what was not: it may be there, once, or not
    folder = LogFolder.claim(tmp_path)
    segment: SegmentFile | None = None
    for step in range(150):
        action = chance.choices(("append", "crash", "rotate"), (8, 1, 1))[0]
        if action == "append":
            segment = segment or SegmentFile.create(folder.path, folder.identity, folder.take_number())
            group = [b"%d-%d" % (step, at) + chance.randbytes(chance.randrange(200)) for at in range(chance.randrange(1, 5))]
            segment.append([encode(record(body, step)) for body in group], step)
            expected += group
        elif segment and action == "rotate":
            segment.seal()
            segment = None
        elif segment and action == "crash":
            lost = [b"lost-%d-%d" % (step, at) for at in range(3)]
            tail = b"".join(encode(record(body, step)) for body in lost)
            tail = tail[: chance.randrange(len(tail) + 1)]
            if tail and chance.random() < 0.5:
                spoilt = bytearray(tail)
                spoilt[chance.randrange(len(tail))] ^= 0xFF
                tail = bytes(spoilt)
            floating.update(lost)
            with segment.path.open("ab") as file:
                file.write(tail)
            os.close(segment._descriptor)
            segment = None
            folder.release()
            folder = LogFolder.claim(tmp_path)
            folder.seal_leftovers()
    if segment:
        segment.seal()
    folder.release()
    found = [
        entry.body
        for path in log_folder.sealed_segments(folder.path)
        for _, entry in read_segment(path, lambda first, behind: None)
    ]
    assert [body for body in found if body not in floating] == expected
    assert len(found) == len(set(found))


def test_a_flood_by_one_source_leaves_the_queue_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = threading.Event()
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        disk.wait(PATIENCE)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)

    async def run() -> tuple[int, int]:
        log = Log.open(tmp_path, LogSettings(queue_bytes=100_000))
        sent: list[asyncio.Future[None]] = []

        def refused(source: str, count: int) -> int:
            refusals = 0
            for _ in range(count):
                try:
                    sent.append(log.append("shop", source, "/v1/track", "", "", bytes(1000)))
                except LogFull:
                    refusals += 1
            return refusals

        found = refused("flood", 1000), refused("web", 10)
        await asyncio.sleep(0.05)
        assert refused("flood", 10) == 10  # what the writer has in hand counts
        disk.set()
        await asyncio.gather(*sent)
        assert refused("flood", 10) == 0
        log.close()
        return found

    assert asyncio.run(run()) == (925, 0)


def test_a_start_after_a_crash_reads_only_what_was_not_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = [encode(record(bytes(1000)))]
    folder = LogFolder.claim(tmp_path)
    for number in range(13):
        segment = SegmentFile.create(folder.path, folder.identity, folder.take_number())
        for _ in range(15):
            segment.append(group, 1)
        if number < 12:
            segment.seal()
    os.close(segment._descriptor)
    folder.release()
    read: list[Path] = []

    def reading(path: Path) -> int:
        read.append(path)
        return whole_length(path)

    monkeypatch.setattr("ingest.log_folder.whole_length", reading)
    Log.open(tmp_path).close()
    assert len(log_folder.sealed_segments(tmp_path / "0001")) == 13
    assert read == [segment.path]
