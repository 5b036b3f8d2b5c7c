"""The catalogue names what came: events, properties with their types and values, and costs what its names cost."""

from itertools import count
from pathlib import Path
from typing import Any

from api.app import lake_of
from api.catalogue import BUDGET, FRESH, LOOKED_AT, Kept, catalogue
from tests.api.world import World, track
from transforms.engine import Engine


def test_it_tells_names_by_how_often_they_came_and_their_properties(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(
        track("Signed Up", "1", "2026-02-01T00:00:00Z", plan="free", cart={"total": 5, "deep": {"er": True}}),
        track("Signed Up", "2", "2026-02-02T00:00:00Z", plan="pro", tags=["a", "b"], seats=3, **{"a.b": 1}),
        track("Paid", "1", "2026-02-03T00:00:00Z", plan="free", amount="9.99"),
        {
            "type": "identify",
            "userId": "1",
            "traits": {"role": "admin", "$set_once": {"first": "ads"}},
            "timestamp": "2026-02-01T00:00:00Z",
        },
        {"type": "group", "userId": "1", "groupId": "acme", "traits": {"size": 20}, "timestamp": "2026-02-01T00:00:00Z"},
    )
    with world.client() as client:
        found = client.get("/api/catalogue").json()
    assert [(one["event"], one["kind"], one["events"]) for one in found["items"]] == [
        ("Signed Up", "track", 2),
        ("$group", "group", 1),
        ("$identify", "identify", 1),
        ("Paid", "track", 1),
    ]
    seen = [found["items"][0][name] for name in ("first_seen", "last_seen")]
    assert seen == ["2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"]
    assert found["items"][3]["properties"] == ["properties.amount", "properties.plan"]
    told = {one["property"]: one for one in found["properties"]}
    assert [name for name in told if name.startswith("properties.")] == [
        "properties.amount",
        "properties.cart.deep.er",
        "properties.cart.total",
        "properties.plan",
        "properties.seats",
        "properties.tags",
    ]
    assert told["properties.plan"] == {
        "property": "properties.plan",
        "types": ["text"],
        "events": ["Paid", "Signed Up"],
        "examples": ["free", "pro"],
    }
    assert (told["properties.tags"]["types"], sorted(told["properties.tags"]["examples"])) == (["list"], ["a", "b"])
    assert (told["properties.cart.deep.er"]["types"], told["properties.cart.deep.er"]["examples"]) == (["flag"], [True])
    assert told["person.role"]["examples"] == told["person_now.role"]["examples"] == ["admin"]
    assert told["person.first"]["examples"] == ["ads"] and "person.$set_once.first" not in told
    assert told["account.size"]["examples"] == [20]
    assert told["account_id"]["examples"] == ["acme"]


def test_before_any_event_it_is_empty(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        found = client.get("/api/catalogue").json()
    assert found == {
        "items": [],
        "properties": [],
        "data": {"events": None},
        "cohorts": found["cohorts"],
        "stages": found["stages"],
    }
    assert "activated" in found["stages"]


def test_of_a_name_the_latest_events_are_looked_at_and_no_more(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    old = [track("Seen", str(n), "2025-11-01T00:00:00Z", old=n) for n in range(LOOKED_AT)]
    new = [track("Seen", str(n), f"2026-02-01T00:00:{n:02d}Z", new=n) for n in range(LOOKED_AT)]
    world.send(*old, *new)
    with world.client() as client:
        found = client.get("/api/catalogue").json()
    assert found["items"][0]["events"] == 2 * LOOKED_AT
    assert found["items"][0]["properties"] == ["properties.new"]


def test_when_its_time_is_up_the_rarest_names_stay_without_properties(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(
        track("Often", "1", "2026-02-01T00:00:00Z", a=1),
        track("Often", "2", "2026-02-01T00:00:00Z", a=1),
        track("Once", "1", "2026-02-01T00:00:00Z", b=1),
    )
    lake = lake_of(world.settings)
    ticks = count(0.0, BUDGET * 0.75)
    with Engine(lake, "default", {"events": lake.version("default", "events")}) as engine:
        found = catalogue(engine, clock=lambda: next(ticks))
    assert [(one["event"], one["properties"]) for one in found["items"]] == [("Often", ["properties.a"]), ("Once", [])]


def test_it_is_made_again_when_events_came_and_a_minute_has_passed() -> None:
    now, made = [0.0], count(1)

    def make() -> dict[str, Any]:
        return {"made": next(made)}

    kept = Kept(clock=lambda: now[0])
    told = []
    for moment, version in ((0.0, 1), (FRESH + 1, 1), (FRESH + 2, 2), (FRESH + 3, 3), (3 * FRESH, 3)):
        now[0] = moment
        told.append(kept("default", version, make))
    assert [one["made"] for one in told] == [1, 1, 2, 2, 3]
    assert [one["data"]["events"] for one in told] == [1, 1, 2, 2, 3]
