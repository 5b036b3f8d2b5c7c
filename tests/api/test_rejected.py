"""Rejected events through the real app: by page, by reason, as a file, and replayed."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from api.app import lake_of
from api.building import upkeep
from api.values import Size
from ingest.flush import Flush
from ingest.ids import Index, counts
from ingest.protocols import decode
from ingest.record import Record
from tests.api import processes
from tests.api.world import NOW, RECEIVED, Client, World, track
from tests.ingest.world import write_log

ODD: dict[str, Any] = {"type": "odd", "messageId": "odd"}


def flush(world: World, most: int = 32_768) -> None:
    with Index(world.settings.folder.index) as index:
        decoder = partial(decode, max_event_bytes=most)
        Flush(world.settings.folder.log, lake_of(world.settings), index, decoder=decoder).once()


def too_long(number: int) -> dict[str, Any]:
    """An event that breaks the limit of an event."""
    return track("Long", str(number), "2026-02-01T00:00:00Z", text="x" * 40_000)


def raised(world: World) -> World:
    """The same deployment after its operator raised that limit."""
    return World(replace(world.settings, max_event=Size.of("64 KiB")))


def outcomes(world: World) -> dict[str, int]:
    return {label: number for label, number in counts(world.settings.folder.index, "default").items() if number}


def items(client: Client, at: str = "/api/rejected", **given: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(at, params=given).json()["items"]
    return found


def test_pages_follow_each_other_from_the_newest_to_the_oldest(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    for number in range(3):
        world.send({"type": f"odd{number}"}, {"type": f"odd{number}"}, received=RECEIVED + timedelta(hours=number))
    with world.client() as client:
        first = client.get("/api/rejected", params={"limit": "4"}).json()
        second = client.get("/api/rejected", params={"limit": "4", "cursor": first["next"]}).json()
    assert [json.loads(item["raw"])["type"] for item in first["items"]] == ["odd2", "odd2", "odd1", "odd1"]
    assert [json.loads(item["raw"])["type"] for item in second["items"]] == ["odd0", "odd0"]
    assert second["next"] is None


def test_a_choice_is_by_reason_source_path_and_time(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(ODD, track("", "u", "2026-02-01T00:00:00Z"))
    with world.client() as client:
        assert [item["reason"] for item in items(client, reason="missing_event")] == ["missing_event"]
        assert len(items(client, source="test", path="/v1/batch")) == 2
        assert items(client, source="other") == items(client, path="/v1/track") == []
        assert items(client, **{"from": "2026-02-21"}) == []
        assert len(items(client, **{"from": "2026-02-20", "to": "2026-02-21"})) == 2
        assert client.get("/api/rejected", params={"reason": "bad"}).status_code == 422
        assert client.get("/api/rejected", params={"cursor": "x"}).status_code == 422


def test_counts_are_by_reason_source_and_path_with_the_newest_as_an_example(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(ODD, {"type": "strange"}, received=RECEIVED)
    world.send({"type": "stranger"}, track("", "u", "2026-02-01T00:00:00Z"), received=RECEIVED + timedelta(hours=1))
    with world.client() as client:
        found = items(client, "/api/rejected/counts")
    assert [(row["reason"], row["source"], row["path"], row["events"]) for row in found] == [
        ("unknown_type", "test", "/v1/batch", 3),
        ("missing_event", "test", "/v1/batch", 1),
    ]
    assert json.loads(found[0]["raw"]) == {"type": "stranger"}
    assert (found[0]["first"], found[0]["last"]) == ("2026-02-20T00:00:00Z", "2026-02-20T01:00:00Z")


def test_the_file_holds_all_raw_bytes_and_those_that_are_no_text_as_base64(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(too_long(1))
    add_refused(world, b"\xff\xfe{")
    with world.client() as client:
        answer = client.get("/api/rejected/download")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    by_reason = {line["reason"]: line for line in map(json.loads, answer.text.splitlines())}
    assert json.loads(by_reason["too_large"]["raw"]) == too_long(1)
    assert base64.b64decode(by_reason["unreadable"]["raw_base64"]) == b"\xff\xfe{"


def add_refused(world: World, body: bytes) -> None:
    """A body that the door could not read."""
    moment = int(datetime(2026, 2, 20, tzinfo=UTC).timestamp()) * 1_000_000
    record = Record(moment, "default", "test", "/v1/batch#unreadable#no JSON", "", "", body)
    write_log(world.settings.folder.log, [record], name="9999").release()
    flush(world)


def test_a_rehearsal_says_what_would_be_stored_and_stores_nothing(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(too_long(1), too_long(2), ODD)
    with raised(world).client(world.key("admin")) as client:
        answer = client.post("/api/rejected/replay", json={"dry_run": True}).json()
    assert answer == {
        "sound": {"too_large": 2}, "events": 2, "still_faulty": {"unknown_type": 1}, "handed_over": 0, "dry_run": True
    }  # fmt: skip
    flush(world)
    assert outcomes(world) == {"rejected:too_large": 2, "rejected:unknown_type": 1}


def test_what_a_raised_limit_lets_in_is_replayed_once_however_often_it_is_asked(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(too_long(1), too_long(2), ODD)
    with raised(world).client(world.key("admin")) as client:
        for _ in range(2):
            assert client.post("/api/rejected/replay", json={"reason": "too_large"}).json()["handed_over"] == 1
        flush(world, 65_536)
        assert outcomes(world) == {"accepted": 2, "rejected:unknown_type": 1}
        assert [item["reason"] for item in items(client)] == ["unknown_type"]
        assert sorted(item["user_id"] for item in items(client, "/api/events/recent")) == ["1", "2"]
        again = client.post("/api/rejected/replay", json={}).json()
    assert (again["sound"], again["handed_over"]) == ({}, 0)


def test_a_replay_takes_an_admin_key_and_names_what_it_does_not_understand(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    with world.client() as client:
        assert client.post("/api/rejected/replay", json={}).status_code == 403
    with world.client(world.key("admin")) as client:
        wrong = client.post("/api/rejected/replay", json={"raeson": "x", "dry_run": "yes", "source": 1})
        assert wrong.status_code == 422
        assert [fault["path"] for fault in wrong.json()["errors"]] == ["raeson", "dry_run", "source"]
        assert client.post("/api/rejected/replay", json={"reason": "bad"}).status_code == 422


def jcurve(world: World, *words: str) -> str:
    return processes.jcurve("rejected", *words, data=world.settings.data).stdout


def test_the_command_lists_counts_and_writes_them_out(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.key()
    world.send(ODD, track("", "u", "2026-02-01T00:00:00Z"))
    assert "2026-02-20 00:00:00  test  /v1/batch  unknown_type" in jcurve(world, "list", "--reason", "unknown_type")
    assert [line.split()[:4] for line in jcurve(world, "count").splitlines()] == [
        ["1", "missing_event", "test", "/v1/batch"],
        ["1", "unknown_type", "test", "/v1/batch"],
    ]
    [line] = jcurve(world, "download", "--reason", "unknown_type").splitlines()
    assert json.loads(json.loads(line)["raw"]) == ODD
    assert jcurve(world, "count", "--source", "other") == "Nothing was rejected.\n"


def test_the_command_replays_with_a_flush_of_its_own_and_waits_for_it(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.key()
    world.send(too_long(1), ODD)
    rehearsed = jcurve(world, "replay", "--dry-run", "--max-event", "64 KiB").split("\n")
    assert [" ".join(line.split()) for line in rehearsed[:2]] == [
        "1 too_large sound now, would be stored",
        "1 unknown_type still faulty, kept",
    ]
    assert outcomes(world) == {"rejected:too_large": 1, "rejected:unknown_type": 1}
    assert "sound now, stored" in jcurve(world, "replay", "--max-event", "64 KiB")
    assert outcomes(world) == {"accepted": 1, "rejected:unknown_type": 1}
    assert "too_large" not in jcurve(world, "replay", "--max-event", "64 KiB")


def test_rejected_events_leave_at_night_after_their_own_days_and_others_stay(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    settings = replace(world.settings, rejected_days=30)
    for days in (31, 29):
        received = NOW - timedelta(days=days)
        world.send({"type": f"odd {days}"}, track("Kept", str(days), received.isoformat()), received=received)
    [expire_old], _ = upkeep(settings, lake_of(settings), lambda name: None)
    expire_old("default", NOW)
    with world.client() as client:
        assert [json.loads(item["raw"])["type"] for item in items(client)] == ["odd 29"]
        assert len(items(client, "/api/events/recent")) == 2


def test_what_was_told_of_its_request_does_not_part_an_events_path(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    micros = int(RECEIVED.timestamp()) * 1_000_000
    body = json.dumps({"batch": [ODD]}).encode()
    paths = ("/v1/batch", "/v1/batch;country=DE", "/v1/batch;country=FR&ip=drop?x=1")
    records = [Record(micros, "default", "test", path, "", "", body) for path in paths]
    write_log(world.settings.folder.log, records).release()
    flush(world)
    with world.client() as client:
        assert [(row["path"], row["events"]) for row in client.get("/api/rejected/counts").json()["items"]] == [
            ("/v1/batch", 3)
        ]
        assert len(client.get("/api/rejected?path=/v1/batch").json()["items"]) == 3
