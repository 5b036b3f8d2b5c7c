from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ingest import flush as flush_module
from ingest import log_folder
from ingest.actor import actor_id
from ingest.event import EVENTS, REJECTED
from ingest.flush import Flush
from ingest.ids import Index
from ingest.lake import Lake
from ingest.protocols import decode
from ingest.protocols.family import Decoded
from ingest.record import HEADER_BYTES, Record, encode
from ingest.segment_file import SegmentFile
from ingest.tombstones import Tombstones
from ingest.wal import Log
from tests.ingest.world import NOON, SECOND, add_segment, batch, event_ids, rows, track, write_log
from tests.patience import eventually, soon


def flush(data: Path, at: Callable[[str], None] = lambda step: None) -> int:
    with Index(data / "index") as index:
        tombstones = Tombstones(data / "forgotten.json")
        return Flush(data / "log", Lake(str(data / "lake")), index, tombstones=tombstones, at=at).once()


def outcomes(data: Path, project: str = "shop") -> dict[str, int]:
    with Index(data / "index") as index:
        return {label: number for label, number in index.counts(project).items() if number}


def test_a_call_becomes_a_row_with_every_column_of_the_schema(tmp_path: Path) -> None:
    folder = write_log(tmp_path / "log", [batch(track("m1", timestamp="2025-12-31T23:59:59.5Z"))])
    folder.release()
    assert flush(tmp_path) == 1
    lake = Lake(str(tmp_path / "lake"))
    [row] = rows(lake, "shop", "events")
    assert set(row) == set(EVENTS.names)
    assert {name: row[name] for name in ("event_id", "kind", "event", "user_id", "actor_id", "source", "month", "log")} == {
        "event_id": "m1",
        "kind": "track",
        "event": "Task Completed",
        "user_id": "u1",
        "actor_id": actor_id("user", "u1"),
        "source": "web",
        "month": "2025-12",
        "log": folder.identity,
    }
    assert row["received_at"] == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert row["original_time"] == datetime(2025, 12, 31, 23, 59, 59, 500_000, UTC)
    assert row["log_offset"] == 1 << 24
    assert log_folder.sealed_segments(folder.path) == []


def test_a_rejected_event_keeps_its_bytes_its_reason_and_its_place(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [batch(track("m1"), {"type": "track", "userId": "u", "messageId": "m2"})]).release()
    assert flush(tmp_path) == 1
    [row] = rows(Lake(str(tmp_path / "lake")), "shop", "rejected")
    assert set(row) == set(REJECTED.names)
    assert (row["reason"], row["event_id"], row["source"]) == ("missing_event", "m2", "web")
    assert row["path"] == "/v1/batch?~ip=127.0.0.1&~ua=test%2F1&~list=batch"  # what a replay needs of the request
    assert row["raw"] == b'{"type": "track", "userId": "u", "messageId": "m2"}'
    assert row["month"] == "2026-01"
    assert outcomes(tmp_path) == {"accepted": 1, "rejected:missing_event": 1}


def test_of_copies_the_first_stays_within_a_segment_over_segments_and_over_logs(tmp_path: Path) -> None:
    first = batch(track("a", "First"), track("b"), track("a", "Second"))
    write_log(tmp_path / "log", [first], [batch(track("b"), track("c"))]).release()
    write_log(tmp_path / "log", [batch(track("a"), track("d"), at=NOON + 1)], name="0002").release()
    assert flush(tmp_path) == 4
    lake = Lake(str(tmp_path / "lake"))
    assert sorted(event_ids(lake)) == ["a", "b", "c", "d"]
    assert [row["event"] for row in rows(lake, "shop", "events") if row["event_id"] == "a"] == ["First"]
    assert outcomes(tmp_path) == {"accepted": 4, "duplicate": 3}


def test_projects_are_kept_apart(tmp_path: Path) -> None:
    records = [batch(track("a"), project="shop"), batch(track("a"), track("b"), project="blog")]
    write_log(tmp_path / "log", records).release()
    assert flush(tmp_path) == 3
    lake = Lake(str(tmp_path / "lake"))
    assert event_ids(lake, "shop") == ["a"]
    assert event_ids(lake, "blog") == ["a", "b"]
    assert outcomes(tmp_path, "shop") == {"accepted": 1}
    assert outcomes(tmp_path, "blog") == {"accepted": 2}


def test_an_event_without_an_id_gets_one_from_its_place_and_it_is_unique(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [batch(track(None), track(None)), batch(track(None))], [batch(track(None))]).release()
    assert flush(tmp_path) == 4
    assert len(set(event_ids(Lake(str(tmp_path / "lake"))))) == 4


def test_places_rise_through_a_segment(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [batch(track("a"), track("b"), "no event"), batch(track("c"))]).release()
    flush(tmp_path)
    lake = Lake(str(tmp_path / "lake"))
    first = 1 << 24
    assert [row["log_offset"] for row in rows(lake, "shop", "events")] == [first, first + 1, first + 3]
    assert [row["log_offset"] for row in rows(lake, "shop", "rejected")] == [first + 2]


def test_a_group_of_any_number_of_calls_keeps_every_value_in_its_row(tmp_path: Path) -> None:
    sent = [track(f"m{number}", f"Event {number}", userId=f"u{number}") for number in range(300)]
    write_log(tmp_path / "log", [batch(*sent[:127]), batch(*sent[127:])]).release()
    assert flush(tmp_path) == 300
    found = rows(Lake(str(tmp_path / "lake")), "shop", "events")
    assert [(row["event_id"], row["event"], row["user_id"]) for row in found] == [
        (f"m{number}", f"Event {number}", f"u{number}") for number in range(300)
    ]


def test_many_small_segments_are_one_commit_and_a_project_without_events_has_none(tmp_path: Path) -> None:
    write_log(tmp_path / "log", *([batch(track(f"m{number}"))] for number in range(20))).release()
    assert flush(tmp_path) == 20
    lake = Lake(str(tmp_path / "lake"))
    assert len(lake.files("shop", "events")) == 1
    version = lake.version("shop", "events")
    assert flush(tmp_path) == 0
    assert lake.version("shop", "events") == version


def test_large_segments_are_commits_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flush_module, "GROUP_BYTES", 300)
    write_log(tmp_path / "log", *([batch(track(f"m{number}"))] for number in range(5))).release()
    assert flush(tmp_path) == 5
    lake = Lake(str(tmp_path / "lake"))
    assert len(lake.files("shop", "events")) == 5
    assert event_ids(lake) == ["m0", "m1", "m2", "m3", "m4"]


def test_what_a_dead_collector_left_open_is_flushed_and_a_living_ones_segment_is_not(tmp_path: Path) -> None:
    folder = write_log(tmp_path / "log")
    segment = SegmentFile.create(folder.path, folder.identity, folder.take_number())
    segment.append([encode(batch(track("a")))], NOON)
    folder.beat(NOON)
    assert flush(tmp_path) == 0
    folder.release()  # as the kernel does when a process dies
    assert flush(tmp_path) == 1
    assert log_folder.read_beat(folder.path) == log_folder.CLOSED
    os.close(segment._descriptor)


def test_a_damaged_segment_gives_what_can_be_read_and_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_log(tmp_path / "log")
    path = add_segment(folder, [batch(track("a")), batch(track("b")), batch(track("c"))])
    folder.release()
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + len(encode(batch(track("a")))) + 60] ^= 1
    path.write_bytes(data)
    assert flush(tmp_path) == 2
    assert event_ids(Lake(str(tmp_path / "lake"))) == ["a", "c"]
    assert [found.name for found in folder.path.glob("0*")] == ["000000000001.damaged"]
    assert "is damaged from byte" in caplog.text


def test_a_lake_that_is_away_loses_nothing_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(tmp_path / "log", [batch(track("a"))]).release()
    lake = Lake(str(tmp_path / "lake"))
    away = [True, True]
    real = Lake.append

    def append(self: Lake, *arguments: object, **options: object) -> bool:
        if away and away.pop():
            raise OSError("the lake is away")
        return real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "append", append)
    stop = threading.Event()
    with Index(tmp_path / "index") as index:
        worker = threading.Thread(target=Flush(tmp_path / "log", lake, index).run, args=(stop,))
        worker.start()
        eventually(lambda: bool(event_ids(lake)), "the flush tries again")
        stop.set()
        worker.join()
    assert event_ids(lake) == ["a"]
    assert outcomes(tmp_path) == {"accepted": 1}


def test_an_answered_event_comes_to_the_lake_by_itself(tmp_path: Path) -> None:
    async def send() -> None:
        log = Log.open(tmp_path / "log")
        await log.append("shop", "web", "/v1/track", "", "", json.dumps(track("a")).encode())
        await soon(lambda: bool(event_ids(lake)), "it is in the lake")
        log.close()

    lake = Lake(str(tmp_path / "lake"))
    stop = threading.Event()
    with Index(tmp_path / "index") as index:
        worker = threading.Thread(target=Flush(tmp_path / "log", lake, index).run, args=(stop,))
        worker.start()
        try:
            asyncio.run(send())
        finally:
            stop.set()
            worker.join()


class Crash(BaseException):
    """The process is gone; nothing below may catch it."""


STEPS = ("in hand", "claimed", "stored events", "stored rejected", "indexed", "retired")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_crash_after_any_step_changes_nothing_in_the_end(tmp_path: Path, step: str, nth: int) -> None:
    """Two logs, one id in both: what the first has stored must hold back the copy in the second, also after the crash."""
    write_log(
        tmp_path / "log",
        [batch(track("a"), track("b"), track("a"), {"type": "odd"}), batch(track("x"), {"type": "odd"}, project="blog")],
        [batch(track("b"), track("c"), None, at=NOON + SECOND)],
    ).release()
    write_log(tmp_path / "log", [batch(track("b"), track("d"), track("c"))], name="0002").release()
    times = [0]

    def crash(done: str) -> None:
        times[0] += done == step
        if done == step and times[0] == nth:
            raise Crash

    try:
        flush(tmp_path, crash)
    except Crash:
        # meanwhile a copy comes through a log that sorts before the one that crashed
        write_log(tmp_path / "log", [batch(track("a"), track("b"))], name="0000").release()
        duplicates = 6
    else:
        duplicates = 4  # the step does not come that often
    flush(tmp_path)
    lake = Lake(str(tmp_path / "lake"))
    assert sorted(event_ids(lake)) == ["a", "b", "c", "d"]
    assert event_ids(lake, "blog") == ["x"]
    assert [row["reason"] for row in rows(lake, "shop", "rejected")] == ["unknown_type", "not_an_object"]
    assert len(rows(lake, "blog", "rejected")) == 1
    assert outcomes(tmp_path) == {
        "accepted": 4,
        "duplicate": duplicates,
        "rejected:unknown_type": 1,
        "rejected:not_an_object": 1,
    }
    assert not any(log_folder.sealed_segments(path) for path in log_folder.folders(tmp_path / "log"))


def test_a_decoder_with_a_bug_costs_no_event_and_does_not_hold_up_the_log(tmp_path: Path) -> None:
    def broken(record: Record, mint: Callable[[int], str]) -> Decoded:
        if b"poison" in record.body:
            raise KeyError("surprise")
        return decode(record, mint)

    write_log(tmp_path / "log", [batch(track("poison")), batch(track("m1"))]).release()
    lake = Lake(str(tmp_path / "lake"))
    with Index(tmp_path / "index") as index:
        assert Flush(tmp_path / "log", lake, index, decoder=broken).once() == 1
    assert event_ids(lake) == ["m1"]
    (rejected,) = rows(lake, "shop", "rejected")
    assert rejected["reason"] == "unreadable" and b"poison" in bytes(str(rejected["raw"]), "utf-8")
    assert "the decoder of /v1/batch failed (KeyError('surprise'))" in str(rejected["detail"])


def test_the_size_limit_of_an_event_holds_inside_a_batch(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [batch(track("small"), track("big", properties={"text": "x" * 2_000}))]).release()
    lake = Lake(str(tmp_path / "lake"))
    with Index(tmp_path / "index") as index:
        Flush(tmp_path / "log", lake, index, decoder=partial(decode, max_event_bytes=1_000)).once()
    assert event_ids(lake) == ["small"]
    assert [row["reason"] for row in rows(lake, "shop", "rejected")] == ["too_large"]


DAYS = 86_400 * SECOND


def received(event_id: str, days: float, timestamp: str | None = None) -> Record:
    return batch(track(event_id, **({"timestamp": timestamp} if timestamp else {})), at=NOON + int(days * DAYS))


def send(data: Path, *records: Record) -> int:
    """Each record in a log of its own that has ended, flushed by a process that ends, too: a restart between any two."""
    stored = 0
    for record in records:
        write_log(data / "log", [record], name=f"{len(list((data / 'log').glob('*'))) + 1:04}").release()
        stored += flush(data)
    return stored


JANUARY, MARCH = "2026-01-01T10:00:00Z", "2026-03-20T10:00:00Z"


def test_a_copy_is_told_for_thirty_days_wherever_its_time_lies_and_over_the_border_of_a_month(tmp_path: Path) -> None:
    """Their times are those of their receipt, which lie in January and in February: only the limit tells them apart."""
    second = 1 / 86_400
    send(tmp_path, received("in", 20), received("on", 20), received("out", 20))
    assert send(tmp_path, received("in", 50 - second), received("on", 50), received("out", 50 + second)) == 1
    assert sorted(event_ids(Lake(str(tmp_path / "lake")))) == ["in", "on", "out", "out"]
    assert outcomes(tmp_path) == {"accepted": 4, "duplicate": 2}


def test_in_one_month_a_copy_is_told_without_limit_also_after_the_index_has_forgotten_it(tmp_path: Path) -> None:
    assert send(tmp_path, received("a", 0, JANUARY), received("b", 100, MARCH), received("c", 200)) == 3
    with Index(tmp_path / "index") as index:
        assert index.forgotten() > NOON + 60 * DAYS
    late = [received("a", 201, JANUARY), received("b", 202, MARCH), received("d", 203, JANUARY), received("d", 204, JANUARY)]
    assert send(tmp_path, *late) == 1
    assert sorted(event_ids(Lake(str(tmp_path / "lake")))) == ["a", "b", "c", "d"]
    assert outcomes(tmp_path) == {"accepted": 4, "duplicate": 3}


def test_a_late_copy_is_told_in_a_file_that_a_delete_has_written_again(tmp_path: Path) -> None:
    """As retention and who forgets a person do: Delta's delete leaves columns of another kind of text."""
    stored = batch(*(track(name, timestamp=JANUARY) for name in "abcd"))
    send(tmp_path, stored, received("later", 200))
    lake = Lake(str(tmp_path / "lake"))
    assert lake.delete("shop", "events", "event_id = 'b'") == 1
    assert send(tmp_path, received("a", 201, JANUARY), received("e", 201, JANUARY)) == 1
    assert sorted(event_ids(lake)) == ["a", "c", "d", "e", "later"]


def test_a_late_group_that_is_done_again_after_a_crash_is_no_copy_of_itself(tmp_path: Path) -> None:
    send(tmp_path, received("a", 0, JANUARY), received("b", 200))
    write_log(tmp_path / "log", [received("a", 201, JANUARY), received("z", 201, JANUARY)], name="0009").release()

    def crash(step: str) -> None:
        if step == "stored events":
            raise Crash

    with pytest.raises(Crash):
        flush(tmp_path, crash)
    flush(tmp_path)
    assert sorted(event_ids(Lake(str(tmp_path / "lake")))) == ["a", "b", "z"]
    assert outcomes(tmp_path) == {"accepted": 3, "duplicate": 1}


def test_a_log_that_is_not_flushed_yet_keeps_the_ids_that_its_events_need(tmp_path: Path) -> None:
    send(tmp_path, received("a", 0))
    old = write_log(tmp_path / "log", name="0008")
    waiting = SegmentFile.create(old.path, old.identity, old.take_number())
    waiting.append([encode(received("a", 29))], NOON + 29 * DAYS)
    old.beat(NOON + 29 * DAYS)
    send(tmp_path, received("b", 200))  # the log 0008 lives, and its segment is open
    with Index(tmp_path / "index") as index:
        assert index.forgotten() == 0
    waiting.seal()
    old.release()
    assert flush(tmp_path) == 0
    assert outcomes(tmp_path) == {"accepted": 2, "duplicate": 1}


def test_what_comes_under_a_forgotten_id_is_kept_out_and_counted(tmp_path: Path) -> None:
    def call(event_id: str, **more: object) -> dict[str, object]:
        return {"type": "track", "event": "Seen", "messageId": event_id} | more

    tombstones = Tombstones(tmp_path / "forgotten.json")
    tombstones.bury("shop", ["user:julia", "anonymous:device"])
    assert b"julia" not in (tmp_path / "forgotten.json").read_bytes()
    calls = [
        call("1", userId="julia"),
        call("2", anonymousId="device"),
        call("3", userId="bob", anonymousId="device"),
        {"type": "alias", "messageId": "4", "userId": "bob", "previousId": "julia"},
        {"type": "alias", "messageId": "5", "userId": "bob", "previousId": "device"},
        {"type": "track", "messageId": "6", "userId": "julia"},
        {"type": "track", "messageId": "7", "userId": "bob"},
        call("8", userId="device"),
        call("9", userId="julia", anonymousId="new"),
    ]
    paired = {"event_type": "Seen", "insert_id": "0", "user_id": "bob", "device_id": "device"}  # which links the two
    amplitude = Record(NOON, "shop", "web", "/amplitude/batch", "", "", json.dumps({"events": [paired]}).encode())
    write_log(tmp_path / "log", [batch(*calls), amplitude, batch(call("a", userId="julia"), project="blog")]).release()
    flush(tmp_path)
    lake = Lake(str(tmp_path / "lake"))
    names = ("event_id", "user_id", "anonymous_id", "previous_id")
    kept = [tuple(row[name] for name in names) for row in rows(lake, "shop", "events")]
    assert kept == [("3", "bob", None, None), ("8", "device", None, None), ("0", "bob", None, None)]
    assert [row["event_id"] for row in rows(lake, "shop", "rejected")] == ["7"]
    assert outcomes(tmp_path) == {"accepted": 3, "forgotten": 6, "rejected:missing_event": 1}
    assert outcomes(tmp_path, "blog") == {"accepted": 1}
    assert tombstones.lift("shop", ["user:julia", "user:nobody"]) == 1
    write_log(tmp_path / "log", [batch(call("1", userId="julia"))], name="0002").release()
    assert flush(tmp_path) == 1  # it was never taken, so it is no copy
