"""Who is who: links in force, people as their connected components, whatever order the events came in."""

import os
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.actor import actor_id
from ingest.lake import Lake
from tests.transforms.world import Row, at, built, call, rows_of, table
from transforms.core import CORE
from transforms.engine import Engine
from transforms.identity import components
from transforms.ledger import fresh_links
from transforms.tables import ID_LINKS

ACTORS = CORE[:6]
STREAMS = int(os.environ.get("JCURVE_TEST_IDENTITY_STREAMS", "60"))


def people(rows: list[Row]) -> dict[object, object]:
    """Typed id -> public id of its person."""
    return dict(rows_of(built(rows, models=ACTORS)["actors"], "id", "person"))  # type: ignore[arg-type]


def identify(event_id: str, minutes: int, user: str, anonymous: str | None) -> Row:
    return call(event_id, at(minutes=minutes), kind="identify", user=user, anonymous=anonymous)


def alias(event_id: str, minutes: int, user: str, previous: str, anonymous: str | None = None) -> Row:
    return call(event_id, at(minutes=minutes), kind="alias", user=user, anonymous=anonymous, previous_id=previous)


def test_no_events_make_no_actors() -> None:
    assert people([]) == {}


def test_an_anonymous_visitor_is_a_person_of_its_own() -> None:
    assert people([call("e1", at(), kind="page", anonymous="a1")]) == {"anonymous:a1": "anonymous:a1"}


def test_identify_links_the_anonymous_id_to_the_user() -> None:
    rows = [call("e1", at(), kind="page", anonymous="a1"), identify("e2", 1, "42", "a1")]
    actors = built(rows, models=ACTORS)["actors"]
    assert sorted(rows_of(actors, "id", "actor_id", "person", "person_id", "linked_by", "linked_at", "first_seen")) == [
        (
            "anonymous:a1",
            actor_id("anonymous", "a1"),
            "anonymous:a1",
            actor_id("anonymous", "a1"),
            "e2",
            at(minutes=1),
            at(),
        ),
        ("user:42", actor_id("user", "42"), "anonymous:a1", actor_id("anonymous", "a1"), None, None, at(minutes=1)),
    ]


def test_a_track_call_with_both_ids_links_nothing_and_makes_no_second_person() -> None:
    assert people([call("e1", at(), user="42", anonymous="a1")]) == {"user:42": "user:42"}


def both(event_id: str, minutes: int, user: str, anonymous: str) -> Row:
    """An event of a sender for whom two ids on one event are one person's."""
    return call(event_id, at(minutes=minutes), user=user, anonymous=anonymous, previous_id=anonymous)


def test_an_event_whose_previous_id_is_its_anonymous_one_links_the_two() -> None:
    rows = [call("e1", at(), kind="page", anonymous="a1"), both("e2", 1, "42", "a1"), both("e3", 2, "42", "a1")]
    actors = built(rows, models=ACTORS)["actors"]
    assert sorted(rows_of(actors, "id", "person", "linked_by")) == [
        ("anonymous:a1", "anonymous:a1", "e2"),
        ("user:42", "anonymous:a1", None),
    ]


def test_of_events_that_link_two_ids_the_ledger_keeps_those_that_were_the_earliest_when_they_came() -> None:
    came = {"e1": 10, "e2": 11, "e3": 12, "e4": 13}
    rows = [
        both(name, minutes, "42", "a1") | {"received_at": at(minutes=came[name])}
        for name, minutes in (("e1", 5), ("e2", 7), ("e3", 3), ("e4", 4))
    ]
    rows.append(identify("e5", 1, "42", "a1") | {"received_at": at(minutes=20)})
    with Engine(Lake("unused"), "default", {}) as engine:
        engine.bind("events", table(rows))
        engine.bind("id_links", ID_LINKS.empty_table())
        links = fresh_links(engine)
    assert sorted(rows_of(links, "entry", "known_at")) == [
        ("e1", at(minutes=10)),
        ("e3", at(minutes=12)),
        ("e5", at(minutes=20)),
    ]


def test_two_devices_of_one_user_are_one_person() -> None:
    found = people([identify("e1", 0, "42", "phone"), identify("e2", 5, "42", "laptop")])
    assert found == dict.fromkeys(["user:42", "anonymous:phone", "anonymous:laptop"], "anonymous:laptop")


def test_a_shared_device_stays_with_its_first_user_and_joins_nobody() -> None:
    found = people([identify("e2", 9, "2", "shared"), identify("e1", 3, "1", "shared")])
    assert found == {"user:1": "anonymous:shared", "anonymous:shared": "anonymous:shared", "user:2": "user:2"}


def test_of_two_links_at_one_time_the_smaller_event_id_holds() -> None:
    found = people([identify("e2", 3, "2", "shared"), identify("e1", 3, "1", "shared")])
    assert found["user:1"] == "anonymous:shared"
    assert found["user:2"] == "user:2"


def test_alias_merges_two_users_with_all_their_devices() -> None:
    found = people([identify("e1", 0, "old", "a1"), identify("e2", 1, "new", "a2"), alias("e3", 2, "new", "old")])
    assert set(found.values()) == {"anonymous:a1"}
    assert set(found) == {"user:old", "user:new", "anonymous:a1", "anonymous:a2"}


def test_alias_of_the_own_anonymous_id_is_such_a_link_and_obeys_the_first_user() -> None:
    found = people([alias("e1", 5, "2", "a1", anonymous="a1"), identify("e0", 1, "1", "a1")])
    assert found == {"user:1": "anonymous:a1", "anonymous:a1": "anonymous:a1", "user:2": "user:2"}


def test_an_alias_of_a_user_to_itself_links_nothing() -> None:
    assert people([alias("e1", 0, "42", "42")]) == {"user:42": "user:42"}


def test_an_id_that_only_an_alias_names_is_found() -> None:
    actors = built([alias("e1", 0, "b", "a")], models=ACTORS)["actors"]
    assert sorted(rows_of(actors, "id", "actor_id", "person", "linked_by")) == [
        ("user:a", actor_id("user", "a"), "user:a", "e1"),
        ("user:b", actor_id("user", "b"), "user:a", None),
    ]


def test_a_user_and_an_anonymous_id_of_one_name_are_two_people() -> None:
    rows = [call("e1", at(), user="42"), call("e2", at(), kind="page", anonymous="42")]
    assert people(rows) == {"user:42": "user:42", "anonymous:42": "anonymous:42"}


def test_ids_with_colons_and_wild_characters_keep_their_hash() -> None:
    rows = [identify("e1", 0, "a:b%_'\"ü😀", "x:y")]
    assert sorted(rows_of(built(rows, models=ACTORS)["actors"], "id", "actor_id")) == [
        ("anonymous:x:y", actor_id("anonymous", "x:y")),
        ("user:a:b%_'\"ü😀", actor_id("user", "a:b%_'\"ü😀")),
    ]


def walked(rows: list[Row]) -> dict[object, object]:
    """The oracle: the same answer by a plain walk with a union-find."""
    parent: dict[str, str] = {}

    def root(one: str) -> str:
        while parent.setdefault(one, one) != one:
            one = parent[one]
        return one

    taken: set[str] = set()
    for row in sorted(rows, key=lambda row: (row["time"], row["event_id"])):
        user, anonymous, previous = row["user_id"], row["anonymous_id"], row["previous_id"]
        root(f"user:{user}" if user else f"anonymous:{anonymous}")
        if not user:
            continue
        linked = None
        if row["kind"] == "identify" and anonymous:
            linked = f"anonymous:{anonymous}"
        elif row["kind"] == "alias":
            linked = f"anonymous:{anonymous}" if previous == anonymous else f"user:{previous}"
        if linked and linked not in taken:
            parent[root(linked)] = root(f"user:{user}")
            if linked.startswith("anonymous:"):
                taken.add(linked)
    groups: dict[str, list[str]] = {}
    for one in list(parent):
        groups.setdefault(root(one), []).append(one)
    return {one: min(group) for group in groups.values() for one in group}


@st.composite
def streams(draw: st.DrawFn) -> list[Row]:
    """Few ids and few moments, so that links collide; every kind of call that can name an id."""
    names = st.sampled_from(["1", "2", "3", "4", "5", "6"])
    rows: list[Row] = []
    for number in range(draw(st.integers(0, 25))):
        kind = draw(st.sampled_from(["identify", "alias", "track", "page"]))
        user = draw(names if kind == "alias" else st.one_of(names, st.none()))
        anonymous = draw(names if user is None else st.one_of(names, st.none()))
        previous = draw(names) if kind == "alias" else None
        time = at(minutes=draw(st.integers(0, 8)))
        rows.append(call(f"e{number}", time, kind=kind, user=user, anonymous=anonymous, previous_id=previous))
    return rows


@settings(max_examples=STREAMS, deadline=None)
@given(streams(), st.randoms(use_true_random=False))
def test_people_are_those_of_a_plain_walk_in_whatever_order_events_came(rows: list[Row], chance: random.Random) -> None:
    expected = walked(rows)
    chance.shuffle(rows)
    assert people(rows) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=60))
def test_components_are_those_of_a_plain_walk(links: list[tuple[int, int]]) -> None:
    smallest = list(range(30))
    for _ in range(30):
        for one, other in links:
            smallest[one] = smallest[other] = min(smallest[one], smallest[other])
    pairs = np.array(links, dtype=np.int64).reshape(-1, 2)
    found = components(pairs[:, 0], pairs[:, 1], 30)
    assert found.tolist() == smallest


def test_a_long_chain_in_a_wild_order_is_one_component() -> None:
    order = np.random.default_rng(7).permutation(200_000)
    assert not components(order[:-1], order[1:], 200_000).any()
