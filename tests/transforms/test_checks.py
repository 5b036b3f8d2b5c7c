"""Each check holds for a sound world and finds the one fault it is there for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.lake import Lake
from sql.loader import load, names
from tests.transforms.world import at, built, call, lake_of, table
from transforms import checks, days
from transforms.core import CORE
from transforms.engine import Engine
from transforms.errors import CheckFailed
from transforms.ledger import LEDGER, fresh_links
from transforms.tables import ID_LINKS, INVITES, STAGES, TABLES

EVENTS = [
    call("e1", at(0), kind="page", anonymous="x"),
    call("e2", at(1), kind="identify", user="1", anonymous="x"),
    call("e3", at(2), kind="group", user="1", account_id="a"),
    call("e4", at(3), kind="group", user="1", account_id="b"),
    call("e5", at(4), user="2"),
]
STAGE = {
    "subject": "person",
    "subject_id": "user:2",
    "stage": "paid",
    "spell": 1,
    "entered": at(4),
    "left": None,
    "event_id": "e5",
    "definition_version": "aaaa",
}
INVITE = dict.fromkeys(INVITES.names) | {
    "invite_id": "i1",
    "inviter": "anonymous:x",
    "invitee": "user:2",
    "sent_at": at(2),
    "scope": "new_account",
}

LIMIT = {"dedup_limit": timedelta(days=30)}

# check -> the relation that is broken, and how: its rows, or columns replaced
BREAKS = {
    "account_days_add_up": ("account_days", "select * replace (events + 1 as events) from account_days"),
    "account_days_are_unique": ("account_days", "select * replace (events + 1 as people) from account_days"),
    "account_people_cover_activity": (
        "account_people",
        "select * replace (last_seen + interval 1 hour as last_seen) from account_people",
    ),
    "accounts_are_not_their_own_parents": ("accounts", "select * replace (account_id as parent) from accounts"),
    "accounts_are_seen_in_order": (
        "accounts",
        "select * replace (first_seen + interval 1 year as first_seen) from accounts",
    ),
    "accounts_count_their_members": ("accounts", "select * replace (members + 1 as members) from accounts"),
    "activity_adds_up": ("activity", "select * replace (pages + 1 as pages) from activity"),
    "activity_is_unique": ("activity", "select * from activity union all select * from activity"),
    "actor_ids_do_not_collide": ("actors", "select * replace (person_id as actor_id) from actors"),
    "actors_cover_events": ("actors", "select * from actors where id <> 'user:2'"),
    "actors_cover_seen_ids": ("actors", "select * replace (first_seen + interval 1 day as first_seen) from actors"),
    "actors_follow_their_links": ("actors", "select * replace (actor_id as person_id, id as person) from actors"),
    "actors_name_people_by_their_smallest_id": ("actors", "select * replace ('user:1' as person) from actors"),
    "copies_stand_apart": (
        "events",
        "select * from events union all select * replace (received_at + interval 30 day as received_at) from events",
    ),
    "event_ids_are_unique": ("events", "select * from events union all select * from events"),
    "events_carry_one_identity": ("events", "select * replace (null as user_id, null as anonymous_id) from events"),
    "ids_of_links_do_not_collide": ("seen_ids", "select * replace (id || '!' as id) from seen_ids"),
    "invites_are_between_people": ("invites", "select * replace (inviter as invitee) from invites"),
    "invites_are_unique": ("invites", "select * from invites union all select * from invites"),
    "invites_credit_a_person_once": ("invites", "select * from invites union all select * from invites"),
    "memberships_belong_to_people_and_accounts": ("accounts", "select * from accounts where account_id <> 'a'"),
    "memberships_have_no_gaps": ("memberships", "select * from memberships where ordinal <> 1"),
    "people_are_seen_in_order": ("people", "select * replace (first_seen + interval 1 year as first_seen) from people"),
    "people_are_unique": ("people", "select * from people union all select * from people"),
    "people_count_every_event_once": ("people", "select * replace (events + 1 as events) from people"),
    "people_cover_actors": ("people", "select * from people where person <> 'user:2'"),
    "person_days_add_up": ("person_days", "select * replace (sessions + 1 as sessions) from person_days"),
    "person_days_are_unique": ("person_days", "select * from person_days union all select * from person_days"),
    "seen_ids_are_unique": ("seen_ids", "select * from seen_ids union all select * from seen_ids"),
    "seen_ids_cover_events": ("seen_ids", "select * replace (first_seen - interval 1 day as first_seen) from seen_ids"),
    "sessions_are_unique": ("sessions", "select * from sessions union all select * from sessions"),
    "sessions_cover_every_event_once": ("sessions", "select * replace (events + 1 as events) from sessions"),
    "sessions_do_not_touch": ("sessions", "select * replace (started + interval 1 day as ended) from sessions"),
    "sole_memberships_stand_alone": ("sole_memberships", "select * replace (null as until) from sole_memberships"),
    "stages_are_entered_by_events": ("stages", "select * replace ('nothing' as event_id) from stages"),
    "stages_are_left_after_they_are_entered": (
        "stages",
        'select * replace (entered - interval 1 day as "left") from stages',
    ),
    "stages_have_one_spell_at_a_time": (
        "stages",
        "select * from stages union all select * replace (2 as spell) from stages",
    ),
    "stages_are_unique": ("stages", "select * replace (2 as spell) from stages"),
    "stages_belong_to_people_and_accounts": ("stages", "select * replace ('user:9' as subject_id) from stages"),
}


@contextmanager
def sound_engine() -> Iterator[Engine]:
    """An engine with every table of a sound world."""
    with Engine(Lake("unused"), "default", {}) as engine:
        engine.bind("events", table(EVENTS))
        engine.bind(LEDGER, ID_LINKS.empty_table())
        engine.bind(LEDGER, fresh_links(engine))
        for name, rows in built(EVENTS, models=CORE + days.models()).items():
            engine.bind(name, rows)
        engine.bind("stages", pa.Table.from_pylist([STAGE], schema=STAGES))
        engine.bind("invites", pa.Table.from_pylist([INVITE], schema=INVITES))
        yield engine


@pytest.fixture
def sound() -> Iterator[Engine]:
    with sound_engine() as engine:
        yield engine


def test_every_check_has_a_world_that_breaks_it() -> None:
    assert sorted(BREAKS) == names("checks")


def test_a_sound_world_passes_every_check(sound: Engine) -> None:
    assert checks.run(sound, LIMIT) == len(names("checks"))
    assert checks.run(sound) == len(names("checks")) - 1  # a build has no limit for copies


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_world_is_found(sound: Engine, name: str) -> None:
    relation, text = BREAKS[name]
    sound.bind(relation, sound.table(text))
    found = checks.violation(sound, load("checks", name), LIMIT)
    assert found is not None
    assert found.count >= len(found.examples) >= 1


@pytest.mark.parametrize("name", [name for name in BREAKS if name not in (*checks.AT_NIGHT, "copies_stand_apart")])
def test_a_repair_that_breaks_a_table_is_found_by_looking_at_what_it_moved(sound: Engine, name: str) -> None:
    relation, text = BREAKS[name]
    _all_came(sound)
    checks.run_repaired(sound)
    sound.bind(relation, sound.table(text))
    _all_came(sound)
    with pytest.raises(CheckFailed) as caught:
        checks.run_repaired(sound)
    assert name in [found.rule for found in caught.value.violations]


def test_a_repair_that_leaves_sessions_to_nobody_is_found(sound: Engine) -> None:
    _all_came(sound, but=("sessions",))
    sound.bind("people", sound.table("select * from people where person <> 'user:2'"))
    with pytest.raises(CheckFailed) as caught:
        checks.run_repaired(sound)
    assert "sessions_are_unique" in [found.rule for found in caught.value.violations]


def _all_came(engine: Engine, but: tuple[str, ...] = ()) -> None:
    """Tells the checks that a repair put in every row that there is, but those of some tables."""
    for name, schema in TABLES.items():
        rows = schema.empty_table() if name in but or name not in engine.relations else engine.table(f"from {name}")
        for told in ("came", "changed"):
            engine.bind(f"{told}_{name}", rows)
        engine.bind(f"went_{name}", schema.empty_table())
    engine.bind("moved_events", engine.table("select *, true as came from events"))
    engine.bind("moved_id_links", engine.table("select *, true as came from id_links"))


def test_what_joins_all_events_is_checked_at_night_and_not_by_a_build(sound: Engine) -> None:
    sound.bind("account_days", sound.table(BREAKS["account_days_add_up"][1]))
    assert checks.run(sound, at_night=False) == len(names("checks")) - 5
    with pytest.raises(CheckFailed):
        checks.run(sound)


def test_a_failure_names_each_rule_the_count_examples_and_the_query(sound: Engine) -> None:
    sound.bind("people", sound.table("select * replace (events * 2 as events) from people where person = 'user:2'"))
    with pytest.raises(CheckFailed) as caught:
        checks.run(sound)
    assert [found.rule for found in caught.value.violations] == [
        "invites_are_between_people",
        "memberships_belong_to_people_and_accounts",
        "people_count_every_event_once",
        "people_cover_actors",
        "person_days_add_up",
        "sessions_are_unique",
    ]
    counted = caught.value.violations[2]
    assert str(counted).startswith(
        "people_count_every_event_once: 1 rows (the total of people's events where it differs from the number of events), "
        "such as counted=2, stored=5. Run it again:\n-- the total of people's events"
    )


def test_a_check_whose_tables_were_not_built_is_left_out() -> None:
    with Engine(Lake("unused"), "default", {}) as engine:
        engine.bind("events", table(EVENTS))
        assert checks.run(engine) == 2


def test_the_nightly_look_finds_a_copy_within_the_limit_and_leaves_one_beyond_it_alone(tmp_path: Path) -> None:
    first = call("e1", at(0), user="1")
    later = call("e1", at(40), user="1", received_at=at(0) + timedelta(days=40))
    lake = lake_of(tmp_path, [first, later])
    assert checks.copies(lake, "default", timedelta(days=40) - timedelta(seconds=1)) == 3
    with pytest.raises(CheckFailed, match="copies_stand_apart"):
        checks.copies(lake, "default", timedelta(days=40))
    lake_of(tmp_path, [call("e1", at(50), user="1")], batch=2)  # the same month as the second
    with pytest.raises(CheckFailed, match="event_ids_are_unique"):
        checks.copies(lake, "default", timedelta(days=1))
