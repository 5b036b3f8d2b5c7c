"""What is older than a project keeps it leaves, to the microsecond, and nothing else does."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from ingest.event import REJECTED
from ingest.lake import Lake
from tests.transforms.test_sweep import age
from tests.transforms.world import Row, at, call, lake_of, table
from transforms.build import build
from transforms.core import CORE
from transforms.engine import Engine
from transforms.retention import expire
from transforms.sweep import sweep

TICK = timedelta(microseconds=1)


def ids(lake: Lake, name: str = "events") -> list[str]:
    with Engine(lake, "default", {name: lake.version("default", name)}) as engine:
        found: list[str] = engine.table(f"select event_id from {name} order by event_id")["event_id"].to_pylist()
        return found


def rejected(event_id: str, when: datetime) -> Row:
    row = {"received_at": when, "source": "web", "path": "/", "reason": "missing_event", "detail": "", "event_id": event_id}
    return row | {"raw": b"{}", "log": "log-1", "log_offset": 0, "month": f"{when:%Y-%m}"}


def test_events_and_rejected_ones_older_than_the_limit_leave_to_the_microsecond(tmp_path: Path) -> None:
    limit = at(40)
    moments = {"a": at(0), "b": at(29), "c": limit - TICK, "d": limit, "e": limit + TICK, "f": at(80)}
    lake = lake_of(tmp_path, [call(name, moment, user="u") for name, moment in moments.items()])
    old = [rejected(name, moment) for name, moment in moments.items()]
    rows = pa.Table.from_pylist(old, schema=REJECTED)
    lake.append("default", "rejected", rows, writer="test", batch=1, partition="month")
    assert expire(lake, "default", limit) == 6
    assert ids(lake) == ids(lake, "rejected") == ["d", "e", "f"]
    versions = lake.version("default", "events"), lake.version("default", "rejected")
    assert expire(lake, "default", limit) == 0
    assert (lake.version("default", "events"), lake.version("default", "rejected")) == versions


def test_a_project_without_events_has_nothing_to_expire(tmp_path: Path) -> None:
    assert expire(Lake(str(tmp_path / "lake")), "default", at(0)) == 0


def test_late_events_that_are_as_old_leave_the_next_time(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [call("a", at(0), user="u"), call("b", at(50), user="u")])
    expire(lake, "default", at(40))
    lake_of(tmp_path, [call("late", at(1), user="u", received_at=at(60))], batch=2)
    assert ids(lake) == ["b", "late"]
    assert expire(lake, "default", at(40)) == 1
    assert ids(lake) == ["b"]


def test_builds_afterwards_are_those_of_a_lake_that_never_had_the_old_events(tmp_path: Path) -> None:
    old = [call("a", at(0), kind="identify", user="1", traits={"email": "a@example.com"})]
    new = [
        call("b", at(50), user="2"),
        call("c", at(51), anonymous="x"),
        call("d", at(52), kind="group", user="2", account_id="g"),
    ]
    lake, fresh = lake_of(tmp_path / "one", [*old, *new]), lake_of(tmp_path / "two", new)
    build(lake, "default", CORE, until=at(60), definition_version="aaaa", now=at(60))
    expire(lake, "default", at(40))
    for one in (lake, fresh):
        made = build(one, "default", CORE, until=at(61), definition_version="aaaa", now=at(61)).manifest.tables
        with Engine(one, "default", {name: made[name] for name in ("people", "actors", "accounts")}) as engine:
            rows = [engine.table(f"from {name} order by all").to_pylist() for name in ("people", "actors", "accounts")]
        if one is lake:
            expected = rows
    assert rows == expected


def test_who_is_who_outlives_the_events_that_told_it(tmp_path: Path) -> None:
    """Else what a person does today would fall apart from that person as soon as the sign-in of long ago has left."""
    events = [call("a", at(0), kind="identify", user="1", anonymous="x"), call("b", at(50), anonymous="x")]
    lake = lake_of(tmp_path, events)
    build(lake, "default", CORE, until=at(60), definition_version="aaaa", now=at(60))
    expire(lake, "default", at(40))
    made = build(lake, "default", CORE, until=at(61), definition_version="aaaa", now=at(61)).manifest.tables
    with Engine(lake, "default", {"actors": made["actors"]}) as engine:
        people = engine.table("select id, person from actors order by id").to_pylist()
    assert people == [{"id": "anonymous:x", "person": "anonymous:x"}, {"id": "user:1", "person": "anonymous:x"}]
    assert ids(lake) == ["b"]


def test_the_old_files_go_after_the_safe_time_and_kept_manifests_stay_readable(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [call("a", at(0), user="1"), call("b", at(50), user="1")])
    build(lake, "default", CORE, until=at(60), definition_version="aaaa", now=at(60))
    before = lake.files("default", "events")
    expire(lake, "default", at(40))
    build(lake, "default", CORE, until=at(61), definition_version="aaaa", now=at(61))
    age(tmp_path / "lake", at(0) - timedelta(days=400))
    sweep(lake, "default", now=at(62))
    assert all(Path(file).exists() for file in before)  # the first manifest still reads them
    sweep(lake, "default", now=at(90))
    lake_now = lake.files("default", "events")
    assert ids(lake) == ["b"]
    assert all(Path(file).exists() for file in lake_now)


def test_events_appended_while_it_runs_are_not_lost(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [call(f"a{number}", at(number), user="u") for number in range(60)])

    def append() -> None:
        for number in range(30):
            rows = table([call(f"n{number}", at(39.5), user="u"), call(f"o{number}", at(70), user="u")])
            lake.append("default", "events", rows, writer="flush", batch=number + 1, partition="month")

    writer = threading.Thread(target=append)
    writer.start()
    gone = 0
    while writer.is_alive():
        gone += expire(lake, "default", at(40))
    writer.join()
    gone += expire(lake, "default", at(40))
    assert gone == 40 + 30
    assert len(ids(lake)) == 20 + 30
