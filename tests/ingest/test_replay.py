"""A rejected event that is sound by now is stored, once, and its row goes; a faulty one stays as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from ingest import replay
from ingest.batch import Decoder
from ingest.columns import events_table
from ingest.flush import Flush
from ingest.ids import HOUR, Index, received_since
from ingest.lake import Lake
from ingest.limits import Limits
from ingest.protocols import decode
from ingest.protocols.assemble import CHECK, Mint
from ingest.protocols.call import received
from ingest.protocols.family import Decoded
from ingest.record import Record
from tests.ingest.asgi import RECEIVED, Door, basic
from tests.ingest.fuzz.seeds import SEEDS, Seed
from tests.ingest.world import NOON, SECOND, batch, event_ids, rows, track, write_log

LATER = NOON + HOUR
STRICT = partial(decode, max_event_bytes=150, limits=Limits(name=100))
TEXT = {"text": "x" * 200}


def long(event_id: str | None, **more: object) -> dict[str, object]:
    return track(event_id, properties=TEXT) | more


def refuse(record: Record, mint: Mint) -> Decoded:
    """As where a tracking plan lets nothing in."""
    token = CHECK.set(lambda call: f"{call.event}: not in the plan")
    try:
        return decode(record, mint)
    finally:
        CHECK.reset(token)


def rejected(data: Path, *records: Record, decoder: Decoder = STRICT) -> Lake:
    """A lake that got these records while an event could have 150 bytes, or under such another decoder."""
    write_log(data / "log", records).release()
    lake = Lake(str(data / "lake"))
    with Index(data / "index") as index:
        Flush(data / "log", lake, index, decoder=decoder).once()
    return lake


def ask(data: Path, lake: Lake, now: int = LATER) -> None:
    """Hand over all that is rejected."""
    handle = lake.open("shop", "rejected")
    assert handle is not None
    found: pa.Table = handle.to_pyarrow_table()
    replay.hand_over(data / "import", "shop", found, lambda: now)


def flushed(data: Path, lake: Lake) -> dict[str, int]:
    """The counts after a flush with the usual limit; those of zero left out."""
    with Index(data / "index") as index:
        Flush(data / "log", lake, index).once()
        return {label: number for label, number in index.counts("shop").items() if number}


def test_what_is_sound_by_now_is_stored_and_what_is_not_stays_with_its_reason(tmp_path: Path) -> None:
    lake = rejected(tmp_path, batch(track("a"), long("b"), {"type": "odd", "messageId": "c"}))
    assert [row["reason"] for row in rows(lake, "shop", "rejected")] == ["too_large", "unknown_type"]
    ask(tmp_path, lake)
    assert flushed(tmp_path, lake) == {"accepted": 2, "rejected:unknown_type": 1}
    assert sorted(event_ids(lake)) == ["a", "b"]
    assert [(row["reason"], row["event_id"]) for row in rows(lake, "shop", "rejected")] == [("unknown_type", "c")]
    assert list((tmp_path / "import").iterdir()) == []


def test_a_replayed_event_came_when_it_was_replayed_and_happened_when_it_did(tmp_path: Path) -> None:
    lake = rejected(tmp_path, batch(long("a", timestamp="2026-01-01T11:00:00Z"), source="phone"))
    ask(tmp_path, lake)
    flushed(tmp_path, lake)
    [row] = rows(lake, "shop", "events")
    assert f"{row['time']:%H:%M} {row['received_at']:%H:%M} {row['source']}" == "11:00 13:00 phone"
    assert json.loads(str(row["properties"])) == TEXT


def test_the_event_counts_as_received_in_the_hour_of_the_replay_alone(tmp_path: Path) -> None:
    lake = rejected(tmp_path, batch(long("a")))
    ask(tmp_path, lake)
    flushed(tmp_path, lake)
    noon = datetime.fromtimestamp(NOON // SECOND, UTC)
    since = [received_since(tmp_path / "index", "shop", noon + timedelta(hours=passed)) for passed in (0, 1, 2)]
    assert since == [1, 1, 0]


def test_a_row_that_is_handed_over_twice_is_replayed_once(tmp_path: Path) -> None:
    lake = rejected(tmp_path, batch(long(None), long("b")))
    ask(tmp_path, lake)
    ask(tmp_path, lake)
    assert flushed(tmp_path, lake) == {"accepted": 2}
    assert len(event_ids(lake)) == 2
    assert rows(lake, "shop", "rejected") == []


def test_an_event_that_came_again_meanwhile_is_a_duplicate(tmp_path: Path) -> None:
    lake = rejected(tmp_path, batch(long("a")), batch(track("a"), at=NOON + SECOND))
    ask(tmp_path, lake)
    assert flushed(tmp_path, lake) == {"accepted": 1, "duplicate": 1}
    assert event_ids(lake) == ["a"]


def test_a_body_that_was_refused_gives_its_sound_events_and_keeps_the_others_apart(tmp_path: Path) -> None:
    whole = batch(track("a"), {"type": "odd", "messageId": "c"}, track(None))
    refused = Record(NOON, "shop", "web", "/v1/batch#too_large#a body of 9 MB", "", "", whole.body)
    lake = rejected(tmp_path, refused)
    ask(tmp_path, lake)
    assert flushed(tmp_path, lake) == {"accepted": 2, "rejected:unknown_type": 1}
    [left] = rows(lake, "shop", "rejected")
    assert (left["event_id"], json.loads(bytes(left["raw"]))) == ("c", {"type": "odd", "messageId": "c"})  # type: ignore[call-overload]


def test_an_event_of_amplitudes_batch_is_read_as_one(tmp_path: Path) -> None:
    event = {"user_id": "u1", "event_type": "x" * 101, "insert_id": "i"}
    body = json.dumps({"api_key": "k", "events": [event]}).encode()
    lake = rejected(tmp_path, Record(NOON, "shop", "web", "/amplitude/batch", "", "", body))
    assert [row["reason"] for row in rows(lake, "shop", "rejected")] == ["too_complex"]
    ask(tmp_path, lake)
    assert flushed(tmp_path, lake) == {"accepted": 1}
    assert event_ids(lake) == ["i"]


def test_what_was_told_of_its_request_holds_for_a_replay_too(tmp_path: Path) -> None:
    body = json.dumps({"batch": [long("a", context={"ip": "203.0.113.77", "sessionId": 7})]}).encode()
    lake = rejected(tmp_path, Record(NOON, "shop", "web", "/v1/batch;ip=drop&private=anonymous", "", "", body))
    assert [row["reason"] for row in rows(lake, "shop", "rejected")] == ["too_large"]
    ask(tmp_path, lake)
    assert flushed(tmp_path, lake) == {"accepted": 1}
    [row] = rows(lake, "shop", "events")
    assert (row["user_id"], row["anonymous_id"], row["session_id"], row["context"]) == (None, "nobody-a", None, "{}")


ELSEWHERE = ("received_at", "log", "log_offset", "event_id")  # of a replayed event other than of one that was taken at once


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_a_replayed_event_is_what_it_would_have_been(tmp_path: Path, seed: Seed) -> None:
    [record] = records_of(seed)
    (expected, _) = decode(record, lambda number: f"minted-{number}")
    lake = rejected(tmp_path, record, decoder=refuse)
    assert [row["reason"] for row in rows(lake, "shop", "rejected")] == ["plan"] * len(seed.events(2))
    ask(tmp_path, lake, RECEIVED + 2 * HOUR)
    assert flushed(tmp_path, lake)["accepted"] == received(expected)
    assert rows(lake, "shop", "rejected") == []
    stored, wanted = rows(lake, "shop", "events"), events_table(expected, "", range(len(expected))).to_pylist()
    assert [{**row, **dict.fromkeys(ELSEWHERE)} for row in stored] == [{**row, **dict.fromkeys(ELSEWHERE)} for row in wanted]
    if "minted-0" not in (row["event_id"] for row in wanted):
        assert [row["event_id"] for row in stored] == [row["event_id"] for row in wanted]


def records_of(seed: Seed) -> list[Record]:
    """Two events of a seed (one, where it carries no more) as the door logs them, sent by a clock that is an hour slow."""
    door = Door()
    body = b"" if seed.method == "GET" else json.dumps(seed.envelope(seed.events(2))).encode()
    headers = {"authorization": basic("jw_web"), "user-agent": "Mozilla/5.0 (iPhone) Mobile", **seed.headers}
    assert door.send(seed.method, seed.path, body, headers, seed.query).status == 200
    return [msgspec.structs.replace(record, project="shop", received_at=RECEIVED + HOUR) for record in door.log.records]


@pytest.mark.parametrize("step", ["in hand", "claimed", "stored events", "stored rejected", "removed", "indexed", "retired"])
def test_a_replay_whose_process_is_gone_after_any_step_is_done_again_with_the_same_end(tmp_path: Path, step: str) -> None:
    whole = batch(track(None), {"type": "odd", "messageId": "c"})
    refused = Record(NOON, "shop", "web", "/v1/batch#too_large#a body of 9 MB", "", "", whole.body)
    lake = rejected(tmp_path, batch(long("a"), long(None)), refused)
    ask(tmp_path, lake)
    gone = subprocess.run([sys.executable, "-m", "tests.ingest.flush_process", str(tmp_path), step], check=False)
    assert gone.returncode == 9
    assert flushed(tmp_path, lake) == {"accepted": 3, "rejected:unknown_type": 1}
    assert len(event_ids(lake)) == 3
    assert [row["event_id"] for row in rows(lake, "shop", "rejected")] == ["c"]
