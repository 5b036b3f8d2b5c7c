"""Ad-hoc questions see who is who at the newest events."""

from pathlib import Path

from ingest.lake import Lake
from tests.transforms.world import at, call, lake_of, rows_of
from transforms.build import CORE, build
from transforms.overlay import identity

FIRST = [call("e1", at(0), kind="page", anonymous="x"), call("e2", at(1), kind="group", user="1", account_id="a")]
MERGE = call("e3", at(2), kind="identify", user="1", anonymous="x")


def people(lake: Lake, version: int | None, built: bool = True) -> set[object]:
    result = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)) if built else None
    found = identity(lake, "default", version, result.manifest if result else None)
    return {person for (person,) in rows_of(found.actors, "person")}


def test_without_events_nobody_is_anybody(tmp_path: Path) -> None:
    found = identity(Lake(str(tmp_path)), "default", None, None)
    assert (found.actors.num_rows, found.memberships.num_rows) == (0, 0)


def test_the_build_s_tables_are_taken_where_it_read_these_very_events(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, FIRST)
    assert people(lake, 1) == {"anonymous:x", "user:1"}
    assert people(lake, 1, built=False) == {"anonymous:x", "user:1"}


def test_a_merge_shows_before_the_next_build(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, FIRST)
    manifest = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)).manifest
    lake_of(tmp_path, [MERGE], batch=2)
    found = identity(lake, "default", 2, manifest)
    assert {person for (person,) in rows_of(found.actors, "person")} == {"anonymous:x"}
    assert rows_of(found.memberships, "person", "account_id") == [("anonymous:x", "a")]
    assert {person for (person,) in rows_of(identity(lake, "default", 1, manifest).actors, "person")} == {
        "anonymous:x",
        "user:1",
    }


def test_the_overlay_has_the_rows_the_build_would_make(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [*FIRST, MERGE])
    computed = identity(lake, "default", 1, None)
    manifest = build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9)).manifest
    taken = identity(lake, "default", 1, manifest)
    for one, other in zip(computed, taken, strict=True):
        order = [(name, "ascending") for name in one.column_names]
        assert one.sort_by(order).to_pylist() == other.sort_by(order).to_pylist()
