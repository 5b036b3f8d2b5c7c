"""The lake in an object store: a real S3 server on loopback, and everything that reads, writes and forgets."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from api import forgetting
from api.app import lake_of, prepare_definitions
from api.building import builder
from api.cli import main
from api.settings import Settings
from tests.api.world import NOW, RECEIVED, World, track
from tests.patience import eventually
from tests.ports import free_port
from transforms.engine import Engine
from transforms.forget import Ids
from transforms.layout import Rules
from transforms.tidy import tidy
from transforms.traces import traces_of_lake

ADA = Ids(frozenset({"user:user-ada-1815", "anonymous:device-7f3a"}))
CALLS = [
    {"type": "identify", "messageId": "i", "userId": "user-ada-1815", "anonymousId": "device-7f3a"},
    track("Signed Up", "user-ada-1815", "2026-02-01T00:00:00Z"),
    track("Signed Up", "bob", "2026-02-01T00:00:00Z"),
    {"type": "track", "messageId": "f", "userId": "user-ada-1815"},
]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a bucket, which this process and its children find by their environment."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask") is None:
        pytest.skip("moto is missing: it stands in the lock, run 'make setup' again")
    address = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", address.rpartition(":")[2]]
    access = {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
              "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # fmt: skip
    for name, value in access.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            eventually(lambda: made(f"{address}/jcurve"), "the S3 server answers")
            yield "s3://jcurve"
        finally:
            server.terminate()


def made(bucket: str) -> bool:
    try:
        return httpx.put(bucket, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_a_lake_in_s3_takes_events_is_tidied_built_asked_and_forgets(tmp_path: Path, s3: str) -> None:
    world = World(Settings(data=tmp_path / "data", lake_url=f"{s3}/lake"))
    world.settings.folder.create()
    prepare_definitions(world.settings)
    read = world.key()
    world.send(*CALLS)
    world.send(CALLS[1], track("Task Completed", "bob", "2026-02-02T00:00:00Z"))  # the first a copy
    lake = lake_of(world.settings)
    assert not (tmp_path / "data" / "lake").exists()

    tidied = tidy(lake, "default", NOW, rules=Rules(gather=1))
    assert tidied.changed and tidied.rows >= 4
    world.build()
    with world.client(read) as client:
        funnel = {"steps": [{"event": "Signed Up"}, {"event": "Task Completed"}], "window": "14d",
                  "from": "2026-02-01", "to": "2026-03-01"}  # fmt: skip
        answer = client.post("/api/funnel", json=funnel)
        assert [step["reached"] for step in answer.json()["steps"]] == [2, 1]
        assert client.get("/api/funnels/plg?from=2026-02-01&to=2026-03-01&unit=person").status_code == 200
        assert client.get("/api/people/bob").json()["person"] == "user:bob"
    told = CliRunner().invoke(main, ["status", "--lake-url", f"{s3}/lake", "--data", str(tmp_path / "data")]).stdout
    assert ["accepted", "4"] in [line.split() for line in told.splitlines()]

    assert len(traces_of_lake(lake, "default", ADA).found) > 5
    request = forgetting.ask(world.settings, lake, "default", "user-ada-1815", "TICKET-1", "test", NOW)
    left = forgetting.advance(
        world.settings, lake, builder(world.settings, lake), lambda: NOW, request, at_once=True
    )  # fmt: skip
    assert left is not None
    assert left.found == () and left.files > 20
    with Engine(lake, "default", {"events": lake.version("default", "events")}) as engine:
        assert engine.table("select distinct user_id from events")["user_id"].to_pylist() == ["bob"]


@pytest.mark.parametrize("tidied", [False, True])
def test_an_earlier_copy_takes_the_place_of_a_later_one_in_s3(tmp_path: Path, s3: str, tidied: bool) -> None:
    world = World(Settings(data=tmp_path / "data", lake_url=f"{s3}/lake"))
    world.settings.folder.create()
    lake = lake_of(world.settings)
    world.send(*CALLS[:3], received=RECEIVED)
    if tidied:
        tidy(lake, "default", NOW, rules=Rules(gather=1))
    world.send(CALLS[1] | {"event": "Earlier"}, received=RECEIVED - timedelta(seconds=9))
    with Engine(lake, "default", {"events": lake.version("default", "events")}) as engine:
        found = engine.table("select event, user_id from events order by all").to_pylist()
    assert [(row["event"], row["user_id"]) for row in found] == [
        ("$identify", "user-ada-1815"),
        ("Earlier", "user-ada-1815"),
        ("Signed Up", "bob"),
    ]
