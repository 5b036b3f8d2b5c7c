"""The tracking plan through the real flush and app: events that break it are allowed, counted or rejected, by source."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.app import lake_of
from api.decoding import decoder_of
from ingest.flush import Flush
from ingest.ids import Index, counts
from ingest.plan import CurrentPlan
from ingest.record import Record
from tests.api.world import RECEIVED, World, track
from tests.ingest.world import write_log
from transforms.forget import Ids, take_out

SIGN_UP = {"title": "Signed Up", "properties": {"plan": {"enum": ["free", "pro"]}}, "required": ["plan"]}
RULE = 'properties/plan/enum ["free", "pro"]'


def planned(world: World, *schemas: dict[str, Any], **sources: str) -> None:
    folder = world.settings.plan_folder
    folder.mkdir(exist_ok=True)
    for number, schema in enumerate(schemas):
        (folder / f"{number}.json").write_text(json.dumps(schema))
    (folder / "sources.json").write_text(json.dumps(sources))


def send(world: World, source: str, *calls: dict[str, Any], name: str = "9000", at: datetime = RECEIVED) -> None:
    write(world, source, *calls, name=name, at=at)
    flush(world)


def write(world: World, source: str, *calls: dict[str, Any], name: str, at: datetime = RECEIVED) -> None:
    body = json.dumps({"batch": calls}).encode()
    record = Record(int(at.timestamp()) * 1_000_000, "default", source, "/v1/batch", "", "", body)
    write_log(world.settings.folder.log, [record], name=name).release()


def flush(world: World) -> None:
    plan = CurrentPlan(world.settings.plan_folder)
    with Index(world.settings.folder.index) as index:
        decoder = decoder_of(world.settings, plan)
        Flush(world.settings.folder.log, lake_of(world.settings), index, decoder=decoder, plan=plan).once()


def sign_up(user: str, **properties: object) -> dict[str, Any]:
    return track("Signed Up", user, "2026-02-01T00:00:00Z", **properties)


def outcomes(world: World) -> dict[str, int]:
    return {label: number for label, number in counts(world.settings.folder.index, "default").items() if number}


def answer(world: World) -> dict[str, Any]:
    with world.client() as client:
        found: dict[str, Any] = client.get("/api/plan").json()
    return found


def test_a_source_is_allowed_warned_or_refused(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    planned(world, SIGN_UP, ios="reject", web="warn")
    for number, source in enumerate(("ios", "web", "other")):
        send(world, source, sign_up(f"{source} 1", plan="gold"), sign_up(f"{source} 2", plan="pro"), name=f"{number}000")
    assert outcomes(world) == {"accepted": 5, "rejected:plan": 1}
    items = answer(world)["items"]
    assert [(row["outcome"], row["source"], row["event"], row["rule"], row["events"]) for row in items] == [
        ("rejected", "ios", "Signed Up", RULE, 1),
        ("warned", "web", "Signed Up", RULE, 1),
    ]
    assert json.loads(items[0]["raw"])["properties"] == {"plan": "gold"}
    assert [row["last"] for row in items] == ["2026-02-20T00:00:00Z"] * 2
    assert items[1]["found"] == "'gold' is not one of ['free', 'pro']"


@pytest.mark.parametrize("later", [-1, 1], ids=["and the copy came first", "and the copy came later"])
def test_what_breaks_the_plan_is_counted_by_rule_and_a_copy_of_it_once(tmp_path: Path, later: int) -> None:
    world = World.at(tmp_path)
    planned(world, SIGN_UP, **{"*": "warn"})
    send(world, "web", sign_up("1", plan="gold"), sign_up("2"), sign_up("3"), sign_up("3"))
    send(world, "web", sign_up("3"), name="9001", at=RECEIVED + timedelta(seconds=later))
    assert [(row["rule"], row["events"], row["event_id"]) for row in answer(world)["items"]] == [
        ('required ["plan"]', 2, sign_up("3")["messageId"]),
        (RULE, 1, sign_up("1")["messageId"]),
    ]


def test_what_the_plan_refused_is_stored_by_a_replay_under_another_plan(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    planned(world, SIGN_UP, web="reject")
    send(world, "web", sign_up("1", plan="gold"), sign_up("2"))
    key = world.key("admin")
    with world.client(key) as client:
        assert client.post("/api/rejected/replay", json={}).json()["still_faulty"] == {"plan": 2}
        planned(world, {**SIGN_UP, "properties": {"plan": {"type": "string"}}}, web="reject")
        assert client.post("/api/rejected/replay", json={}).json()["sound"] == {"plan": 1}
    flush(world)
    assert outcomes(world) == {"accepted": 1, "rejected:plan": 1}
    assert [row["rule"] for row in answer(world)["items"]] == ['required ["plan"]']


def test_a_changed_plan_holds_for_what_a_running_flush_stores_next(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    planned(world, SIGN_UP, web="reject")
    plan = CurrentPlan(world.settings.plan_folder)
    with Index(world.settings.folder.index) as index:
        decoder = decoder_of(world.settings, plan)
        running = Flush(world.settings.folder.log, lake_of(world.settings), index, decoder=decoder, plan=plan)
        for name, mode in (("9000", "reject"), ("9001", "warn"), ("9002", "allow")):
            planned(world, SIGN_UP, web=mode)
            write(world, "web", sign_up(name, plan="gold"), name=name)
            running.once()
    assert outcomes(world) == {"accepted": 2, "rejected:plan": 1}
    assert [row["outcome"] for row in answer(world)["items"]] == ["rejected", "warned"]


def test_events_that_the_plan_does_not_name_and_those_that_never_came_are_told(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    planned(world, SIGN_UP, {"title": "Paid"}, **{"*": "reject"})
    send(world, "web", sign_up("1", plan="pro"), track("Clicked", "1", "2026-02-01T00:00:00Z"))
    found = answer(world)
    assert [(row["event"], row["events"]) for row in found["not_in_plan"]] == [("Clicked", 1)]
    assert (found["not_seen"], found["events"], found["sources"]) == (["Paid"], ["Paid", "Signed Up"], {"*": "reject"})


def test_faults_of_the_plan_are_told_and_the_rest_is_in_force(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    planned(world, SIGN_UP, {"title": "Paid", "type": "strange"}, {"$ref": "#/nowhere", "title": "Lost"}, web="reject")
    send(world, "web", sign_up("1"), track("Lost", "1", "2026-02-01T00:00:00Z"))
    assert outcomes(world) == {"accepted": 1, "rejected:plan": 1}
    assert [fault.partition(":")[0] for fault in answer(world)["faults"]] == ["1.json"]


def test_an_example_is_read_where_it_is_stored_and_goes_with_its_person(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    planned(world, SIGN_UP, web="warn")
    send(world, "web", sign_up("user-ada-1815", plan="secret-of-ada"))
    assert answer(world)["items"][0]["found"] == "'secret-of-ada' is not one of ['free', 'pro']"
    index = (world.settings.folder.index / "data.mdb").read_bytes()
    assert b"secret-of-ada" not in index and b"user-ada-1815" not in index
    world.build()
    lake = lake_of(world.settings)
    take_out(lake, "default", Ids(frozenset({"user:user-ada-1815"})), lake.tables("default"))
    [row] = answer(world)["items"]
    assert (row["events"], row["event_id"], row["found"]) == (1, None, None)
