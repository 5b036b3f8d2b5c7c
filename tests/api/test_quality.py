"""The data's quality: what is unlike the weeks before, what was checked, and the shape before anything happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from api.app import lake_of
from api.building import builder, upkeep
from api.quality import compared, quality
from api.store import Project
from ingest.lake import Lake
from sql.loader import names
from tests.api.world import NOW, World, track
from transforms.engine import Engine
from transforms.errors import CheckFailed
from transforms.file_changes import change_rows
from transforms.manifest import current, publish
from transforms.schedule import job_table, run

MONDAY = date(2026, 3, 30)
WEEK = timedelta(weeks=1)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((100, 100, 100, 100, 100), (100.0, 1.0, "usual", None)),
        ((49, 100, 100, 100, 100), (100.0, 0.49, "low", None)),
        ((50, 100, 100, 100, 100), (100.0, 0.5, "usual", None)),
        ((201, 90, 100, 110, 100), (100.0, 2.01, "high", None)),
        ((0, 10, 20, 30, 40), (25.0, 0.0, "low", None)),
        ((5, 0, 0, 0, 40), (0.0, None, None, "no_base")),
        ((5, 7), (None, None, None, "no_base")),
        ((5, 7, 9), (8.0, 0.625, "usual", None)),
        ((0,), (None, None, None, "no_base")),
    ],
)
def test_a_day_is_held_to_the_median_of_its_weekday(
    counts: tuple[int, ...], expected: tuple[float | None, float | None, str | None, str | None]
) -> None:
    counted = {MONDAY - weeks * WEEK: events for weeks, events in enumerate(counts) if events}
    first = MONDAY - (len(counts) - 1) * WEEK
    found = compared(counted, first, MONDAY)
    assert (found["usual"], found["ratio"], found["status"], found["reason"]) == expected
    assert found["events"] == counts[0]


def test_before_anything_came_nothing_is_claimed(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    with world.client() as client:
        found = client.get("/api/quality").json()
    assert (found["checks"]["at"], found["checks"]["broken"]) == (None, None)
    assert {item["status"] for item in found["checks"]["items"]} == {"not run"}
    assert (found["duplicates"], found["names"]["new"], found["names"]["vanished"]) == ({"events": 0, "share": None}, [], [])
    assert found["rejections"] == {"events": 0, "share": None, "last_7_days": []}
    assert {day["reason"] for day in found["volume"]["days"]} == {"no_base"}
    assert found["freshness"]["manifest"] is None


def at(days: float) -> str:
    """So many days before NOW."""
    return (NOW - timedelta(days=days)).isoformat().replace("+00:00", "Z")


def asked(world: World) -> dict[str, Any]:
    """The answer as of NOW."""
    lake = lake_of(world.settings)
    versions = {table: lake.version("default", table) for table in ("events", "rejected")}
    with Engine(lake, "default", versions) as engine:
        return quality(world.settings, lake, Project("default"), NOW, engine)


def test_new_and_vanished_names_duplicates_and_rejections_are_told(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    old = [track("Gone", "1", at(8 + n)) for n in range(10)] + [track("Rare", "1", at(8 + n)) for n in range(9)]
    new = [track("Fresh", "1", at(1)), track("Steady", "1", at(1))]
    sent = [*old, *new, track("Steady", "1", at(40)), new[0], {"type": "track", "event": "Nobody's"}]
    world.send(*sent, received=NOW)
    world.build()
    found = asked(world)
    assert [(one["event"], one["events"]) for one in found["names"]["new"]] == [("Fresh", 1)]
    assert [(one["event"], one["events"]) for one in found["names"]["vanished"]] == [("Gone", 10)]
    assert found["duplicates"] == {"events": 1, "share": round(1 / 24, 6)}
    assert found["rejections"]["events"] == 1
    assert [(one["reason"], one["events"]) for one in found["rejections"]["last_7_days"]] == [("missing_identity", 1)]
    assert (found["checks"]["at"], found["checks"]["broken"]) == (NOW, 0)
    assert [item["name"] for item in found["checks"]["items"]] == names("checks")
    assert {(item["status"], item["rows"]) for item in found["checks"]["items"]} == {("holds", 0)}
    assert found["freshness"]["manifest"] == 1


def test_the_volume_of_each_day_stands_beside_its_weekday_s_and_the_latest_comes_first(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    counts = {1: 1, 8: 4, 15: 6, 22: 5, 2: 3}  # days before NOW, a Sunday noon: Saturdays, and a Friday
    world.send(*(track(f"E{n}", "1", at(days)) for days, count in counts.items() for n in range(count)), received=NOW)
    days = asked(world)["volume"]["days"]
    assert len(days) == 28
    assert (days[0]["day"], days[0]["events"], days[0]["usual"], days[0]["status"]) == (date(2026, 2, 28), 1, 5.0, "low")
    assert (days[1]["day"], days[1]["events"], days[1]["usual"]) == (date(2026, 2, 27), 3, 0.0)
    assert (days[7]["events"], days[7]["usual"], days[7]["status"]) == (4, 5.5, "usual")


def test_a_broken_check_is_told_with_its_rows_and_comes_first(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(track("Fresh", "1", at(1)), received=NOW)
    lake = lake_of(world.settings)
    with Engine(lake, "default", {"events": lake.version("default", "events")}) as engine:
        twice = engine.table("select * from events").combine_chunks()
    lake.append("default", "events", twice, writer="test", batch=1, partition="month")
    with pytest.raises(CheckFailed):
        world.build()
    found = asked(world)["checks"]
    assert found["broken"] >= 1
    first = found["items"][0]
    assert (first["name"], first["status"], first["rows"]) == ("event_ids_are_unique", "broken", 1)
    assert first["examples"][0].endswith("copies=2")


def test_what_only_the_nightly_look_can_see_is_reported_and_stands_until_it_is_mended(tmp_path: Path) -> None:
    """Rows of a table went wrong on disk: repairs look elsewhere, and the look over everything tells."""
    world = World.at(tmp_path)
    world.send(track("Fresh", "1", at(3)), track("Fresh", "2", at(2)), received=NOW - timedelta(hours=9))
    world.build()
    lake, path = lake_of(world.settings), world.settings.folder.work
    before, after = upkeep(world.settings, lake, lambda name: None)
    hourly, nightly = "0 * * * *", "30 2 * * *"
    night, _ = job_table(lake, builder(world.settings, lake), hourly=hourly, nightly=nightly, before=before, after=after)

    def sleep() -> tuple[str, str]:
        ended = run(path, night, "default", lambda: NOW)
        return ended.status, ended.error or ""

    assert sleep() == ("unchanged", "")
    spoil(lake, "seen_ids", "first_seen", NOW - timedelta(days=99))
    world.send(track("Fresh", "3", at(1)), received=NOW)
    world.build()  # a repair, and none of its rows
    assert asked(world)["checks"]["broken"] == 0
    status, error = sleep()
    assert (status, error.startswith("CheckFailed: "), "seen_ids_cover_events: 2 rows" in error) == ("failed", True, True)
    world.send(track("Fresh", "4", at(1)), received=NOW)
    world.build()
    found = asked(world)["checks"]  # the repair since then does not say that all is well
    [first, second] = found["items"][:2]
    assert (first["name"], first["status"], first["rows"]) == ("seen_ids_cover_events", "broken", 2)
    assert (found["broken"], second["status"]) == (1, "holds")
    manifest = current(lake, "default")
    assert manifest is not None
    publish(lake, "default", replace(manifest, number=manifest.number + 1, made_of={}))  # as after an upgrade
    world.build()
    assert asked(world)["checks"]["broken"] == 1  # made anew, but looked at by the night only
    assert sleep()[0] == "unchanged"
    assert asked(world)["checks"]["broken"] == 0


def spoil(lake: Lake, table: str, column: str, value: object) -> None:
    """Puts a version in force in which every row of a built table has this value."""

    def change(rows: pa.Table) -> pa.Table:
        at, field = rows.schema.get_field_index(column), rows.schema.field(column)
        return rows.set_column(at, field, pa.repeat(pa.scalar(value, field.type), len(rows)))

    change_rows(lake, "default", table, change)
    manifest, version = current(lake, "default"), lake.version("default", table)
    assert manifest is not None and version is not None
    publish(lake, "default", replace(manifest, number=manifest.number + 1, tables={**manifest.tables, table: version}))
