"""One running jcurve for all tests of the dashboard: a small make-believe company, an empty project, and an unbuilt one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest

from api.folder import DataFolder
from api.store import Project, open_store
from ingest.demo import Size, deliver, plan
from tests.patience import PATIENCE, eventually
from tests.web.browser import Browser, Page, browser, missing

JCURVE = [sys.executable, "-m", "api.cli"]
# The tests' own variables are no settings of the server, which refuses those that it does not know.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("JCURVE_")}
PICTURE = os.environ.get("JCURVE_TEST_SCREENSHOT") == "1"
SIZE = Size() if PICTURE else Size(people=160, accounts=30, days=75)
PROJECTS = ("default", "quiet", "unbuilt", "shared")


@dataclass(frozen=True)
class Server:
    """A running `jcurve up`. `keys`: project -> its read key."""

    base: str
    keys: dict[str, str]
    write_keys: dict[str, str]
    admin_key: str  # of the default project

    def get(self, path: str, project: str = "default", **parameters: str) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {self.keys[project]}"}
        response = httpx.get(f"{self.base}/api/{path}", params=parameters, headers=headers, timeout=PATIENCE)
        response.raise_for_status()
        return cast(dict[str, object], response.json())

    def send(self, project: str, body: bytes) -> None:
        response = httpx.post(f"{self.base}/v1/batch", content=body, auth=(self.write_keys[project], ""), timeout=PATIENCE)
        response.raise_for_status()

    def outcomes(self, project: str) -> int:
        return sum(cast(dict[str, int], self.get("status", project)["outcomes"]).values())

    def wait_for_outcomes(self, project: str, events: int) -> None:
        eventually(lambda: self.outcomes(project) >= events, f"{events} events of {project} reach the lake")


@contextmanager
def running(data: Path) -> Iterator[str]:
    """`jcurve up` on a free port, with no jobs but those that a test asks for; gives its address."""
    still = ("--hourly-build", "off", "--nightly-build", "off", "--tidy", "off")
    command = [*JCURVE, "up", "--data", str(data), "--port", "0", *still]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            assert "ready at" in line, f"jcurve up said: {line!r}"
            yield next(word for word in line.split() if word.startswith("http"))
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if reason := missing():
        pytest.skip(reason)
    with browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def server(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("dashboard")
    reading, writing, admin = make_keys(data)
    with running(data) as base:
        server = Server(base, reading, writing, admin)
        send_company(server)
        server.send("unbuilt", b'{"batch": [{"type": "track", "userId": "u1", "event": "Signed Up"}]}')
        server.wait_for_outcomes("unbuilt", 1)
        server.send("shared", _one_device_of_all())
        server.wait_for_outcomes("shared", 1001)
        for project in ("default", "shared"):
            command = [*JCURVE, "build", "--data", str(data), "--project", project]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT, timeout=PATIENCE)
        yield server


def _one_device_of_all() -> bytes:
    """A constant where an id should be: one more user than an id may be linked to."""
    return json.dumps(
        {"batch": [{"type": "identify", "userId": str(n), "anonymousId": "0000"} for n in range(1001)]}
    ).encode()


def make_keys(data: Path) -> tuple[dict[str, str], dict[str, str], str]:
    """A read and a write key of each project, and an admin key of the first."""
    now = datetime.now(UTC)
    with open_store(f"sqlite:///{data / 'store.sqlite'}", DataFolder(data), now) as store:
        for name in PROJECTS[1:]:
            store.create_project(Project(name), now)
        reading = {name: store.create_key(name, "read", "default", now) for name in PROJECTS}
        writing = {name: store.create_key(name, "write", "default", now) for name in PROJECTS}
        return reading, writing, store.create_key(PROJECTS[0], "admin", "default", now)


def send_company(server: Server) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    delivery = deliver(plan(SIZE, midnight))
    with httpx.Client(base_url=server.base, auth=(server.write_keys["default"], ""), timeout=PATIENCE) as client:
        for batch in delivery.batches:
            client.post("/v1/batch", content=batch.body(int(time.time() * 1000))).raise_for_status()
    server.wait_for_outcomes("default", delivery.calls)


@pytest.fixture(autouse=True)
def one_day() -> None:
    """What a page asks before midnight and a test after it is of different days."""
    now = datetime.now(UTC)
    left = (now.replace(hour=0, minute=0, second=0) + timedelta(days=1) - now).total_seconds()
    time.sleep(left if left < PATIENCE else 0)


@pytest.fixture
def signed_in(chromium: Browser, server: Server) -> Iterator[Page]:
    page = chromium.page(server.base)
    page.open(f"#key={server.keys['default']}")
    page.wait_for("Overview")
    yield page
    page.close()
