"""Funnels kept under a name: who may keep and change them, what is refused, and how they are asked."""

from pathlib import Path
from typing import Any

import pytest

from api import saved
from api.store import open_store
from tests.api.world import NOW, World, registrations, track

STEPS = [{"event": "Signed Up"}, {"any_of": ["Project Created", "File Uploaded"]}]
MINE = "/api/saved-funnels/mine"
QUESTION: dict[str, Any] = {"steps": STEPS, "window": "14d"}
DATED: dict[str, Any] = {**QUESTION, "from": "2026-01-01", "to": "2026-03-01"}


def test_a_funnel_is_saved_listed_beside_the_files_ones_and_answered_by_its_name(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(3), track("Project Created", "2", "2026-02-01T01:00:00Z"))
    with world.client() as client:
        made = client.post("/api/saved-funnels", json={"title": "Sign-up to Project!", "question": DATED}).json()
        listed = client.get("/api/funnels").json()["items"]
        answer = client.get("/api/funnels/sign-up-to-project").json()
        again = client.post("/api/funnel", json=DATED).json()
        later = client.get("/api/funnels/sign-up-to-project?from=2026-02-01T00:00:01Z&by=source").json()
    assert (made["name"], made["title"], made["last"]) == ("sign-up-to-project", "Sign-up to Project!", None)
    assert made["question"] == DATED
    assert (listed[0]["name"], listed[0]["saved"]) == ("plg", False)
    assert listed[1:] == [
        {
            "name": "sign-up-to-project",
            "title": "Sign-up to Project!",
            "unit": "person",
            "steps": ["Signed Up", "Project Created or File Uploaded"],
            "saved": True,
        }
    ]
    assert answer["steps"] == again["steps"]
    assert [step["reached"] for step in answer["steps"]] == [3, 1]
    assert [step["reached"] for step in later["steps"]] == [2, 1]
    assert [group["values"] for group in later["groups"]] == [["test"]]


def test_titles_in_any_script_have_names_of_their_own(tmp_path: Path) -> None:
    titles = ["Регистрация", "Оплата", "Étape à étape", "Sign-up to Paid!", "支払い 1", "支払い 2", "!"]
    with World.at(tmp_path).client() as client:
        made = [client.post("/api/saved-funnels", json={"title": title, "question": DATED}) for title in titles]
        again = client.post("/api/saved-funnels", json={"title": "Оплата", "question": DATED})
        paid = client.get(f"/api/funnels/{made[1].json()['name']}")
    names = [one.json()["name"] for one in made]
    assert [one.status_code for one in made] == [200] * 7
    assert [name.rpartition("-")[0] for name in names[:2] + names[4:6]] == ["funnel", "funnel", "1", "2"]
    assert (names[2], names[3], names[6]) == ("etape-a-etape", "sign-up-to-paid", "funnel")
    assert (again.status_code, paid.status_code, len(set(names))) == (409, 200, 7)


def test_a_saved_range_of_days_moves_along() -> None:
    asked = saved.with_range(QUESTION, "7d", NOW)
    assert (asked["from"], asked["to"]) == ("2026-02-23", "2026-03-02")
    tokyo = saved.with_range({**QUESTION, "timezone": "Asia/Tokyo"}, "1w", NOW.replace(hour=16))
    assert (tokyo["from"], tokyo["to"]) == ("2026-02-24", "2026-03-03")
    assert saved.with_range(DATED, None, NOW) == DATED


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], "body"),
        ({"title": "x", "question": DATED, "colour": "red"}, "colour"),
        ({"title": "  ", "question": DATED}, "title"),
        ({"title": "x", "name": "Not A Name", "question": DATED}, "name"),
        ({"title": "x", "question": 5}, "question"),
        ({"title": "x", "question": DATED, "last": "90m"}, "last"),
        ({"title": "x", "question": QUESTION}, "question.from"),
        ({"title": "x", "question": {**DATED, "steps": [{"evnt": "Signed Up"}]}}, "question.steps[0].evnt"),
    ],
)
def test_what_could_not_be_asked_is_not_saved(tmp_path: Path, body: object, path: str) -> None:
    with World.at(tmp_path).client() as client:
        answer = client.post("/api/saved-funnels", json=body)
        assert answer.status_code == 422
        assert path in [error["path"] for error in answer.json()["errors"]]
        assert client.get("/api/saved-funnels").json() == {"items": []}


def test_a_name_is_taken_once_and_never_one_of_the_definitions(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        body = {"title": "Mine", "question": DATED}
        assert client.post("/api/saved-funnels", json=body).status_code == 200
        assert client.post("/api/saved-funnels", json=body).status_code == 409
        assert client.post("/api/saved-funnels", json={**body, "name": "plg"}).status_code == 409
        assert client.get("/api/funnels/mien").json()["errors"][0]["message"] == "did you mean 'mine'?"
        assert client.get("/api/saved-funnels/mien").status_code == 404


def test_it_is_changed_and_removed_with_a_key_of_its_source_or_an_admin_key_only(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    with open_store(world.settings.store_address, world.settings.folder, NOW) as store:
        other = store.create_key("default", "read", "marketing", NOW)
        write = store.create_key("default", "write", "website", NOW)
    admin = {"Authorization": f"Bearer {world.key('admin')}"}
    with world.client() as client:
        client.post("/api/saved-funnels", json={"title": "Mine", "question": DATED})
        theirs = {"Authorization": f"Bearer {other}"}
        for refused in (theirs, {"Authorization": f"Bearer {write}"}):
            assert client.request("PUT", MINE, json={"title": "Ours"}, headers=refused).status_code == 403
            assert client.request("DELETE", MINE, headers=refused).status_code == 403
        changed = client.request("PUT", MINE, json={"question": QUESTION, "last": "30d"}).json()
        assert (changed["title"], changed["last"], changed["name"]) == ("Mine", "30d", "mine")
        assert client.get(MINE, headers=theirs).json() == changed
        assert client.request("PUT", MINE, json={"title": "Ours"}, headers=admin).json()["last"] == "30d"
        assert client.request("DELETE", MINE, headers=admin).json()["title"] == "Ours"
        assert client.get("/api/saved-funnels").json() == {"items": []}


def test_a_project_sees_its_own_only_and_holds_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.at(tmp_path)
    monkeypatch.setattr(saved, "MOST", 1)
    with world.client(world.key(project="other")) as client:
        assert client.post("/api/saved-funnels", json={"title": "Theirs", "question": DATED}).status_code == 200
        full = client.post("/api/saved-funnels", json={"title": "One more", "question": DATED})
        assert (full.status_code, "the most that a project holds" in full.json()["detail"]) == (409, True)
    with world.client() as client:
        assert client.get("/api/saved-funnels").json() == {"items": []}
        assert client.get("/api/funnels/theirs").status_code == 404


@pytest.mark.parametrize(
    ("title", "name"),
    [("Sign-up → Paid!", "sign-up-paid"), ("日本", "funnel-cf2abf"), ("a" * 99, "a" * 63)],
)
def test_a_title_makes_a_name(title: str, name: str) -> None:
    assert saved.slug(title) == name


def test_what_was_removed_leaves_no_byte_of_whom_it_named(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    where = [{"property": "properties.who", "op": "eq", "value": "ada-1815@example.com"}]
    question = {**DATED, "steps": [{"event": "Signed Up", "where": where}, {"event": "Project Created"}]}
    with world.client(world.key("admin")) as client:
        assert client.post("/api/saved-funnels", json={"title": "Mine", "question": question}).status_code == 200
        assert b"ada-1815" in (world.settings.folder.root / "store.sqlite").read_bytes()
        assert client.request("DELETE", MINE).status_code == 200
    assert not [
        path for path in world.settings.folder.root.rglob("*") if path.is_file() and b"ada-1815" in path.read_bytes()
    ]
