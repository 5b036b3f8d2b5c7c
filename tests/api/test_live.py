"""``GET /api/live``: accepted and rejected events as they came, and what its filters leave."""

from __future__ import annotations

import pytest

from api.routes import live
from tests.api.world import RECEIVED, World, track

HOURS = [RECEIVED.replace(hour=hour) for hour in range(4)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Four requests an hour apart: a sign-up, a faulty event of Zoë's, another sign-up, and two faulty ones."""
    world = World.at(tmp_path_factory.mktemp("live"))
    world.send(track("Signed Up", "Ada", "2026-02-01T00:00:00Z"), received=HOURS[0])
    world.send({"type": "Odd", "event": "Signed Out", "userId": "Zoë"}, received=HOURS[1])
    world.send({**track("Signed Up", "zoë", "2026-02-01T00:00:00Z"), "context": {"groupId": "Acme"}}, received=HOURS[2])
    world.send({"type": "track", "event": "Nobody"}, {"type": "track", "userId": "Ada"}, received=HOURS[3])
    return world


def arrived(world: World, **filters: str) -> list[tuple[int, str, str | None]]:
    """The hour, the outcome or the reason, and the event's name."""
    with world.client() as client:
        answer = client.get("/api/live", params=filters)
    assert answer.status_code == 200, answer.text
    return [
        (int(item["received_at"][11:13]), item["reason"] or item["outcome"], item["event"])
        for item in answer.json()["items"]
    ]


def test_accepted_and_rejected_events_stand_side_by_side_newest_first(world: World) -> None:
    found = arrived(world)
    assert sorted(found[:2]) == [(3, "missing_event", None), (3, "missing_identity", None)]
    assert found[2:] == [(2, "accepted", "Signed Up"), (1, "unknown_type", None), (0, "accepted", "Signed Up")]
    assert len(arrived(world, limit="2")) == 2


@pytest.mark.parametrize(
    ("filters", "hours"),
    [
        ({"outcome": "accepted"}, [2, 0]),
        ({"outcome": "rejected"}, [3, 3, 1]),
        ({"outcome": "unknown_type"}, [1]),
        ({"event": "signed"}, [2, 1, 0]),
        ({"event": "signed up"}, [2, 0]),
        ({"user": "ZOË"}, [2, 1]),
        ({"user": "acme"}, [2]),
        ({"user": "zoë", "outcome": "rejected"}, [1]),
        ({"event": "%"}, []),
        ({"source": "nobody"}, []),
    ],
)
def test_a_filter_leaves_what_it_names(world: World, filters: dict[str, str], hours: list[int]) -> None:
    assert [hour for hour, _, _ in arrived(world, **filters)] == hours


def test_its_source_is_that_of_the_key(world: World) -> None:
    with world.client() as client:
        sources = {item["source"] for item in client.get("/api/live").json()["items"]}
    assert len(sources) == 1
    assert len(arrived(world, source=sources.pop())) == 5


def test_a_rejected_one_says_why_and_shows_its_bytes(world: World) -> None:
    with world.client() as client:
        (item,) = client.get("/api/live", params={"outcome": "unknown_type"}).json()["items"]
    assert item["outcome"] == "rejected" and item["detail"].startswith("'Odd': the type must be one of")
    assert '"Zo' in item["raw"]


def test_a_wrong_outcome_is_told_with_those_that_there_are(world: World) -> None:
    with world.client() as client:
        answer = client.get("/api/live", params={"outcome": "lost"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["allowed"][:2] == ["accepted", "rejected"]


def test_it_looks_among_the_last_events_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOKED_AT", 1)
    assert [hour for hour, _, _ in arrived(world, outcome="accepted")] == [2]
    assert arrived(world, outcome="accepted", user="ada") == []


def test_a_project_sees_its_own_and_an_empty_one_nothing(world: World) -> None:
    with world.client(world.key(project="theirs")) as client:
        assert client.get("/api/live").json()["items"] == []
    with world.client() as client:
        assert client.get("/api/live", headers={"Authorization": "Bearer jr_none"}).status_code == 401
