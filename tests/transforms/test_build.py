"""A build publishes all or nothing, and building twice changes nothing."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.lake import Lake
from sql.loader import parse
from tests.transforms.world import Row, at, call, lake_of, rows_of
from transforms import checks
from transforms.build import BuildResult, build
from transforms.core import CORE
from transforms.engine import Engine
from transforms.errors import CheckFailed, ModelFailed, Overtaken
from transforms.manifest import current
from transforms.model import Model

EVENTS: list[Row] = [
    call("e1", at(0), kind="page", anonymous="x"),
    call("e2", at(1), kind="identify", user="1", anonymous="x"),
    call("e3", at(2), kind="group", user="1", account_id="a"),
    call("e4", at(40), user="2"),
]
BUILT = dict.fromkeys(  # first versions
    (
        "seen_ids",
        "actors",
        "memberships",
        "sole_memberships",
        "sessions",
        "people",
        "activity",
        "account_people",
        "accounts",
        "runaway_ids",
    ),
    1,
)
BROKEN = Model(
    parse("models/people.sql", "people", "-- x\n-- grain: person\n-- kind: whole\n-- reads: actors\nselect no from actors")
)


def built(lake: Lake, models: tuple[Model, ...] = CORE, **options: object) -> BuildResult:
    defaults: dict[str, object] = {"until": at(50), "definition_version": "aaaa", "now": at(50)}
    return build(lake, "default", models, **(defaults | options))  # type: ignore[arg-type]


def people(lake: Lake) -> list[tuple[object, ...]]:
    manifest = current(lake, "default")
    assert manifest is not None
    with Engine(lake, "default", manifest.tables) as engine:
        return rows_of(engine.table("select * from people order by person"), "person", "events")


def test_relations_that_no_model_reads_any_more_are_let_go_and_those_of_checks_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[frozenset[str]] = []
    run = checks.run

    def told(engine: Engine, **options: object) -> int:
        kept.append(engine.relations)
        return run(engine, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(checks, "run", told)
    built(lake_of(tmp_path, EVENTS))
    assert not kept[0] & {"links", "id_roots", "traits", "first_touches"}
    assert kept[0] >= {"link_states", "actors", "sessions"}


def test_a_build_writes_its_tables_and_a_manifest_that_names_them(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    result = built(lake)
    assert result.manifest == current(lake, "default")
    assert result.manifest.tables == {"events": 1, "id_links": 1, **BUILT}
    assert (result.manifest.number, result.rows, result.changed, dict(result.before)) == (
        1,
        3 + 1 + 1 + 4 + 2 + 1 + 1 + 3 + 4,
        True,
        {},
    )
    assert people(lake) == [("anonymous:x", 3), ("user:2", 1)]


def test_building_twice_changes_nothing(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    first, second = built(lake), built(lake, now=at(51))
    assert second.manifest == first.manifest
    assert not second.changed
    assert [lake.version("default", name) for name in first.manifest.tables] == list(first.manifest.tables.values())


def test_events_in_another_order_build_the_same_tables(tmp_path: Path) -> None:
    first, second = lake_of(tmp_path / "1", EVENTS), Lake(str(tmp_path / "2" / "lake"))
    for batch, row in enumerate(reversed(EVENTS), start=1):
        lake_of(tmp_path / "2", [row], batch)
    built(first), built(second)
    for name in BUILT:
        with Engine(first, "default", {name: 1}) as one, Engine(second, "default", {name: 1}) as other:
            assert one.table(f"from {name} order by all").equals(other.table(f"from {name} order by all")), name


def test_only_tables_whose_rows_changed_get_a_new_version(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    first = built(lake)
    lake_of(tmp_path, [call("e5", at(41), user="2")], batch=2)
    second = built(lake)
    assert second.manifest.tables == {**first.manifest.tables, "events": 2, "people": 2, "sessions": 2, "activity": 2}
    assert (second.changed, second.manifest.number, second.before) == (True, 2, first.manifest.tables)


def test_a_later_completeness_mark_is_published_though_no_table_changed(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    built(lake)
    second = built(lake, until=at(60))
    assert not second.changed
    assert (second.manifest.number, second.manifest.complete_until) == (2, at(60))
    assert checks.last(lake, "default") == checks.Checked(at(50), ())


def test_a_project_without_events_builds_empty_tables(tmp_path: Path) -> None:
    result = built(Lake(str(tmp_path)))
    assert result.manifest.tables == BUILT
    assert result.rows == 0
    assert not built(Lake(str(tmp_path))).changed


def test_a_model_that_fails_leaves_the_last_good_tables_in_force(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    first = built(lake)
    lake_of(tmp_path, [call("e5", at(41), user="2")], batch=2)
    with pytest.raises(ModelFailed, match=r"sql/models/people.sql could not be built: .*no"):
        built(lake, (*CORE, BROKEN))
    assert current(lake, "default") == first.manifest
    assert people(lake) == [("anonymous:x", 3), ("user:2", 1)]
    assert lake.version("default", "people") == 1


def test_a_model_that_leaves_a_needed_column_empty_is_refused(tmp_path: Path) -> None:
    text = "-- x\n-- grain: account_id\n-- kind: whole\n-- reads: accounts\n"
    text += "select account_id, name, parent, first_seen, null as last_seen, members, channel, traits from accounts"
    with pytest.raises(ModelFailed, match="last_seen"):
        built(lake_of(tmp_path, EVENTS), (*CORE, Model(parse("models/accounts.sql", "accounts", text))))


def test_a_check_that_fails_leaves_the_last_good_tables_in_force(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)
    first = built(lake)
    lake_of(tmp_path, [call("e4", at(41), user="2"), call("e1", at(0), user="2")], batch=2)
    with pytest.raises(CheckFailed) as caught:
        built(lake)
    violation, *_ = caught.value.violations
    assert (violation.rule, violation.count) == ("event_ids_are_unique", 2)
    assert "an event id that is stored more than once" in str(caught.value)
    said = checks.last(lake, "default")
    assert said is not None
    assert (said.at, said.violations) == (at(50), caught.value.violations)
    assert "group by event_id, month\nhaving count(*) > 1" in str(caught.value)
    assert current(lake, "default") == first.manifest
    assert people(lake) == [("anonymous:x", 3), ("user:2", 1)]
    assert lake.version("default", "people") == 1


def test_a_first_build_of_an_event_that_is_stored_twice_is_refused(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [*EVENTS, call("e4", at(41), user="2")])
    with pytest.raises(CheckFailed) as caught:
        built(lake)
    assert [(one.rule, one.count) for one in caught.value.violations] == [("event_ids_are_unique", 1)]
    assert current(lake, "default") is None


def test_a_build_that_dies_between_its_tables_and_the_manifest_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(tmp_path, EVENTS)
    first = built(lake)
    lake_of(tmp_path, [call("e5", at(41), user="2")], batch=2)

    def die(lake: Lake, project: str, manifest: object) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="the power went"):
        patched.setattr("transforms.build.publish", die)
        built(lake)
    assert current(lake, "default") == first.manifest
    assert people(lake) == [("anonymous:x", 3), ("user:2", 1)]
    assert built(lake).manifest.number == 2
    assert people(lake) == [("anonymous:x", 3), ("user:2", 2)]


def test_of_two_builds_at_once_one_is_told_to_build_again(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, EVENTS)

    def overtake(engine: Engine) -> dict[str, pa.Table]:
        built(lake, now=at(49))
        return {}

    with pytest.raises(Overtaken, match="another build of project 'default' took manifest 1 meanwhile; build again"):
        built(lake, (*CORE[:-1], replace(CORE[-1], inputs=overtake)))
    assert current(lake, "default") is not None


def test_a_lake_behind_a_url_builds_the_same(tmp_path: Path) -> None:
    lake_of(tmp_path, EVENTS)
    lake = Lake(f"file://{tmp_path}/lake")
    assert built(lake).manifest == current(lake, "default")
    assert not built(lake).changed
    assert people(lake) == [("anonymous:x", 3), ("user:2", 1)]
    lake_of(tmp_path, [call("e5", at(41), user="2"), call("late", at(1), user="2")], batch=2)
    assert built(lake).changed
    assert people(lake) == [("anonymous:x", 3), ("user:2", 3)]
