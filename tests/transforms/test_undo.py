"""The ledger: which links are in force after undos of links and of undos, held against a plain walk with a union-find."""

import os
import random
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.lake import Lake
from tests.transforms.test_identity import identify, streams
from tests.transforms.world import Row, at, built, lake_of, rows_of, table, undo
from transforms.core import link_states, who_is_who
from transforms.engine import Engine
from transforms.errors import NothingToUndo, UnknownLink
from transforms.identity import View
from transforms.ledger import LEDGER, forget, fresh_links, gather
from transforms.links import Ledger, links_of
from transforms.tables import ID_LINKS
from transforms.undo import EVER, Hand, in_force, redo
from transforms.undo import undo as undo_link

HISTORIES = int(os.environ.get("JCURVE_TEST_IDENTITY_STREAMS", "60"))
Pair = tuple[str, str]


def people(rows: list[Row], ledger: list[Row], view: View) -> dict[object, object]:
    """Typed id -> public id of its person."""
    return dict(rows_of(built(rows, models=who_is_who(view)[:6], ledger=ledger)["actors"], "id", "person"))  # type: ignore[arg-type]


def states(rows: list[Row], ledger: list[Row] | None = None, view: View | None = None) -> dict[object, object]:
    """Id and owner -> state of their link."""
    links = built(rows, models=link_states(view or View()), ledger=ledger or [])["link_states"]
    return {(one, owner): state for one, owner, state in rows_of(links, "id", "owner", "state")}


SHARED = [identify("e1", 1, "1", "shared"), identify("e2", 2, "2", "shared"), identify("e3", 3, "1", "shared")]
FIRST: Pair = ("anonymous:shared", "user:1")
SECOND: Pair = ("anonymous:shared", "user:2")


def test_undoing_the_first_link_of_a_device_revives_the_second() -> None:
    assert states(SHARED) == {FIRST: "in_force", SECOND: "taken"}
    assert states(SHARED, [undo("u1", at(1), *FIRST)]) == {FIRST: "undone", SECOND: "in_force"}
    assert states(SHARED, [undo("u1", at(1), *FIRST), undo("u2", at(2), *FIRST, of_undo="u1")]) == states(SHARED)


def test_calls_that_repeat_an_undone_link_or_lie_before_it_do_not_bring_it_back() -> None:
    rows = [*SHARED, identify("e0", 0, "1", "shared"), identify("e9", 9_000, "1", "shared")]
    assert states(rows, [undo("u1", at(1), *FIRST)])[FIRST] == "undone"


def test_an_undo_counts_by_what_undoes_it_however_deep_and_in_whatever_order() -> None:
    rows = [undo("u0", at(0), *FIRST), *(undo(f"u{n}", at(n), *FIRST, of_undo=f"u{n - 1}") for n in range(1, 3_000))]
    random.Random(1).shuffle(rows)
    assert len(in_force(rows)) == 1_500
    assert {row["entry"] for row in in_force(rows)} >= {"u1", "u2999"}


def test_of_a_pairs_calls_the_ledger_keeps_those_that_were_the_earliest_when_they_came() -> None:
    times = {"e1": (5, 1), "e2": (7, 2), "e3": (3, 3), "e4": (4, 4)}  # event time, time of arrival
    rows = [identify(name, time, "1", "a") | {"received_at": at(minutes=came)} for name, (time, came) in times.items()]
    with Engine(Lake("unused"), "default", {}) as engine:
        engine.bind("events", table(rows))
        engine.bind(LEDGER, ID_LINKS.empty_table())
        assert sorted(rows_of(fresh_links(engine), "entry")) == [("e1",), ("e3",)]


def test_an_id_linked_to_too_many_others_joins_none_and_its_devices_keep_their_next_user() -> None:
    rows = [identify(f"e{n}", n, "all", f"d{n}") for n in range(4)] + [identify("e9", 9, "own", "d0")]
    assert set(states(rows, view=View(runaway_links=4)).values()) == {"in_force", "taken"}
    found = built(rows, models=who_is_who(View(runaway_links=3)))
    assert rows_of(found["runaway_ids"], "id", "others") == [("user:all", 4)]
    assert states(rows, view=View(runaway_links=3)) == {
        **{(f"anonymous:d{n}", "user:all"): "runaway" for n in range(4)},
        ("anonymous:d0", "user:own"): "in_force",
    }
    less = [undo("u1", at(1), "anonymous:d3", "user:all")]
    assert states(rows, less, View(runaway_links=3))["anonymous:d0", "user:all"] == "in_force"


def test_an_undo_is_written_once_and_says_who_and_why(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, SHARED)
    gather(lake, "default", 1)
    done = undo_link(lake, "default", "e1", Hand("ada", "a kiosk", at(3)))
    [link, second] = links_of(Ledger.now(lake, "default", with_events=False), [FIRST[0]], View())
    told = {"undo": done.entries[0], "at": at(3), "undoes": {"kind": "link", "name": "e1"}, "by": "ada", "why": "a kiosk"}
    assert (link["state"], second["state"], link["undos"]) == ("undone", "in_force", [told])
    with pytest.raises(NothingToUndo, match="undone already"):
        undo_link(lake, "default", "e1", Hand("ada", "again", at(4)))
    with pytest.raises(NothingToUndo, match="not undone"):
        redo(lake, "default", "e2", Hand("ada", "x", at(4)))
    with pytest.raises(UnknownLink, match="jcurve identity links ID"):
        undo_link(lake, "default", "nothing", Hand("ada", "x", at(4)))


def test_gathering_twice_adds_nothing_and_links_outlive_their_events(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, SHARED)
    assert gather(lake, "default", 1) == gather(lake, "default", 1) == 1
    with Engine(lake, "default", {LEDGER: 1}) as engine:
        kept = engine.table(f"from {LEDGER}").to_pylist()
    assert states([], kept) == {FIRST: "in_force", SECOND: "taken"}
    forget(lake, "default", ["user:1"])
    assert [link["owner"] for link in links_of(Ledger.now(lake, "default", with_events=False), [FIRST[0]], View())] == [
        "user:2"
    ]


def test_links_that_were_forgotten_while_their_events_stay_are_gathered_again(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, SHARED)
    gather(lake, "default", 1)
    forget(lake, "default", ["user:1"])
    with Engine(lake, "default", {LEDGER: gather(lake, "default", 1)}) as engine:
        assert sorted(rows_of(engine.table(f"from {LEDGER}"), "entry")) == [("e1",), ("e2",)]


def walked(rows: list[Row], ledger: list[Row], view: View) -> dict[object, object]:
    """The oracle: typed id -> public id of its person, by a plain walk with a union-find."""
    claims: dict[Pair, tuple[Any, Any]] = {}
    for row in rows:
        pair = claim(row)
        if pair and row["received_at"] <= view.known_at:  # type: ignore[operator]
            claims[pair] = min(claims.get(pair, (EVER, "")), (row["time"], row["event_id"]))
    undone = {pair for pair in claims if is_undone(pair, ledger, view.known_at)}
    others: dict[str, set[str]] = defaultdict(set)
    for one, owner in set(claims) - undone:
        others[one].add(owner)
        others[owner].add(one)
    runaway = {one for one, linked in others.items() if len(linked) > view.runaway_links}
    ids = {f"user:{row['user_id']}" if row["user_id"] else f"anonymous:{row['anonymous_id']}" for row in rows}
    parent: dict[str, str] = {one: one for one in ids}

    def root(one: str) -> str:
        while parent.setdefault(one, one) != one:
            one = parent[one]
        return one

    taken: set[str] = set()
    for one, owner in sorted(set(claims) - undone, key=lambda pair: claims[pair]):
        if not {one, owner} & runaway and one not in taken:
            parent[root(one)] = root(owner)
            taken |= {one} if one.startswith("anonymous:") else set()
    groups: dict[str, list[str]] = defaultdict(list)
    for one in list(parent):
        groups[root(one)].append(one)
    return {one: min(group) for group in groups.values() for one in group}


def claim(row: Row) -> Pair | None:
    """The link that a call makes."""
    user, anonymous, previous = row["user_id"], row["anonymous_id"], row["previous_id"]
    if user and row["kind"] == "identify" and anonymous:
        return f"anonymous:{anonymous}", f"user:{user}"
    if user and row["kind"] == "alias" and (previous == anonymous or previous != user):
        return f"{'anonymous' if previous == anonymous else 'user'}:{previous}", f"user:{user}"
    return None


def is_undone(pair: Pair, ledger: list[Row], known_at: datetime) -> bool:
    def stands(entry: Row) -> bool:
        return not any(stands(row) for row in seen if row["undoes"] == entry["entry"])

    seen = [row for row in ledger if row["known_at"] <= known_at]  # type: ignore[operator]
    own = [row for row in seen if row["undoes_kind"] == "link" and (row["id"], row["owner"]) == pair]
    return any(stands(row) for row in own)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Events that arrive at any time, and undos of their links and of undos."""
    rows = [row | {"received_at": at(minutes=draw(st.integers(0, 8)))} for row in draw(streams())]
    pairs = sorted({pair for row in rows if (pair := claim(row))})
    undos: list[Row] = []
    for number in range(draw(st.integers(0, 6)) if pairs else 0):
        targets: list[Any] = [*pairs, *undos]
        target = draw(st.sampled_from(targets))
        when = at(minutes=max(number, 2))
        if isinstance(target, tuple):
            undos.append(undo(f"u{number}", when, *target))
        else:
            undos.append(undo(f"u{number}", when, target["id"], target["owner"], of_undo=target["entry"]))
    return rows, undos


@settings(max_examples=HISTORIES, deadline=None)
@given(
    histories(),
    st.integers(0, 25),
    st.builds(View, st.sampled_from([2, 3, 1000]), st.sampled_from([at(minutes=3), at(minutes=5), EVER])),
    st.randoms(use_true_random=False),
)
def test_people_are_those_of_a_plain_walk_whatever_was_undone_and_gathered_in_whatever_order(
    history: tuple[list[Row], list[Row]], gathered: int, view: View, chance: random.Random
) -> None:
    rows, undos = history
    expected = walked(rows, undos, view)
    chance.shuffle(rows)
    with Engine(Lake("unused"), "default", {}) as engine:
        engine.bind("events", table(rows[:gathered]))
        engine.bind(LEDGER, ID_LINKS.empty_table())
        ledger = [*fresh_links(engine).to_pylist(), *undos]
    chance.shuffle(ledger)
    assert people(rows, ledger, view) == expected
