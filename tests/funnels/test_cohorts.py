"""Cohorts: how they are written, and who is in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from funnels.cohort_sql import bind_cohorts
from funnels.cohorts import cohort_as_json, read_cohorts
from funnels.definitions.definition import Cohort, Did, Internal, Selection
from funnels.definitions.load import DEFAULTS, load
from funnels.definitions.written import DefinitionError
from funnels.errors import Faults
from funnels.filters import Condition
from ingest.lake import Lake
from tests.funnels.world import built, definitions_of, did, joined
from tests.transforms.world import Row, at, call, lake_of
from transforms.domains import OFF
from transforms.engine import DEFAULT_LIMITS, Engine
from transforms.identity import DEFAULT_VIEW
from transforms.manifest import Manifest
from transforms.overlay import identity

UTC_ZONE = ZoneInfo("UTC")
STAGES = ("registered", "activated")
NOW = at(60)


def read(found: object) -> tuple[dict[str, Cohort], list[tuple[str, str]]]:
    faults = Faults()
    cohorts = read_cohorts(found, UTC_ZONE, STAGES, faults)
    return cohorts, [(fault.path, fault.message) for fault in faults.found]


def test_a_cohort_as_it_is_written() -> None:
    admins = {"property": "person_now.role", "op": "eq", "value": "admin"}
    exported = {"event": "Report Exported", "where": [{"property": "properties.format", "op": "eq", "value": "pdf"}]}
    found = {"users": {"where": [admins], "did": {**exported, "at_least": 3, "from": "2026-03-01"}, "stage": "activated"}}
    cohorts, faults = read(found)
    pdf = Condition("properties.format", "eq", "pdf")
    assert faults == []
    assert cohorts["users"] == Cohort(
        "users",
        "person",
        (Condition("person_now.role", "eq", "admin"),),
        (Did((Selection("Report Exported", (pdf,)),), 3, None, datetime(2026, 3, 1, tzinfo=UTC)),),
        ("activated",),
    )


def test_every_default_is_filled_in_and_read_again_it_is_the_same() -> None:
    found = {
        "a": {"unit": "account", "did": [{"any_of": ["A", {"event": "B"}], "at_most": 0, "last": "14d"}, {"event": "*"}]},
        "b": {"stage": ["registered", "activated"]},
    }
    cohorts, faults = read(found)
    assert faults == []
    assert [(one.at_least, one.at_most) for one in cohorts["a"].did] == [(0, 0), (1, None)]
    written = {name: cohort_as_json(cohort) for name, cohort in cohorts.items()}
    assert read(json.loads(json.dumps(written))) == (cohorts, [])


def test_all_faults_are_told_with_their_place() -> None:
    found = {
        "none": {},
        "wrong": {
            "unit": "team",
            "wher": [],
            "where": [{"property": "account_now.plan", "op": "is_set"}],
            "did": [{"event": "A", "at_least": 3, "at_most": 2}, {"at_least": -1}, "A"],
            "stage": "activeted",
        },
        "times": {"did": {"event": "A", "from": "2026-02-01", "to": "2026-02-01", "last": "1d"}},
        "now": {"did": {"event": "A", "where": [{"property": "person_now.plan", "op": "is_set"}]}},
        "text": "users",
    }
    assert read(found)[1] == [
        ("cohorts.none", "a cohort needs where, did or stage"),
        ("cohorts.wrong.wher", "unknown key; did you mean 'where'?"),
        ("cohorts.wrong.unit", "unit can only be person, account"),
        ("cohorts.wrong.did[0].at_most", "at_most is less than at_least"),
        ("cohorts.wrong.did[1]", "a cohort's did needs either event or any_of"),
        ("cohorts.wrong.did[1].at_least", "at_least is a whole number in this range"),
        ("cohorts.wrong.did[2]", "write an object with event or any_of"),
        ("cohorts.wrong.stage", "no such stage; did you mean 'activated'?"),
        ("cohorts.wrong.where", "a cohort of persons asks about person_now.<name>"),
        ("cohorts.times.did.to", "the range is empty: to must be later than from"),
        ("cohorts.times.did.last", "write either last, or from and to"),
        ("cohorts.now.did.where", "did asks about the event alone; use the cohort's where"),
        ("cohorts.text", "write an object"),
    ]
    assert read([])[1] == [("cohorts", "write cohorts by their names")]
    assert read(None) == ({}, [])


def test_a_deployment_writes_cohorts_as_definitions(tmp_path: Path) -> None:
    text = """
[cohorts."power users"]
did = { event = "Task Completed", at_least = 20, from = 2026-01-01 }
stage = "activated"
"""
    definitions = definitions_of(tmp_path, cohorts=text)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert definitions.cohorts == {
        "power users": Cohort(
            "power users", "person", (), (Did((Selection("Task Completed"),), 20, start=since),), ("activated",)
        )
    }
    assert definitions.version == load(DEFAULTS).version  # no table is built of them
    assert load(DEFAULTS).cohorts == {}


def test_faults_of_a_cohorts_definition_are_told_with_file_and_line(tmp_path: Path) -> None:
    text = """
[cohorts.busy]
did = [{ event = "Task Completd", at_most = "two" }]
stages = "activated"
[cohorts.idle]
stage = "activeted"
"""
    with pytest.raises(DefinitionError) as caught:
        definitions_of(tmp_path, cohorts=text)
    assert [str(fault) for fault in caught.value.faults] == [
        "cohorts.toml:3: 'did[0].at_most' of cohort 'busy' is 'two': at_most is a whole number in this range",
        "cohorts.toml:3: unknown event 'Task Completd' in cohort 'busy'; did you mean 'Task Completed'?",
        "cohorts.toml:4: 'stages' of cohort 'busy' is 'stages': unknown key; did you mean 'stage'?",
        "cohorts.toml:6: 'stage' of cohort 'idle' is 'activeted': no such stage; did you mean 'activated'?",
    ]


def members(
    lake: Lake, manifest: Manifest, as_of: datetime = NOW, internal: Internal | None = None, **cohort: object
) -> list[str]:
    """The public ids of a cohort's members, found by an event of theirs."""
    faults = Faults()
    cohorts = read_cohorts({"it": cohort}, UTC_ZONE, ("registered", "activated", "pql", "paid"), faults)
    faults.raise_any()
    version = lake.version("default", "events")
    known = identity(lake, "default", version, manifest, DEFAULT_LIMITS, OFF, DEFAULT_VIEW)
    tables = {name: manifest.tables[name] for name in ("people", "accounts", "stages", "internal_actors")}
    with Engine(lake, "default", {"events": version, **tables, **known.built}) as engine:
        known.bind(engine)
        condition = bind_cohorts(engine, cohorts, as_of, internal)["it"]
        name = (
            "coalesce(events.account_id, sole_memberships.account_id)"
            if cohort.get("unit") == "account"
            else "actors.person"
        )
        rows = engine.table(
            f"""select distinct {name} as name from events left join actors on actors.actor_id = events.actor_id
            left join sole_memberships on sole_memberships.person_id = actors.person_id
                and sole_memberships.since <= events.time
                and (sole_memberships.until is null or events.time < sole_memberships.until)
            where {condition} order by all"""
        )
        return [str(one) for one in rows["name"].to_pylist()]


def world() -> list[Row]:
    """ann exports thrice and joins acme, bob once, eve never; a robot exports, too."""
    rows = [did(user, "Signed Up", at(day)) for day, user in enumerate(("ann", "bob", "eve"))]
    rows += [did("ann", "Report Exported", at(day), properties=json.dumps({"format": "pdf"})) for day in (10, 20, 30)]
    rows += [did("bob", "Report Exported", at(20), properties=json.dumps({"format": "csv"}))]
    rows += [did("robot", "Report Exported", at(20), bot=True), joined("ann", "acme", at(5))]
    rows += [did("bob", "Report Exported", at(70)), did("eve", "Signed In", at(5), account_id="beta")]
    return [*rows, call("1", at(1), kind="identify", user="bob", traits={"role": "admin"})]


def test_who_did_it_often_enough_is_in(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, world())

    def who(**how: object) -> list[str]:
        return members(lake, manifest, did={"event": "Report Exported", **how})

    assert who() == ["user:ann", "user:bob"]
    assert who(at_least=2) == ["user:ann"]
    assert who(at_least=1, at_most=1) == ["user:bob"]  # his second one is after as_of
    assert who(at_most=0) == ["user:eve", "user:robot"]  # a robot's are not counted
    assert who(where=[{"property": "properties.format", "op": "eq", "value": "csv"}]) == ["user:bob"]
    assert who(where=[{"property": "bot", "op": "eq", "value": True}]) == ["user:robot"]
    assert members(lake, manifest, did=[{"event": "Report Exported"}, {"event": "Signed Up", "from": "2026-03-03"}]) == [
        "user:bob"
    ]


def test_times_of_what_was_done(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, world())

    def times(**when: object) -> int:
        """The most often that ann did it then."""
        return max(
            number
            for number in range(4)
            if "user:ann" in members(lake, manifest, did={"event": "Report Exported", "at_least": number, **when})
        )

    ten, thirty = ((at(days)).isoformat() for days in (10, 30))
    assert times() == 3
    assert times(**{"from": ten, "to": thirty}) == 2  # from counts, to does not
    assert times(last="30d") == 1
    assert times(last="40d") == 2
    assert members(lake, manifest, at(30), did={"event": "Report Exported", "at_least": 3}) == ["user:ann"]
    assert members(lake, manifest, at(30) - timedelta(microseconds=1), did={"event": "Report Exported", "at_least": 3}) == []


def test_what_the_last_build_knows_and_the_stages_entered(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, world())
    admin = {"property": "person_now.role", "op": "eq", "value": "admin"}
    assert members(lake, manifest, where=[admin]) == ["user:bob"]
    assert members(lake, manifest, where=[{**admin, "op": "ne"}]) == ["user:ann", "user:eve", "user:robot"]
    assert members(lake, manifest, stage="registered") == ["user:ann", "user:bob", "user:eve"]
    assert members(lake, manifest, at(1), stage="registered") == ["user:ann", "user:bob"]
    assert members(lake, manifest, stage=["registered", "activated"]) == []
    assert members(lake, manifest, stage="registered", where=[admin], did={"event": "Report Exported"}) == ["user:bob"]


def test_accounts_are_found_by_their_own_events_and_their_members(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, world())
    assert members(lake, manifest, unit="account", did={"event": "Report Exported", "at_least": 3}) == ["acme"]
    assert members(lake, manifest, unit="account", did={"event": "Report Exported", "at_most": 0}) == ["beta"]
    assert members(lake, manifest, unit="account", where=[{"property": "account_now.members", "op": "gte", "value": 1}]) == [
        "acme"
    ]
    assert members(lake, manifest, unit="account", stage="registered") == ["acme"]


def test_a_stage_built_under_an_id_that_was_merged_since_is_still_theirs(tmp_path: Path) -> None:
    rows = [did("zoe", "Signed Up", at(0)), did("amy", "Signed In", at(0))]
    lake, manifest = built(tmp_path, rows)
    merge = call("m", at(1), kind="alias", user="amy", previous_id="zoe")
    assert members(lake, manifest, stage="registered") == ["user:zoe"]
    lake_of(tmp_path, [merge], batch=2)
    assert members(lake, manifest, stage="registered") == ["user:amy"]


def test_internal_traffic_is_not_counted(tmp_path: Path) -> None:
    lake, manifest = built(tmp_path, world())
    csv = Internal(where=(Condition("properties.format", "eq", "csv"),))
    assert members(lake, manifest, internal=csv, did={"event": "Report Exported"}) == ["user:ann"]
    assert members(lake, manifest, internal=csv, stage="registered") == ["user:ann", "user:bob", "user:eve"]
