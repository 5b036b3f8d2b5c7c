"""The query API over the real app: answers, keys, and what it says to a wrong request."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.app import lake_of
from api.deployment import CurrentDefinitions
from api.store import Store
from tests.api.world import NOW, RECEIVED, World, registrations, track
from transforms.layout import Rules
from transforms.tidy import tidy


def test_a_request_without_a_good_key_is_told_how_to_send_one(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    write = world.key("write")
    with world.client() as client:
        for header, status in (("", 401), ("Bearer jr_unknown", 401), ("Basic abc", 401), (f"Bearer {write}", 403)):
            answer = client.get("/api/status", headers={"Authorization": header})
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
            assert "Authorization: Bearer jr_" in answer.json()["detail"]
            assert answer.headers.get("www-authenticate") == ('Bearer realm="jcurve"' if status == 401 else None)


def test_a_key_is_checked_before_a_body_is_read(tmp_path: Path) -> None:
    with World.at(tmp_path).client("jr_unknown") as client:
        assert client.post("/api/funnel", content=b"{").status_code == 401


def test_a_key_of_one_project_never_reads_another(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    other = world.key(project="other")
    world.send(*registrations(3))
    world.send(track("Signed Up", "theirs", "2026-02-01T00:00:00Z"), project="other")
    world.build()
    world.build("other")
    with world.client(other) as client:
        assert client.get("/api/project").json() == {"project": "other", "zone": "UTC", "currency": "USD", "kind": "read"}
        assert [item["person"] for item in client.get("/api/stages/registered/people").json()["items"]] == ["user:theirs"]
        assert client.get("/api/funnels/plg").json()["entrants"] == 1
        assert [item["user_id"] for item in client.get("/api/events/recent").json()["items"]] == ["theirs"]
        assert client.get("/api/status").json()["outcomes"] == {"accepted": 1}
        assert client.get("/api/people/user:1").status_code == 404


@pytest.mark.parametrize("path", ["/api/funnels/plg", "/api/metrics/viral-coefficient", "/api/metrics/north-star"])
def test_before_the_first_build_an_answer_is_empty_and_says_why(tmp_path: Path, path: str) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(1))
    with world.client() as client:
        answer = client.get(path).json()
    assert (answer["reason"], answer["data"]["manifest"]) == ("no_build", None)
    assert answer["warnings"] == ["There is no build yet: run 'jcurve build', or wait for the hourly one."]


def test_before_the_first_build_lists_are_empty_and_nobody_is_known(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        assert client.get("/api/stages/paid/accounts").json() == {
            "items": [],
            "next": None,
            "total": 0,
            "data": {"manifest": None, "complete_until": None},
            "reason": "no_build",
            "warnings": ["There is no build yet: run 'jcurve build', or wait for the hourly one."],
        }
        assert client.get("/api/people/user:1").json()["detail"].startswith("Nobody is known yet. There is no build yet")
        assert client.get("/api/events/recent").json() == {"items": []}


def test_the_funnel_counts_who_was_built(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(4), track("Subscription Started", "1", "2026-02-02T00:00:00Z"))
    world.build()
    with world.client() as client:
        steps = client.get("/api/funnels/plg").json()["steps"]
        items = client.get("/api/funnels").json()["items"]
    assert [(step["stage"], step["reached"], step["by_path"]) for step in steps] == [
        ("registered", 4, 4),
        ("activated", 0, 0),
        ("pql", 0, 0),
        ("paid", 1, 0),
    ]
    assert items[0] == {
        "name": "plg",
        "title": "From registration to paid",
        "unit": "person",
        "steps": ["registered", "activated", "pql", "paid"],
        "saved": False,
    }


def test_an_ad_hoc_funnel_reads_the_lake_before_any_build(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(3), track("Project Created", "2", "2026-02-01T01:00:00Z"))
    question = {
        "steps": [{"event": "Signed Up"}, {"event": "Project Created"}],
        "from": "2026-01-01",
        "to": "2026-03-01",
        "window": "7d",
    }
    with world.client() as client:
        answer = client.post("/api/funnel", json=question).json()
    assert [(step["label"], step["reached"]) for step in answer["steps"]] == [("Signed Up", 3), ("Project Created", 1)]


def test_a_list_pages_on_one_build_while_another_is_made(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(5))
    world.build()
    with world.client() as client:
        first = client.get("/api/stages/registered/people", params={"limit": 2}).json()
        world.send(track("Signed Up", "late", "2026-02-01T00:00:02.5Z"))
        world.build()
        pages, following = [first], first["next"]
        while following:
            pages.append(client.get("/api/stages/registered/people", params={"limit": 2, "cursor": following}).json())
            following = pages[-1]["next"]
    found = [item["person"] for page in pages for item in page["items"]]
    assert found == ["user:5", "user:4", "user:3", "user:2", "user:1"]
    assert [page["total"] for page in pages] == [5, 5, 5]


def test_a_stage_list_keeps_to_its_range_in_the_projects_zone(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(track("Signed Up", "a", "2026-02-01T00:00:00Z"), track("Signed Up", "b", "2026-02-02T00:00:00Z"))
    world.build()
    with world.client() as client:
        answer = client.get("/api/stages/registered/people", params={"from": "2026-02-01", "to": "2026-02-02"}).json()
    assert [(item["person"], item["by"]) for item in answer["items"]] == [("user:a", "a Signed Up 2026-02-01T00:00:00Z")]


def test_any_id_of_a_person_finds_it_with_its_events_latest_first(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    identify = {"type": "identify", "userId": "7", "anonymousId": "dev", "messageId": "i", "traits": {"email": "a@b.c"}}
    world.send(
        {**identify, "timestamp": "2026-02-01T00:00:00Z"},
        {"type": "group", "userId": "7", "groupId": "acme", "messageId": "g", "timestamp": "2026-02-01T00:00:01Z"},
        track("Signed Up", "7", "2026-02-01T00:00:02Z", plan="free"),
    )
    world.build()
    with world.client() as client:
        answers = [client.get(f"/api/people/{given}").json() for given in ("user:7", "anonymous:dev", "7", "dev")]
        page = client.get("/api/people/user:7", params={"limit": 2}).json()["events"]
        rest = client.get("/api/people/user:7", params={"limit": 2, "cursor": page["next"]}).json()["events"]
    assert all(answer == answers[0] for answer in answers)
    found = answers[0]
    assert found["person"] == "anonymous:dev"
    assert [one["id"] for one in found["ids"]] == ["anonymous:dev", "user:7"]
    assert (found["traits"], found["accounts"]) == ({"email": "a@b.c"}, ["acme"])
    signed_up = "7 Signed Up 2026-02-01T00:00:02Z"
    entered = {"stage": "registered", "spell": 1, "entered": "2026-02-01T00:00:02Z", "left": None, "by": signed_up}
    assert found["stages"] == [entered]
    assert [event["event_id"] for event in page["items"] + rest["items"]] == [signed_up, "g", "i"]
    assert page["items"][0]["properties"] == {"plan": "free"}


def test_a_person_tells_who_brought_them_of_which_generation_they_are_and_whom_they_brought(tmp_path: Path) -> None:
    def invited(inviter: str, invite: str, second: int) -> dict[str, Any]:
        return track("Invite Sent", inviter, f"2026-02-01T00:00:{second:02d}Z", invite_id=invite)

    def came(user: str, invite: str, second: int) -> list[dict[str, Any]]:
        accepted = track("Invite Accepted", user, f"2026-02-01T00:00:{second:02d}Z", invite_id=invite)
        return [track("Signed Up", user, f"2026-02-01T00:00:{second:02d}Z"), accepted]

    world = World.at(tmp_path)
    world.send(
        track("Signed Up", "ann", "2026-02-01T00:00:00Z"),
        *(invited("ann", f"i{second}", second) for second in (1, 2)),
        *came("bob", "i1", 10),
        invited("bob", "i3", 11),
        *came("cid", "i3", 12),
    )
    world.build()
    with world.client() as client:
        found = {name: client.get(f"/api/people/{name}").json()["invitations"] for name in ("ann", "bob", "cid")}
        then = client.get("/api/people/bob", params={"known_at": "2026-02-28T00:00:00Z"}).json()["invitations"]
    registered = {"bob": "2026-02-01T00:00:10Z", "cid": "2026-02-01T00:00:12Z"}
    assert found["ann"] == {
        "generation": 0,
        "came_by": None,
        "sent": 2,
        "brought": 1,
        "people": [{"person": "user:bob", "registered": registered["bob"], "generation": 1}],
    }
    assert (found["bob"]["generation"], found["bob"]["came_by"]["inviter"]) == (1, "user:ann")
    assert (found["bob"]["came_by"]["invite_id"], found["bob"]["came_by"]["accepted_at"]) == ("i1", registered["bob"])
    assert [one["generation"] for one in found["bob"]["people"]] == [2]
    assert (found["cid"]["generation"], found["cid"]["sent"], found["cid"]["people"]) == (2, 0, [])
    assert then == {"generation": 0, "came_by": None, "sent": 0, "brought": 0, "people": []}


def test_an_unknown_name_is_answered_with_those_that_exist(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        funnel = client.get("/api/funnels/plgg")
        metric = client.get("/api/metrics/viral").json()
        stage = client.get("/api/stages/payd/people").json()
        page = client.get("/api/funel").json()
    assert (funnel.status_code, funnel.headers["content-type"]) == (404, "application/problem+json")
    assert funnel.json() == {
        "type": "about:blank",
        "title": "Unknown funnel",
        "status": 404,
        "detail": "There is no funnel 'plgg'. Known: plg.",
        "errors": [{"path": "name", "found": "plgg", "allowed": ["plg"], "message": "did you mean 'plg'?"}],
    }
    assert metric["detail"] == "There is no metric 'viral'. Known: viral-coefficient, north-star."
    assert stage["errors"][0]["message"] == "did you mean 'paid'?"
    assert page["errors"][0]["message"] == "did you mean '/api/funnel'?"


@pytest.mark.parametrize(
    ("path", "faults"),
    [
        ("/api/stages/paid/people?from=yesterday&limit=0&frm=1", ["frm", "from", "limit"]),
        ("/api/stages/paid/people?from=2026-02-02&to=2026-02-01", ["to"]),
        ("/api/stages/paid/people?cursor=abc", ["cursor"]),
        ("/api/people/user:1?cursor=WzEsMTAwMDAwMDAwMDAwMDAwMDAwMDAwMCwiIl0", ["cursor"]),  # [1, 10**23, ""]
        ("/api/stages/paid/people?limit=" + "9" * 5000, ["limit"]),
        ("/api/metrics/north-star?from=0001-01-01&to=9999-12-31", ["from", "to"]),
        ("/api/funnels/plg?from=0001-01-01", ["from"]),
        ("/api/funnels/plg?unit=user&window=3&from=2026-13-01", ["from", "unit", "window"]),
        ("/api/metrics/north-star?grain=hour&by=country", ["by", "grain"]),
        ("/api/status?format=xml", ["format"]),
        ("/api/people/user:1?limit=x", ["limit"]),
    ],
)
def test_wrong_parameters_are_named_all_at_once(tmp_path: Path, path: str, faults: list[str]) -> None:
    world = World.at(tmp_path)
    world.build()
    with world.client() as client:
        answer = client.get(path)
    assert answer.status_code == 422
    assert sorted(error["path"] for error in answer.json()["errors"]) == faults
    assert all(error["allowed"] for error in answer.json()["errors"])


def test_a_wrong_question_is_told_what_was_found_and_what_is_allowed(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        broken = client.post("/api/funnel", content=b'{"steps": ')
        wrong = client.post("/api/funnel", json={"steps": [{"event": "A"}], "from": "x", "to": "2026-02-01", "window": "7d"})
        large = client.post("/api/funnel", content=b" " * (1 << 20) + b"{}")
        number = client.post("/api/funnel", content=b'{"steps": ' + b"9" * 5000 + b"}")
        nothing = client.post("/api/funnel", content=b'{"steps": NaN}')
        no_object = client.post("/api/funnel", content=b"[]")
    answers = (broken, wrong, large, number, nothing, no_object)
    assert [answer.status_code for answer in answers] == [422] * len(answers)
    assert "NaN" in [error["found"] for error in nothing.json()["errors"]]  # a text: JSON has no such number
    assert no_object.json()["detail"] == "write an object with steps, from, to and window"
    assert broken.json()["errors"][0]["found"] == "line 1, column 11: Expecting value"
    assert (wrong.json()["errors"][0]["path"], wrong.json()["errors"][0]["found"]) == ("from", "x")


def test_a_method_that_a_path_does_not_have_is_refused(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        answer = client.request("DELETE", "/api/status")
    assert (answer.status_code, answer.headers["allow"], answer.json()["title"]) == (405, "GET", "Method Not Allowed")


def test_head_is_there_wherever_get_is(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        answers = [client.request("HEAD", path) for path in ("/api/funnels", "/docs", "/openapi.json", "/")]
        refused = client.request("HEAD", "/api/funnel")
    assert [answer.status_code for answer in answers] == [200] * 4
    assert refused.status_code == 405


def test_a_fault_of_the_server_is_answered_without_its_secrets_and_takes_nothing_down(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.build()
    manifest = world.settings.folder.lake / "default" / "_manifest" / "current"
    with world.client() as client:
        manifest.write_text("{broken")
        answer = client.get("/api/funnels/plg")
        manifest.unlink()
        assert client.get("/api/funnels/plg").status_code == 200
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["detail"].startswith("This is a fault of the server")
    assert "broken" not in answer.text and str(tmp_path) not in answer.text


def test_recent_events_and_rejections_come_newest_first_with_their_reasons(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(3))
    world.send(
        track("Later", "9", "2026-02-01T00:00:00Z"), {"type": "track", "event": "Nobody"}, received=RECEIVED.replace(hour=1)
    )
    with world.client() as client:
        events = client.get("/api/events/recent", params={"limit": 2}).json()["items"]
        rejected = client.get("/api/rejected/recent").json()["items"]
        status = client.get("/api/status").json()
    assert (events[0]["event"], events[0]["received_at"], len(events)) == ("Later", "2026-02-20T01:00:00Z", 2)
    assert [(one["reason"], one["raw"]) for one in rejected] == [
        ("missing_identity", '{"type": "track", "event": "Nobody"}')
    ]
    assert status["outcomes"] == {"accepted": 4, "rejected:missing_identity": 1}
    assert status["received"]["total"] == 5


def test_recent_events_are_the_same_after_they_were_tidied(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    for hour in (5, 1, 3, 2):
        world.send(track("Came", str(hour), "2026-02-01T00:00:00Z"), received=RECEIVED.replace(hour=hour))
    with world.client() as client:
        asked = {"limit": 3}
        before = client.get("/api/events/recent", params=asked).json()["items"]
        lake = lake_of(world.settings)
        assert tidy(lake, "default", NOW, rules=Rules(gather=4)).rows == 4
        world.send(track("Came", "4", "2026-02-01T00:00:00Z"), received=RECEIVED.replace(hour=4))
        after = client.get("/api/events/recent", params=asked).json()["items"]
    assert [item["user_id"] for item in before] == ["5", "3", "2"]
    assert [item["user_id"] for item in after] == ["5", "4", "3"]


def test_the_status_has_the_shape_of_the_documentation(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(1))
    with world.client() as client:
        status = client.get("/api/status").json()
    names = ["project", "now", "received", "outcomes", "lag", "complete_until", "held_back_by", "runs", "runaway_ids"]
    assert list(status) == [*names, "disk", "version"]
    assert list(status["disk"]) == ["data_bytes", "free_bytes", "low"]
    assert (status["lag"]["lake_to_build_seconds"], status["held_back_by"], status["runs"]) == (None, None, [])


def test_the_documentation_names_every_path_and_fetches_nothing(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        description = client.get("/openapi.json").json()
        page = client.get("/docs").text
    assert {"/v1/batch", "/v1/track", "/ready", "/api/funnel", "/api/funnels/{name}", "/api/status"} < set(
        description["paths"]
    )
    assert all(path in page for path in description["paths"])
    assert "http://" not in page and "https://" not in page.replace("https://example.com", "")
    names = [one["name"] for one in description["paths"]["/api/funnels/{name}"]["get"]["parameters"]]
    assert {"from", "to", "unit", "by", "trend", "window", "internal", "format"} == set(names) - {"name"}


def test_a_definition_that_breaks_while_serving_leaves_the_last_good_ones(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    with world.client() as client:
        assert client.get("/api/funnels").json()["items"][0]["name"] == "plg"
        (world.settings.definitions_folder / "funnels.toml").write_text("[funnels.plg]\nstepz = []\n")
        assert client.get("/api/funnels").json()["items"][0]["name"] == "plg"


def test_a_store_that_is_away_is_a_503_that_says_when_to_ask_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise sa.exc.OperationalError("select", {}, Exception("server closed the connection unexpectedly"))

    with World.at(tmp_path).client() as client:
        monkeypatch.setattr(Store, "project", away)
        answer = client.get("/api/project")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.headers["retry-after"] == "2" and "store" in answer.json()["detail"]


def test_a_definition_that_vanishes_while_it_is_looked_at_disturbs_no_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real = World.at(tmp_path).settings.definitions_folder, Path.glob
    definitions = CurrentDefinitions(folder)
    good = definitions()
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [*real(self, pattern), folder / "gone.toml"])
    assert definitions() is good


def test_the_dashboard_stands_at_the_root(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        answer = client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
