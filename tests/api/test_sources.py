"""Sources: made, set up, switched off and rotated, by command and by the API; what collectors know of them."""

import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from api.cli import main
from api.folder import DataFolder
from api.migrations import upgrade
from api.sources import Sources, policy_of
from api.store import Store, StoreError, Taken, UnknownName, open_store
from ingest.ids import counts
from ingest.keys import KeyFile
from ingest.policy import PLAIN, Policy
from tests.api import processes
from tests.api.world import NOW, World
from tests.patience import PATIENCE, eventually
from tests.ports import free_port


def opened(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder}/store.sqlite", DataFolder(folder), NOW)


def known(folder: Path, key: str, days: float = 0) -> KeyFile:
    return KeyFile(folder / "keys.json", wall_clock=lambda: (NOW + timedelta(days=days)).timestamp())


def test_a_source_is_made_with_its_first_key(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        sources = Sources(store)
        key = sources.create("default", "website", PLAIN, NOW)
        with pytest.raises(Taken, match="there is a source 'website' already"):
            sources.create("default", "website", PLAIN, NOW)
        with pytest.raises(StoreError, match="cannot be named 'a/b'"):
            sources.create("default", "a/b", PLAIN, NOW)
        with pytest.raises(UnknownName, match="Known: website"):
            sources.get("default", "web")
        assert [(one.name, one.on, one.policy, len(one.keys)) for one in sources.all("default")] == [
            ("website", True, Policy(), 1)
        ]
    found = known(tmp_path, key)(key)
    assert found is not None and (found.source, found.on, found.policy, found.until) == ("website", True, Policy(), None)


def test_a_key_made_by_itself_makes_its_source(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.create_key("default", "write", "app", NOW)
        store.create_key("default", "write", "app", NOW)
        store.create_key("default", "read", "dashboard", NOW)
        assert [(one.name, len(one.keys)) for one in Sources(store).all("default")] == [("app", 2)]


def test_what_is_set_is_published_with_each_of_the_sources_keys(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        sources = Sources(store)
        web, app = (sources.create("default", name, PLAIN, NOW) for name in ("web", "app"))
        again = sources.add_key("default", "web", NOW)
        sources.change("default", "web", on=False, policy=Policy(ip="drop"))
    keys = KeyFile(tmp_path / "keys.json")
    for key, on, policy in ((web, False, Policy(ip="drop")), (again, False, Policy(ip="drop")), (app, True, Policy())):
        found = keys(key)
        assert found is not None and (found.on, found.policy) == (on, policy)


def test_a_rotation_leaves_no_gap(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        sources = Sources(store)
        first = sources.create("default", "web", PLAIN, NOW)
        sooner = store.create_key("default", "write", "web", NOW, until=NOW + timedelta(days=1))
        second = sources.rotate("default", "web", NOW + timedelta(days=7), NOW)
    for days, taken in ((0, {first, sooner, second}), (2, {first, second}), (8, {second})):
        assert {key for key in (first, sooner, second) if known(tmp_path, key, days)(key)} == taken


def test_a_key_that_apps_send_already_is_taken_over_once(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.create_key("default", "write", "app", NOW, text="phc_abcdefghijklmnopqrstuvwxyz")
        with pytest.raises(Taken, match="this key is known already"):
            store.create_key("default", "write", "web", NOW, text="phc_abcdefghijklmnopqrstuvwxyz")
        assert [one.name for one in Sources(store).all("default")] == ["app"]
        for text, kind in (("a b", "write"), ("jr_abc", "write"), ("own-reader", "read")):
            with pytest.raises(StoreError):
                store.create_key("default", kind, "web", NOW, text=text)  # type: ignore[arg-type]
    assert KeyFile(tmp_path / "keys.json")("phc_abcdefghijklmnopqrstuvwxyz") is not None
    assert "phc_abcdefghij" not in (tmp_path / "keys.json").read_text()


def test_settings_that_do_not_exist_are_refused_with_what_is_allowed() -> None:
    assert policy_of({"ip": "drop"}, Policy(cookie=False)) == Policy(ip="drop", cookie=False)
    for given, said in (
        ({"ipp": "drop"}, "no setting 'ipp'; it has ip, do_not_track"),
        ({"ip": "hash"}, "allowed: sent, keep, truncate, drop"),
        ({"cookie": 1}, "cookie cannot be 1"),
        ({"consent_category": 7}, "a text of at most 100 characters"),
    ):
        with pytest.raises(StoreError, match=said):
            policy_of(given)


def test_a_store_of_an_older_release_gets_a_source_for_every_name_that_write_keys_have(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for kind, source in (("write", "web"), ("write", "web"), ("write", "app"), ("read", "dashboard")):
            store.create_key("default", kind, source, NOW)  # type: ignore[arg-type]
        before = (tmp_path / "keys.json").read_text()
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        db.execute("drop table sources")
        db.execute("alter table keys drop column until")
        db.execute("update alembic_version set version_num = '0003'")
    with opened(tmp_path) as store:
        upgrade(store.engine)
        found = [(one.name, one.on, one.policy, one.created, len(one.keys)) for one in Sources(store).all("default")]
        made = NOW.replace(microsecond=0)
        assert found == [("app", True, Policy(), made, 1), ("web", True, Policy(), made, 2)]
    assert (tmp_path / "keys.json").read_text() == before


def test_the_commands_make_list_set_and_rotate(tmp_path: Path) -> None:
    def jcurve(*words: str) -> str:
        done = CliRunner().invoke(main, [*words, "--data", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return done.stdout

    first = jcurve("sources", "create", "web").strip()
    assert jcurve("sources", "set", "web", "--ip", "truncate", "--do-not-track", "drop") == (
        "Source web: on, ip truncate, do_not_track drop.\n"
    )
    assert jcurve("sources", "set", "web", "--off") == "Source web: off, ip truncate, do_not_track drop.\n"
    began = datetime.now(UTC)
    second = jcurve("sources", "rotate", "web", "--keep", "36h").strip()
    ends = {f"until {moment + timedelta(hours=36):%Y-%m-%d}" for moment in (began, datetime.now(UTC))}  # noon may pass
    assert first.startswith("jw_") and second.startswith("jw_") and first != second
    listed = jcurve("sources", "list")
    assert listed.startswith("web                   off  ip truncate, do_not_track drop; keys 1 (jw_..")
    assert any(end in listed for end in ends) and listed.endswith("in force)\n")
    assert jcurve("keys", "revoke", "2", "--at", "2099-01-01") == ""
    assert "until 2099-01-01 00:00" in jcurve("keys", "list")
    assert jcurve("keys", "create", "write", "--source", "app", "--own", "phc_abcdefgh") == "phc_abcdefgh\n"


def test_the_api_makes_changes_and_rotates_and_shows_a_key_once(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    with world.client(world.key("admin")) as client:
        made = client.post("/api/sources", json={"name": "web", "settings": {"ip": "truncate"}}).json()
        assert made["key"].startswith("jw_") and made["settings"] == {
            "ip": "truncate",
            "do_not_track": "store",
            "consent": "store",
            "consent_category": "",
            "cookie": True,
        }
        changed = client.request("PATCH", "/api/sources/web", json={"on": False, "settings": {"cookie": False}}).json()
        assert (changed["on"], changed["settings"]["ip"], changed["settings"]["cookie"]) == (False, "truncate", False)
        again = client.post("/api/sources/web/rotate", json={"keep_days": 1}).json()
        ends = [key["until"] is None for key in again["keys"]]
        assert ends == [False, True] and again["key"] not in (made["key"], None)
        own = client.post("/api/sources/web/keys", json={"key": "phc_abcdefgh"}).json()
        assert own["key"] == "phc_abcdefgh" and len(own["keys"]) == 3
        number = own["keys"][2]["id"]
        ended = client.request("PATCH", f"/api/sources/web/keys/{number}", json={"until": "2099-01-01"}).json()
        assert ended["keys"][2]["until"] == "2099-01-01T00:00:00Z"
        gone = client.request("DELETE", f"/api/sources/web/keys/{number}").json()
        assert [key["in_force"] for key in gone["keys"]] == [True, True, False]
        listed = client.get("/api/sources")
        assert listed.json()["items"] == [gone]
        assert made["key"] not in listed.text and again["key"] not in listed.text
    keys = KeyFile(world.settings.folder.keys)
    assert [(found := keys(key)) and found.on for key in (made["key"], again["key"], "phc_abcdefgh")] == [False, False, None]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/sources", {"name": "web"}, 409),
        ("POST", "/api/sources", {"name": "a/b"}, 422),
        ("POST", "/api/sources", {}, 422),
        ("POST", "/api/sources", {"name": "x", "settings": {"ip": "hash"}}, 422),
        ("POST", "/api/sources", {"name": "x", "colour": "red"}, 422),
        ("PATCH", "/api/sources/web", {"on": "no"}, 422),
        ("PATCH", "/api/sources/wbe", {"on": True}, 404),
        ("POST", "/api/sources/web/rotate", {"keep_days": -1}, 422),
        ("POST", "/api/sources/web/keys", {"key": "a b"}, 422),
        ("PATCH", "/api/sources/web/keys/1", {"until": "soon"}, 422),
        ("PATCH", "/api/sources/web/keys/99", {"until": None}, 404),
        ("DELETE", "/api/sources/web/keys/99", None, 404),
        ("DELETE", f"/api/sources/web/keys/{10**30}", None, 404),
        ("DELETE", "/api/sources/web/keys/first", None, 404),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, method: str, path: str, body: Any, status: int) -> None:
    world = World.at(tmp_path)
    with open_store(world.settings.store_address, world.settings.folder, NOW) as store:
        Sources(store).create("default", "web", PLAIN, NOW)
    with world.client(world.key("admin")) as client:
        reply = client.request(method, path, **({} if body is None else {"json": body}))
        assert reply.status_code == status, reply.text
        assert reply.json()["detail"]


def test_a_read_key_sees_the_sources_and_changes_none(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    with world.client() as client:
        assert client.get("/api/sources").json() == {"items": []}
        for method, path in (("POST", ""), ("PATCH", "/web"), ("POST", "/web/rotate"), ("DELETE", "/web/keys/1")):
            assert client.request(method, f"/api/sources{path}", json={}).status_code == 403


def test_a_server_takes_events_and_drains_them_while_the_store_is_away(tmp_path: Path) -> None:
    """The keys were published before; what nobody can look up is answered 503, not refused. What needs the store waits,
    and holds up neither the door nor the end."""
    data, nowhere = tmp_path / "data", "postgresql+psycopg://jcurve@127.0.0.1:1/jcurve"
    pytest.importorskip("psycopg")
    key = processes.jcurve("keys", "create", "write", data=data).stdout.strip()
    url = f"http://127.0.0.1:{free_port()}"
    line = [*processes.COMMAND, "up", "--data", str(data), "--port", url.rpartition(":")[2], "--store-url", nowhere]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL, env=processes.ENVIRONMENT) as server:
        try:
            eventually(lambda: asked(f"{url}/ready") == 200, "the door is there")
            assert asked(f"{url}/api/status") == 503
            assert sent(url, key).status_code == 200
            reply = sent(url, "jw_of_another_host")
            assert (reply.status_code, reply.headers["retry-after"], reply.json()["code"]) == (503, "5", 503)
        finally:
            server.terminate()
        assert server.wait(PATIENCE) == 0
    assert list((data / "log").rglob("*.segment")) == []
    assert counts(data / "index", "default")["accepted"] == 1


def asked(url: str) -> int:
    """The status; 0 of nobody."""
    try:
        return httpx.get(url, timeout=PATIENCE).status_code
    except httpx.TransportError:
        return 0


def sent(url: str, key: str) -> httpx.Response:
    event = {"event": "Signed Up", "userId": "u1"}
    return httpx.post(f"{url}/v1/track", json=event, auth=(key, ""), timeout=PATIENCE)
