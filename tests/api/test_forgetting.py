"""Forgetting a person, from the request to the receipt, beside a collector that goes on."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from api import forgetting
from api.app import lake_of, prepare_definitions
from api.building import builder
from api.settings import Settings
from ingest.demo import Batch, Size, deliver, plan
from ingest.flush import Flush
from ingest.ids import DAY, HOUR, Index, counts
from ingest.lake import Lake
from ingest.load.plan import Request, opened
from ingest.tombstones import Tombstones
from ingest.wal import Log
from tests.api.processes import jcurve
from tests.api.world import NOW, RECEIVED, World, track
from tests.ingest.load.world import bring, written
from tests.ingest.test_flush import Crash
from tests.transforms import world as small
from transforms import tidy as tidying
from transforms.engine import Engine
from transforms.forget import Ids, ids_of, others_events
from transforms.identity import View
from transforms.layout import Rules
from transforms.links import Ledger, links_of
from transforms.manifest import current
from transforms.retention import expire
from transforms.tables import TABLES
from transforms.traces import Traces, traces, traces_of_lake
from transforms.undo import Hand, undo

ADA, DEVICE = "user-ada-1815", "device-7f3a-1815"
THEIRS: list[dict[str, Any]] = [
    {"type": "identify", "messageId": "i1", "userId": ADA, "anonymousId": DEVICE, "traits": {"email": "ada@example.com"}},
    {"type": "page", "messageId": "p1", "anonymousId": DEVICE, "timestamp": "2026-01-30T00:00:00Z"},
    track("Signed Up", ADA, "2026-02-01T00:00:00Z"),
]
OTHERS: list[dict[str, Any]] = [
    track("Signed Up", "bob", "2026-02-02T00:00:00Z"),
    {**track("Invite Sent", "bob", "2026-02-03T00:00:00Z", to=ADA), "anonymousId": DEVICE},
    track("Signed Up", f"{ADA}9", "2026-02-02T00:00:00Z"),
]
FAULTY: list[dict[str, Any]] = [
    {"type": "track", "messageId": "f1", "userId": ADA},
    {"type": "track", "messageId": "f2", "userId": "bob", "properties": {"for": DEVICE}},
    {"type": "track", "messageId": "f3", "userId": "bob"},
]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.at(tmp_path)
    made.key()
    made.send(*THEIRS, *OTHERS, *FAULTY)
    made.build()
    made.send(track("Task Completed", ADA, "2026-02-05T00:00:00Z"))
    yield made


def flushed(world: World) -> None:
    with Index(world.settings.folder.index) as index:
        tombstones = Tombstones(world.settings.folder.tombstones)
        Flush(world.settings.folder.log, lake_of(world.settings), index, tombstones=tombstones).once()


def advance(world: World, clock: Clock, *, at_once: bool = False) -> Traces | None:
    [request] = forgetting.waiting(world.settings)
    lake = lake_of(world.settings)
    return forgetting.advance(world.settings, lake, builder(world.settings, lake), clock, request, at_once=at_once)


def events(lake: Lake) -> dict[str, dict[str, object]]:
    with Engine(lake, "default", {"events": lake.version("default", "events")}) as engine:
        return {row["event_id"]: row for row in engine.table("from events").to_pylist()}


def test_a_person_is_taken_out_of_everything_and_the_receipt_proves_it(world: World) -> None:
    lake, folder, clock = lake_of(world.settings), world.settings.folder, Clock()
    request = forgetting.ask(world.settings, lake, "default", DEVICE, "TICKET-1", "api", clock())
    person = request.person
    assert person.typed == {f"user:{ADA}", f"anonymous:{DEVICE}"}
    assert len(traces(folder.root, person, leave_out=[folder.forget]).found) > 8
    assert advance(world, clock) is None
    assert forgetting.waiting(world.settings)[0].step == "removed"
    assert ids_of(lake, "default", ADA) is None
    clock.now += forgetting.SAFE
    left = advance(world, clock)
    assert left is not None
    assert left.found == ()
    assert left.files > 20
    assert forgetting.waiting(world.settings) == []
    assert traces(folder.root, person).found == ()  # the request itself is gone, too

    [receipt] = forgetting.receipts(lake, "default")
    took = {name: receipt[name] for name in ("why", "by", "ids", "events", "rejected", "ledgers", "changed", "traces")}
    expected = {
        "why": "TICKET-1",
        "by": "api",
        "ids": 2,
        "events": 4,
        "rejected": 2,
        "ledgers": 1,
        "changed": 1,
        "traces": 0,
    }
    assert took == expected
    kept = events(lake)
    assert len(kept) == 3
    sent = next(row for row in kept.values() if row["event"] == "Invite Sent")
    assert (sent["user_id"], sent["anonymous_id"], sent["properties"]) == ("bob", None, '{"to": "forgotten"}')
    world.build()
    manifest = current(lake, "default")
    assert manifest is not None
    with Engine(lake, "default", {"people": manifest.tables["people"]}) as engine:
        found = engine.table("select person from people order by person")["person"].to_pylist()
        assert found == ["user:bob", f"user:{ADA}9"]


def test_a_tidied_lake_forgets_what_its_checkpoints_no_longer_know(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "_CHECKPOINT", 2)
    monkeypatch.setitem(tidying._PROPERTIES, "delta.checkpointInterval", "2")
    lake, folder, clock = lake_of(world.settings), world.settings.folder, Clock()
    rules = Rules(gather=2)

    def killed(step: str) -> None:
        if step == "written":
            raise RuntimeError(step)

    with pytest.raises(RuntimeError):
        tidying.tidy(lake, "default", clock(), rules=rules, at=killed)
    stray = list(folder.root.rglob("run-*.parquet"))
    assert stray
    tidying.tidy(lake, "default", clock(), rules=rules)
    forgetting.ask(world.settings, lake, "default", ADA, "TICKET-1", "api", clock())
    assert advance(world, clock) is None
    for number in range(4):  # the flush goes on, and so does tidy
        world.send(track("Signed Up", f"later-{number}", "2026-02-06T00:00:00Z"))
    tidying.tidy(lake, "default", clock(), rules=rules)
    clock.now += forgetting.SAFE
    left = advance(world, clock)
    assert left is not None
    assert left.found == ()
    assert not any(path.exists() for path in stray)
    assert len(events(lake)) == 7
    assert forgetting.receipts(lake, "default")[0]["events"] == 4


def test_recent_events_are_told_when_their_files_were_written_again(world: World) -> None:
    """The log tells no bounds of such files."""
    clock = Clock()
    forgetting.ask(world.settings, lake_of(world.settings), "default", ADA, "TICKET-1", "api", clock())
    advance(world, clock, at_once=True)
    world.send(track("Task Completed", "bob", "2026-02-07T00:00:00Z"))
    with world.client() as client:
        items = client.get("/api/events/recent", params={"limit": 3}).json()["items"]
        assert len(items) == 3 and len(client.get("/api/events/recent").json()["items"]) == 4
        assert {item["reason"] for item in client.get("/api/rejected/recent").json()["items"]} == {"missing_event"}


def test_what_comes_later_is_kept_out_until_the_tombstone_is_lifted(world: World) -> None:
    lake, folder, clock = lake_of(world.settings), world.settings.folder, Clock()
    forgetting.ask(world.settings, lake, "default", ADA, "TICKET-1", "api", clock())
    advance(world, clock, at_once=True)
    later = [track("Signed Up", ADA, "2026-02-09T00:00:00Z"), track("Signed Up", "eve", "2026-02-09T00:00:00Z")]
    micros = int(NOW.timestamp()) * 1_000_000

    def send() -> None:
        async def append() -> None:
            log = Log.open(folder.log, now=lambda: micros)
            await log.append("default", "test", "/v1/batch", "", "", json.dumps({"batch": later}).encode())
            await asyncio.to_thread(log.close)

        asyncio.run(append())
        flushed(world)

    before = len(events(lake))
    send()
    assert len(events(lake)) == before + 1
    assert counts(folder.index, "default")["forgotten"] == 1
    Tombstones(folder.tombstones).lift("default", [f"user:{ADA}"])
    send()
    assert len(events(lake)) == before + 2
    assert counts(folder.index, "default")["duplicate"] == 1  # eve's


def test_it_waits_for_what_the_log_still_holds(world: World) -> None:
    lake, folder, clock = lake_of(world.settings), world.settings.folder, Clock()
    micros = int(NOW.timestamp()) * 1_000_000

    async def append() -> None:
        log = Log.open(folder.log, now=lambda: micros)
        await log.append(
            "default", "test", "/v1/track", "", "", b'{"type":"track","event":"X","userId":"%s"}' % ADA.encode()
        )
        await asyncio.to_thread(log.close)

    asyncio.run(append())
    forgetting.ask(world.settings, lake, "default", ADA, "TICKET-1", "api", clock())
    assert advance(world, clock, at_once=True) is None
    assert forgetting.waiting(world.settings)[0].step == "buried"
    flushed(world)
    left = advance(world, clock, at_once=True)
    assert left is not None
    assert left.found == ()
    assert not any(ADA.encode() in path.read_bytes() for path in folder.log.rglob("*") if path.is_file())


def test_a_fault_on_the_way_leaves_the_step_is_told_and_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, folder, clock = lake_of(world.settings), world.settings.folder, Clock()
    forgetting.ask(world.settings, lake, "default", ADA, "TICKET-1", "api", clock())

    def broken(project: str, now: datetime) -> object:
        raise RuntimeError(f"the build names {ADA}")

    [request] = forgetting.waiting(world.settings)
    forgetting.advance(world.settings, lake, broken, clock, request)  # type: ignore[arg-type]
    [request] = forgetting.waiting(world.settings)
    assert (request.step, request.error) == ("buried", f"RuntimeError: the build names {ADA}")
    assert advance(world, clock) is None
    assert forgetting.waiting(world.settings)[0].step == "buried"  # not before RETRY
    clock.now += forgetting.RETRY
    with sqlite3.connect(folder.work) as database:
        row = ("build", "default", NOW.isoformat(), 1.0, "failed", "{}", "{}", 0, f"a check names {DEVICE}")
        database.execute("insert into runs values (null, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    database.close()
    left = advance(world, clock, at_once=True)
    assert left is not None
    assert left.found == ()
    assert forgetting.receipts(lake, "default")[0]["events"] == 4


def test_what_killed_imports_and_builds_left_goes_and_an_import_that_runs_is_waited_for(
    world: World, tmp_path: Path
) -> None:
    lake, folder, clock = lake_of(world.settings), world.settings.folder, Clock()
    path = written(tmp_path / "history.jsonl", *THEIRS[2:], *OTHERS[:1])

    def kill(step: str) -> None:
        if step == "staged":
            raise Crash

    data = folder.root
    with pytest.raises(Crash):
        bring(data, path, at=kill)
    [left] = folder.imports.iterdir()
    (left / "000000000001.open").write_text(ADA)
    (folder.scratch / "killed").mkdir(parents=True)
    (folder.scratch / "killed" / "spilled").write_text(ADA)
    forgetting.ask(world.settings, lake, "default", ADA, "TICKET-1", "api", clock())
    assert advance(world, clock) is None
    clock.now += forgetting.SAFE
    with opened(folder.imports, Request([tmp_path / "data" / "forgotten.json"], "shop"), 0):
        assert advance(world, clock) is None
        assert forgetting.waiting(world.settings)[0].step == "removed"
    found = advance(world, clock)
    assert found is not None and found.found == ()
    assert not (left / "staged").exists() and list(folder.scratch.iterdir()) == []
    report = bring(data, path)  # the same command goes on
    assert (report.taken, report.reconciled) == (2, True)  # of another project, where nobody was forgotten


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_lake_elsewhere_forgets_too_and_is_searched(tmp_path: Path, scheme: str) -> None:
    """``file://`` is read and written as an object store is."""
    elsewhere = tmp_path / "elsewhere"
    world = World(Settings(data=tmp_path / "data", lake_url=f"{scheme}{elsewhere}"))
    elsewhere.mkdir()
    world.settings.folder.create()
    prepare_definitions(world.settings)
    world.key()
    world.send(*THEIRS, *OTHERS, *FAULTY)
    lake, clock = lake_of(world.settings), Clock()
    tidying.tidy(lake, "default", clock(), rules=Rules(gather=1))
    world.build()
    world.send(track("Task Completed", ADA, "2026-02-05T00:00:00Z"))
    person = Ids(frozenset({f"user:{ADA}", f"anonymous:{DEVICE}"}))
    assert len(traces_of_lake(lake, "default", person).found) > 8
    forgetting.ask(world.settings, lake, "default", ADA, "TICKET-1", "api", clock())
    left = advance(world, clock, at_once=True)
    assert left is not None
    assert left.found == () and left.files > 20
    assert traces(elsewhere, person).found == ()
    assert len(events(lake)) == 3


def test_a_short_id_goes_from_where_ids_stand_and_from_nowhere_else(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.key()
    world.send(track("Signed Up", "42", "2026-02-01T00:00:00Z"), track("Signed Up", "7", "2026-02-01T00:00:00Z", plan="42"))
    world.send({"type": "track", "userId": 42}, {"type": "track", "userId": "7", "properties": {"n": 42}})
    world.build()
    clock = Clock()
    forgetting.ask(world.settings, lake_of(world.settings), "default", "42", "TICKET-1", "api", clock())
    left = advance(world, clock, at_once=True)
    assert left is not None
    assert left.found == ()
    [receipt] = forgetting.receipts(lake_of(world.settings), "default")
    assert (receipt["events"], receipt["rejected"], receipt["changed"]) == (1, 1, 0)
    assert [row["properties"] for row in events(lake_of(world.settings)).values()] == ['{"plan": "42"}']


def test_of_whom_retention_left_no_event_all_ids_are_known_by_their_links(world: World) -> None:
    lake, clock = lake_of(world.settings), Clock()
    world.send({"type": "alias", "messageId": "a1", "userId": ADA, "previousId": "ada-of-old"})
    world.build()
    expire(lake, "default", NOW)
    world.build()
    with world.client() as client:
        assert client.get(f"/api/people/{ADA}").status_code == 404
    request = forgetting.ask(world.settings, lake, "default", DEVICE, "TICKET-1", "api", clock())
    assert request.person.typed == {f"user:{ADA}", "user:ada-of-old", f"anonymous:{DEVICE}"}
    left = advance(world, clock, at_once=True)
    assert left is not None
    assert left.found == ()
    assert forgetting.receipts(lake, "default")[0]["ledgers"] == 2
    assert ids_of(lake, "default", "ada-of-old") is None


def test_an_undo_of_other_people_s_link_stands_though_its_reason_names_the_person(world: World) -> None:
    lake, clock = lake_of(world.settings), Clock()
    world.send({"type": "identify", "messageId": "i9", "userId": "bob", "anonymousId": "laptop"})
    undo(lake, "default", "i9", Hand("me", f"it is the laptop of {ADA}", NOW))
    world.build()
    forgetting.ask(world.settings, lake, "default", ADA, "TICKET-1", "api", clock())
    left = advance(world, clock, at_once=True)
    assert left is not None
    assert left.found == ()
    assert ids_of(lake, "default", "bob") == Ids(frozenset({"user:bob"}))
    [link] = links_of(Ledger.now(lake, "default", with_events=False), {"user:bob"}, View())
    assert (link["state"], link["undos"][0]["why"]) == ("undone", "it is the laptop of forgotten")
    assert forgetting.receipts(lake, "default")[0]["changed"] == 2


def test_whoever_has_the_same_id_in_another_project_is_somebody_else(world: World) -> None:
    lake, clock = lake_of(world.settings), Clock()
    world.key(project="other")
    world.send(*THEIRS, project="other")
    world.build("other")
    forgetting.ask(world.settings, lake, "default", ADA, "TICKET-1", "api", clock())
    left = advance(world, clock, at_once=True)
    assert left is not None
    assert left.found == ()
    assert ids_of(lake, "default", ADA) is None
    assert ids_of(lake, "other", ADA) == Ids(frozenset({f"user:{ADA}", f"anonymous:{DEVICE}"}))


@pytest.mark.parametrize(
    "written", ["\\u00FCber/ada&co", "\\u00fcber\\/ada&co", "über/ada\\u0026co", "%c3%bcber%2fada%26co"]
)
def test_an_id_is_found_in_a_text_however_its_writer_escaped_it(written: str) -> None:
    ids = Ids(frozenset({"user:über/ada&co"}))
    row = small.call("e1", RECEIVED, user="bob", properties=f'{{"by": "{written}", "next": "{written}s"}}')
    kept, changed = others_events(small.table([row]), ids)
    assert kept["properties"].to_pylist() == [f'{{"by": "forgotten", "next": "{written}s"}}']
    assert changed == 1


def test_only_an_admin_key_may_forget_and_the_reason_may_not_name_the_person(world: World) -> None:
    with world.client() as client:
        assert client.request("DELETE", f"/api/people/{ADA}?why=TICKET-1").status_code == 403
    with world.client(world.key("admin")) as client:
        assert client.request("DELETE", f"/api/people/{ADA}").status_code == 422
        assert client.request("DELETE", f"/api/people/{ADA}?why=for {ADA}").status_code == 422
        assert client.request("DELETE", "/api/people/nobody?why=TICKET-1").status_code == 404
        assert forgetting.waiting(world.settings) == []
        answer = client.request("DELETE", f"/api/people/{ADA}?why=TICKET-1").json()
        assert (answer["step"], answer["ids"]) == ("asked", 2)
        clock = Clock()
        [waits] = client.get("/api/forgotten").json()["under_way"]
        assert (waits["request"], waits["step"], waits["asked_at"]) == (answer["request"], "asked", answer["asked_at"])
        advance(world, clock)
        assert client.get(f"/api/people/{ADA}").status_code == 404
        advance(world, clock, at_once=True)
        told = client.get("/api/forgotten").json()
        assert told["under_way"] == []
        [receipt] = told["items"]
        assert (receipt["asked_at"], receipt["why"], receipt["traces"]) == (answer["asked_at"], "TICKET-1", 0)
    with world.client() as client:
        assert client.get("/api/forgotten").status_code == 403


def test_the_command_does_it_where_no_server_runs(world: World) -> None:
    root = world.settings.folder.root
    told = jcurve("forget", ADA, "--why", "TICKET-1", "--now", data=root).stdout
    assert told.startswith("Forgotten: no id is left in ")
    assert traces(root, Ids(frozenset({f"user:{ADA}", f"anonymous:{DEVICE}"}))).found == ()
    listed = jcurve("forget", "--list", data=root).stdout
    assert "4 events, 2 rejected, 1 of others changed, 0 traces left  TICKET-1" in listed
    assert jcurve("forget", ADA, "--lift", data=root).stdout == "Its events are taken again from now on.\n"
    assert "Nobody has the id 'nobody'" in jcurve("forget", "nobody", "--why", "T", data=root, expect=1).stderr


END = datetime(2026, 2, 20, tzinfo=UTC)


def company(folder: Path, chosen: Callable[[Batch], Batch]) -> tuple[Settings, Lake]:
    """300 people through log and flush; each batch comes at the same moment whatever ``chosen`` leaves of it."""
    settings = Settings(data=folder)
    settings.folder.create()
    delivery = deliver(plan(Size(people=300, accounts=40, days=40, seed=5), END))
    clock = itertools.count(int(END.timestamp()) * 1_000_000 + HOUR, 1000)
    moment = [0]

    async def write() -> None:
        log = Log.open(settings.folder.log, now=lambda: moment[0])
        for batch in delivery.batches:
            moment[0] = next(clock)
            if len(left := chosen(batch)):
                body = left.body(int(END.timestamp()) * 1000)
                await log.append("default", "demo", "/v1/batch", "127.0.0.1", "", body)
        await asyncio.to_thread(log.close)

    asyncio.run(write())
    with Index(settings.folder.index, 30 * DAY) as index:
        Flush(settings.folder.log, lake_of(settings), index).once()
    lake = lake_of(settings)
    builder(settings, lake)("default", END + timedelta(hours=10))
    return settings, lake


def test_all_other_numbers_are_those_of_a_company_that_never_had_the_person(tmp_path: Path) -> None:
    whole = plan(Size(people=300, accounts=40, days=40, seed=5), END)
    per_person = [0] * len(whole.people)
    for happening in whole.happenings:
        per_person[happening.person] += 1
    number = per_person.index(max(per_person))  # whoever did most

    def without(batch: Batch) -> Batch:
        left = tuple(i for i in batch.ordinals if whole.happenings[i].person != number)
        return Batch(batch.company, left, batch.clock, batch.ready)

    settings, lake = company(tmp_path / "one", lambda batch: batch)
    _, expected = company(tmp_path / "two", without)
    first = next(i for i, happening in enumerate(whole.happenings) if happening.person == number)
    call = Batch(whole, (first,)).calls[0]
    given = f"user:{call['userId']}" if call.get("userId") else f"anonymous:{call['anonymousId']}"
    clock = Clock()
    request = forgetting.ask(settings, lake, "default", given, "TICKET-1", "api", clock())
    left = forgetting.advance(settings, lake, builder(settings, lake), clock, request, at_once=True)
    assert left is not None
    assert left.found == ()
    assert forgetting.receipts(lake, "default")[0]["events"] == per_person[number]
    for table in ("events", *TABLES):
        assert rows_of(lake, table).equals(rows_of(expected, table)), table


def rows_of(lake: Lake, table: str) -> pa.Table:
    manifest = current(lake, "default")
    assert manifest is not None
    own = ("log", "log_offset", "original_order")
    with Engine(lake, "default", {table: manifest.tables.get(table)}) as engine:
        rows = engine.table(f"from {table}")
        rows = rows.drop_columns([name for name in own if name in rows.column_names])
        return rows.sort_by([(name, "ascending") for name in rows.column_names])


def test_somebody_elses_event_that_links_a_forgotten_device_stays_without_it() -> None:
    ids = Ids(frozenset((f"user:{ADA}", f"anonymous:{DEVICE}")))
    mine = small.call("e1", RECEIVED, user=ADA, anonymous=DEVICE, previous_id=DEVICE)
    theirs = small.call("e2", RECEIVED, user="bob", anonymous=DEVICE, previous_id=DEVICE)
    merged = small.call("e3", RECEIVED, kind="alias", user="bob", previous_id=ADA)
    other = small.call("e4", RECEIVED, kind="alias", user="bob", anonymous=DEVICE, previous_id="bobby")
    kept, changed = others_events(small.table([mine, theirs, merged, other]), ids)
    found = [(row["event_id"], row["anonymous_id"], row["previous_id"]) for row in kept.to_pylist()]
    assert (found, changed) == ([("e2", None, None), ("e4", None, "bobby")], 2)
