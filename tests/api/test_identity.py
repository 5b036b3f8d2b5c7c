"""Identity through the API: why ids are one person, and undo of a link, at once in ad-hoc answers, then in the tables."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from api.cli import main
from tests.api.world import Client, World, track

WHEN = "2026-02-01T00:00:0{}Z"
LINKED: dict[str, Any] = {"type": "identify", "messageId": "i", "userId": "7", "anonymousId": "dev"}
LINKED["timestamp"] = WHEN.format(2)
PAGE = {"type": "track", "event": "Saw", "anonymousId": "dev", "messageId": "p", "timestamp": WHEN.format(0)}
QUESTION = {
    "steps": [{"event": "Saw"}, {"event": "Signed Up"}],
    "from": "2026-01-01",
    "to": "2026-03-01",
    "window": "7d",
}


def world_of(folder: Path) -> World:
    world = World.at(folder)
    world.send(PAGE, LINKED, track("Signed Up", "7", WHEN.format(3)))
    world.build()
    return world


def amplitude(name: str, **ids: str) -> dict[str, Any]:
    return {"event_type": name, "insert_id": name, "time": 1_769_904_000_000, **ids}


def snowplow(name: str, **ids: str) -> dict[str, Any]:
    return {"e": "se", "se_ac": name, "eid": name, "ttm": "1769904000000", **ids}


def mixpanel(name: str, distinct: str, **ids: str) -> dict[str, Any]:
    within = {"distinct_id": distinct, "$insert_id": name, "time": 1_769_904_000, **ids}
    return {"event": name, "properties": within}


def posthog(name: str, distinct: str, **within: object) -> dict[str, Any]:
    return {"event": name, "uuid": name, "distinct_id": distinct, "timestamp": "2026-02-01T00:00:00Z", "properties": within}


VISITS: dict[str, tuple[object, object, object]] = {  # as a visitor, as who is both, as a user
    "/amplitude/httpapi": (
        amplitude("a", device_id="dev-1"), amplitude("b", device_id="dev-1", user_id="user-1"), amplitude("c",
        user_id="user-1")
    ),
    "/snowplow/tp2": (snowplow("a", duid="dev-1"), snowplow("b", duid="dev-1", uid="user-1"), snowplow("c", uid="user-1")),
    "/mixpanel/track": (
        mixpanel("a", "$device:dev-1", **{"$device_id": "dev-1"}),
        mixpanel("b", "user-1", **{"$device_id": "dev-1", "$user_id": "user-1"}),
        mixpanel("c", "user-1"),
    ),
    "/posthog/events": (
        posthog("a", "dev-1", **{"$is_identified": False}),
        posthog("$identify", "user-1", **{"$anon_distinct_id": "dev-1"}),
        posthog("c", "user-1", **{"$set": {"plan": "pro"}}),
    ),
}  # fmt: skip
LISTS = {"/amplitude/httpapi": "events", "/snowplow/tp2": "data", "/posthog/events": "batch"}


@pytest.mark.parametrize("path", VISITS)
def test_a_visitor_and_the_user_it_turns_out_to_be_are_one_person_in_every_family(tmp_path: Path, path: str) -> None:
    world = World.at(tmp_path)
    world.put(json.dumps({LISTS[path]: VISITS[path]} if path in LISTS else VISITS[path]).encode(), path=path)
    world.build()
    with world.client() as client:
        found = person(client, "user:user-1")
        assert [one["id"] for one in found["ids"]] == ["anonymous:dev-1", "user:user-1"]
        assert person(client, "anonymous:dev-1")["person"] == found["person"]
        assert found["traits"] == ({"plan": "pro"} if "posthog" in path else {})
        assert client.get("/api/status").json()["outcomes"] == {"accepted": 3}


def reached(client: Client, **parameters: str) -> list[int]:
    answer = client.post("/api/funnel", json=QUESTION, params=parameters).json()
    return [step["reached"] for step in answer["steps"]]


def person(client: Client, given: str, **parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/people/{given}", params=parameters).json()
    return found


def test_a_person_tells_which_links_make_it(tmp_path: Path) -> None:
    with world_of(tmp_path).client() as client:
        found = person(client, "user:7")
        listed = client.get("/api/identity/links/7").json()["items"]
    link = {"link": "i", "id": "anonymous:dev", "owner": "user:7", "time": WHEN.format(2), "state": "in_force", "undos": []}
    assert found["links"] == listed == [link | {"known_at": "2026-02-20T00:00:00Z"}]


@pytest.mark.parametrize("given", ["a/b?c#d%2f", "line\nline\n", 'it\'s "me" \U0001f600', "user:anonymous:1"])
def test_whatever_an_id_looks_like_its_person_is_found_and_its_link_undone(tmp_path: Path, given: str) -> None:
    world = World.at(tmp_path)
    world.send({**LINKED, "userId": given, "messageId": f"by {given}"})
    world.build()
    path = quote(f"user:{given}", safe="")
    with world.client(world.key("admin")) as client:
        assert [one["id"] for one in person(client, path)["ids"]] == ["anonymous:dev", f"user:{given}"]
        [link] = client.get(f"/api/identity/links/{path}").json()["items"]
        assert client.post("/api/identity/undo", json={"link": link["link"], "why": "shared"}).status_code == 200
        assert client.request("DELETE", f"/api/people/{path}?why=T-1").json()["ids"] == 1


def test_an_undo_shows_in_ad_hoc_answers_at_once_and_in_the_tables_after_a_build(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    with world.client(world.key("admin")) as client:
        assert reached(client) == [1, 1]
        done = client.post("/api/identity/undo", json={"link": "i", "why": "shared"})
        assert (done.status_code, done.json()["link"]["state"]) == (200, "undone")
        assert [(one["by"], one["why"]) for one in done.json()["link"]["undos"]] == [("key test", "shared")]
        assert reached(client) == [1, 0]
        assert person(client, "user:7")["person"] == "anonymous:dev"
        world.build()
        assert person(client, "user:7")["person"] == "user:7"
        assert person(client, "user:7")["links"][0]["state"] == "undone"

        done = client.post("/api/identity/redo", json={"link": "i", "why": "his own", "by": "ada"})
        assert done.json()["link"]["state"] == "in_force"
        assert reached(client) == [1, 1]
        world.build()
        assert person(client, "user:7")["person"] == "anonymous:dev"


def test_only_an_admin_key_undoes(tmp_path: Path) -> None:
    with world_of(tmp_path).client() as client:
        answer = client.post("/api/identity/undo", json={"link": "i", "why": "shared"})
    assert answer.status_code == 403
    assert "jcurve keys create admin" in answer.json()["detail"]


def test_what_cannot_be_undone_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    with world.client(world.key("admin")) as client:
        unknown = client.post("/api/identity/undo", json={"link": "nothing", "why": "x"})
        early = client.post("/api/identity/redo", json={"link": "i", "why": "x"})
        wrong = client.post("/api/identity/undo", json={"lnk": "i", "why": " "})
        assert reached(client) == [1, 1]
    assert (unknown.status_code, early.status_code, wrong.status_code) == (404, 409, 422)
    assert early.json()["detail"] == "the link made by event 'i' is not undone"
    assert sorted(error["path"] for error in wrong.json()["errors"]) == ["link", "lnk", "why"]


def test_a_link_that_no_build_has_seen_can_be_undone(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(PAGE, LINKED, track("Signed Up", "7", WHEN.format(3)))
    with world.client(world.key("admin")) as client:
        assert reached(client) == [1, 1]
        assert client.post("/api/identity/undo", json={"link": "i", "why": "x"}).json()["link"]["state"] == "undone"
        assert reached(client) == [1, 0]


def test_identity_is_answered_as_it_was_known_then(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(PAGE, track("Signed Up", "7", WHEN.format(3)), received=datetime(2026, 2, 10, tzinfo=UTC))
    world.send(LINKED, received=datetime(2026, 2, 20, tzinfo=UTC))
    world.build()
    with world.client() as client:
        assert reached(client, known_at="2026-02-19") == [1, 0]
        assert reached(client, known_at="2026-02-21") == [1, 1]
        then, now = person(client, "user:7", known_at="2026-02-19"), person(client, "user:7")
    assert ([one["id"] for one in then["ids"]], [one["id"] for one in now["ids"]]) == (
        ["user:7"],
        ["anonymous:dev", "user:7"],
    )
    assert (len(then["events"]["items"]), then["links"]) == (2, [])

    def told(*more: str) -> str:
        command = ["identity", "links", "user:7", *more, "--data", str(world.settings.data)]
        return CliRunner().invoke(main, command).output

    assert told("--known-at", "2026-02-19") == "No link names user:7.\n"
    assert told("--known-at", "2026-02-21") == told() != told("--known-at", "2026-02-19")
    assert "'0001-01-01T00:00+14:00' is no date" in told("--known-at", "0001-01-01T00:00+14:00")


def test_the_status_names_ids_that_are_linked_to_too_many_others(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world = World(world.settings.__class__(data=world.settings.data, runaway_links=2))
    world.send(*({**LINKED, "userId": str(n), "messageId": f"i{n}"} for n in range(1, 4)))
    world.build()
    with world.client() as client:
        for page in ("status", "quality"):
            assert client.get(f"/api/{page}").json()["runaway_ids"] == [{"id": "anonymous:dev", "others": 3}]
        assert person(client, "user:1")["links"][0]["state"] == "runaway"
