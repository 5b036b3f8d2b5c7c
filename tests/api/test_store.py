"""Projects and keys, and the published hashes that collectors live on."""

import json
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.errors import Conflict
from api.folder import DataFolder
from api.publishing import republish
from api.saved import Saved, SavedFunnels
from api.store import Project, Store, StoreError, Taken, UnknownName, digest, open_store
from ingest.keys import KeyFile
from ingest.lake import PROJECT_NAME
from tests.api.postgresql import PostgreSQL, programs, running
from tests.patience import eventually

NOW = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
Opened = Callable[[Path], Store]


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    if programs() is None:
        pytest.skip("PostgreSQL's server is missing (apt-get install postgresql)")
    with running() as started:
        yield started


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "SQLite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    made: str = request.getfixturevalue("server").new_database()
    return made


@pytest.fixture
def opened(url: str) -> Opened:
    return lambda folder: open_store(url, DataFolder(folder), NOW)


def test_a_new_store_has_the_default_project_and_no_keys(tmp_path: Path, opened: Opened) -> None:
    with opened(tmp_path) as store:
        assert store.projects() == [Project("default", "UTC", "USD")]
        assert json.loads((tmp_path / "keys.json").read_text()) == {"keys": []}


def test_a_key_is_published_as_a_hash_and_only_its_owner_may_read_the_file(tmp_path: Path, opened: Opened) -> None:
    with opened(tmp_path) as store:
        key = store.create_key("default", "write", "website", NOW)
    published = (tmp_path / "keys.json").read_text()
    entry = {"hash": digest(key), "project": "default", "source": "website", "kind": "write"}
    assert json.loads(published) == {"keys": [entry]}
    assert key.startswith("jw_") and key not in published
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_the_collector_knows_the_published_key(tmp_path: Path, opened: Opened) -> None:
    with opened(tmp_path) as store:
        key = store.create_key("default", "read", "dashboard", NOW)
    found = KeyFile(tmp_path / "keys.json")(key)
    assert found is not None
    assert (found.project, found.source, found.kind) == ("default", "dashboard", "read")


def test_a_revoked_key_leaves_the_file_and_stays_in_the_list(tmp_path: Path, opened: Opened) -> None:
    with opened(tmp_path) as store:
        first = store.create_key("default", "write", "a", NOW)
        store.create_key("default", "admin", "b", NOW)
        store.revoke_key("default", "2", NOW)
        store.revoke_key("default", first, NOW)
        assert [(key.id, key.kind, key.revoked) for key in store.keys("default")] == [
            (1, "write", datetime(2026, 3, 1, 12, 30, 15)),
            (2, "admin", datetime(2026, 3, 1, 12, 30, 15)),
        ]
        assert json.loads((tmp_path / "keys.json").read_text()) == {"keys": []}
        with pytest.raises(UnknownName, match="no such key in force"):
            store.revoke_key("default", "1", NOW)


def test_a_key_of_one_project_cannot_be_revoked_from_another(tmp_path: Path, opened: Opened) -> None:
    with opened(tmp_path) as store:
        store.create_project(Project("other"), NOW)
        key = store.create_key("default", "write", "a", NOW)
        with pytest.raises(UnknownName):
            store.revoke_key("other", key, NOW)
        assert [known.revoked for known in store.keys("default")] == [None]


def test_a_project_is_made_once_and_a_name_that_is_not_there_is_told_with_those_that_are(
    tmp_path: Path, opened: Opened
) -> None:
    with opened(tmp_path) as store:
        store.create_project(Project("acme", "Europe/Berlin", "EUR"), NOW)
        with pytest.raises(Taken):
            store.create_project(Project("acme"), NOW)
        with pytest.raises(UnknownName, match="Known: acme, default"):
            store.create_key("acmee", "write", "a", NOW)
        assert store.project("acme").timezone.key == "Europe/Berlin"


@pytest.mark.parametrize("name", ["", "Acme", "a b", "../x", "-x", "a" * 64, "_x", "a/b"])
def test_a_project_that_the_lake_could_not_hold_is_refused(name: str) -> None:
    assert PROJECT_NAME.fullmatch(name) is None
    with pytest.raises(StoreError, match="cannot be named"):
        Project(name)


def test_a_wrong_zone_or_currency_is_refused_with_the_nearest() -> None:
    with pytest.raises(StoreError, match="did you mean 'Europe/Berlin'"):
        Project("a", zone="Europe/Berlinn")
    with pytest.raises(StoreError, match="ISO 4217"):
        Project("a", currency="euro")


def test_opening_again_keeps_what_was_there(tmp_path: Path, opened: Opened) -> None:
    with opened(tmp_path) as store:
        key = store.create_key("default", "write", "a", NOW)
    (tmp_path / "keys.json").unlink()
    with opened(tmp_path) as store:
        assert len(store.keys("default")) == 1
    assert digest(key) in (tmp_path / "keys.json").read_text()


def test_keys_made_at_the_same_moment_are_all_published(tmp_path: Path, opened: Opened) -> None:
    def make() -> None:
        with opened(tmp_path) as store:
            store.create_key("default", "write", "a", NOW)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads((tmp_path / "keys.json").read_text())["keys"]) == 6


def test_a_store_that_cannot_be_reached_says_so(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"this is no database, but it is long enough to be taken for one " * 9)
    for url in (f"sqlite:///{tmp_path}/store.sqlite", "postgresql://127.0.0.1:1/jcurve"):
        with pytest.raises(StoreError, match="cannot be used"):
            open_store(url, DataFolder(tmp_path), NOW)


@pytest.mark.parametrize("url", ["PostgreSQL"], indirect=True)  # a file of SQLite has one host
def test_hosts_that_open_a_new_store_at_the_same_moment_make_it_once(tmp_path: Path, url: str) -> None:
    def make(host: int) -> list[Project]:
        with open_store(url, DataFolder(tmp_path / str(host)), NOW) as store:
            return store.projects()

    with ThreadPoolExecutor(4) as hosts:
        assert list(hosts.map(make, range(4))) == [[Project("default")]] * 4


def test_a_key_made_on_another_host_reaches_this_ones_collectors(tmp_path: Path, url: str) -> None:
    here, there = DataFolder(tmp_path / "here"), DataFolder(tmp_path / "there")
    stop = threading.Event()
    with open_store(url, here, NOW) as ours, open_store(url, there, NOW) as theirs:
        thread = threading.Thread(target=republish, args=(ours.publish, here, stop, 0.02))
        thread.start()
        key = theirs.create_key("default", "write", "a", NOW)
        keys = KeyFile(here.keys, clock=iter(range(1_000_000)).__next__)
        try:
            eventually(lambda: keys(key) is not None, "the key is published here")
        finally:
            stop.set()
            thread.join()


def test_saved_funnels_lie_in_the_store_by_their_title(tmp_path: Path, opened: Opened) -> None:
    def one(name: str, title: str) -> Saved:
        return Saved(name, title, {"steps": [{"event": "Ünïcode ☃"}]}, "90d", "default", NOW, NOW)

    with opened(tmp_path) as store:
        saved = SavedFunnels(store)
        saved.add("default", one("b", "Second"), ())
        saved.add("default", one("a", "Zeroth"), ())
        with pytest.raises(Conflict, match="saved as 'a' already"):
            saved.add("default", one("a", "Again"), ())
        saved.change("default", one("a", "First"))
    with opened(tmp_path) as store:
        saved = SavedFunnels(store)
        assert saved.all("default") == [one("a", "First"), one("b", "Second")]
        saved.remove("default", "a")
        assert (saved.find("default", "a"), saved.find("default", "b")) == (None, one("b", "Second"))


def test_a_database_without_a_driver_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is the database's driver installed"):
        open_store("postgresql+nodriver://localhost/jcurve", DataFolder(tmp_path), NOW)
