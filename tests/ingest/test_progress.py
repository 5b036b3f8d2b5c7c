from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest import log_folder
from ingest.log_folder import CLOSED
from ingest.progress import Completeness, complete_until
from ingest.record import encode, read_segment
from ingest.segment_file import SegmentFile
from ingest.wal import Log, LogSettings
from tests.ingest.world import NOON, SECOND, add_segment, batch, track, write_log

AT_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def test_without_logs_everything_is_complete(tmp_path: Path) -> None:
    assert complete_until(tmp_path / "none", AT_NOON) == Completeness(AT_NOON, None)


def test_a_living_log_that_is_flushed_is_complete_to_its_beat(tmp_path: Path) -> None:
    folder = write_log(tmp_path)
    folder.beat(NOON - SECOND // 2)
    assert complete_until(tmp_path, AT_NOON) == Completeness(AT_NOON - seconds(0.5), None)
    folder.release()


def test_the_oldest_event_that_waits_holds_the_mark_and_the_log_is_named_when_it_waits_long(tmp_path: Path) -> None:
    folder = write_log(tmp_path, [batch(track("a"), at=NOON - 3 * SECOND)], [batch(track("b"), at=NOON - SECOND)])
    folder.beat(NOON)
    assert complete_until(tmp_path, AT_NOON) == Completeness(AT_NOON - seconds(3), None)
    late = complete_until(tmp_path, AT_NOON + seconds(60))
    assert late.until == AT_NOON - seconds(3)
    assert late.held_back_by == "log 0001: its oldest event is not in the lake; is the flush running?"
    folder.release()


def test_an_event_in_the_segment_being_written_holds_the_mark_too(tmp_path: Path) -> None:
    folder = write_log(tmp_path)
    segment = SegmentFile.create(folder.path, folder.identity, folder.take_number())
    folder.beat(NOON)
    assert complete_until(tmp_path, AT_NOON).until == AT_NOON
    segment.append([encode(batch(track("a"), at=NOON - SECOND))], NOON - SECOND)
    assert complete_until(tmp_path, AT_NOON).until == AT_NOON - seconds(1)
    segment.seal()
    folder.release()


def test_a_silent_log_holds_the_mark_at_its_beat_and_is_named(tmp_path: Path) -> None:
    living, silent = write_log(tmp_path), write_log(tmp_path, name="0002")
    living.beat(NOON)
    silent.beat(NOON - 11 * SECOND)
    found = complete_until(tmp_path, AT_NOON)
    assert found == Completeness(AT_NOON - seconds(11), "log 0002 is silent; is its collector running?")
    silent.beat(CLOSED)
    assert complete_until(tmp_path, AT_NOON) == Completeness(AT_NOON, None)
    living.release()
    silent.release()


def test_a_closed_log_holds_the_mark_until_it_is_flushed(tmp_path: Path) -> None:
    folder = write_log(tmp_path)
    path = add_segment(folder, [batch(track("a"), at=NOON - 20 * SECOND)])
    folder.beat(CLOSED)
    folder.release()
    assert complete_until(tmp_path, AT_NOON).until == AT_NOON - seconds(20)
    path.unlink()
    assert complete_until(tmp_path, AT_NOON) == Completeness(AT_NOON, None)


def test_every_event_that_is_not_yet_written_was_received_at_or_after_the_beat(tmp_path: Path) -> None:
    async def run() -> list[int]:
        log = Log.open(tmp_path, LogSettings(pulse=0.0, segment_age=3600))
        beats = []
        for number in range(300):
            beat = log_folder.read_beat(log.folder.path)
            assert beat is not None
            beats.append(beat)
            await log.append("shop", "web", "/v1/track", "", "", b"%d" % number)
        log.close()
        return beats

    beats = asyncio.run(run())
    [segment] = log_folder.sealed_segments(tmp_path / "0001")
    received = [record.received_at for _, record in read_segment(segment)]
    assert len(received) == 300
    assert all(beat <= at for beat, at in zip(beats, received, strict=True))
    assert log_folder.read_beat(tmp_path / "0001") == CLOSED
