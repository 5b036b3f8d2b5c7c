"""A small deployment in a folder: keys, events that came through the real log and flush, builds, and a client of the API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from api.app import lake_of, prepare_definitions, serve_app
from api.building import builder
from api.settings import Settings
from api.store import Kind, Project, open_store
from ingest.flush import Flush
from ingest.ids import Index
from ingest.wal import Log
from transforms.build import BuildResult

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECEIVED = datetime(2026, 2, 20, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    settings: Settings

    @classmethod
    def at(cls, folder: Path) -> World:
        # The first question compiles the kernels, which takes a minute where many others work.
        world = cls(Settings(data=folder / "data", query_seconds=600))
        world.settings.folder.create()
        prepare_definitions(world.settings)
        return world

    def key(self, kind: Kind = "read", project: str = "default") -> str:
        with open_store(self.settings.store_address, self.settings.folder, NOW) as store:
            if project not in [known.name for known in store.projects()]:
                store.create_project(Project(project), NOW)
            return store.create_key(project, kind, "test", NOW)

    def send(self, *calls: Mapping[str, Any], project: str = "default", received: datetime = RECEIVED) -> None:
        """Through the log and the flush, as if they had come in one batch at that moment."""
        self.put(json.dumps({"batch": calls}).encode(), project=project, received=received)

    def put(self, body: bytes, project: str = "default", received: datetime = RECEIVED, path: str = "/v1/batch") -> None:
        """The same for a body as it stands, of the family that logs under ``path``."""
        micros = int(received.timestamp()) * 1_000_000

        async def append() -> None:
            log = Log.open(self.settings.folder.log, now=lambda: micros)
            try:
                await log.append(project, "test", path, "127.0.0.1", "", body)
            finally:
                log.close()

        asyncio.run(append())
        with Index(self.settings.folder.index) as index:
            Flush(self.settings.folder.log, lake_of(self.settings), index).once()

    def build(self, project: str = "default") -> BuildResult:
        return builder(self.settings, lake_of(self.settings))(project, NOW)

    @contextmanager
    def client(self, key: str | None = None) -> Iterator[Client]:
        """The real app; without ``key``, with a new read key of the default project."""
        headers = {"Authorization": f"Bearer {key or self.key()}"}
        app = serve_app(self.settings)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        with asyncio.Runner() as runner:
            lifespan = app.router.lifespan_context(app)
            runner.run(_entered(lifespan))
            client = httpx.AsyncClient(transport=transport, base_url="http://jcurve", headers=headers)
            try:
                yield Client(runner, client)
            finally:
                runner.run(client.aclose())
                runner.run(_left(lifespan))


async def _entered(lifespan: AbstractAsyncContextManager[Any]) -> None:
    await lifespan.__aenter__()


async def _left(lifespan: AbstractAsyncContextManager[Any]) -> None:
    await lifespan.__aexit__(None, None, None)


@dataclass(frozen=True)
class Client:
    """httpx for tests that read from top to bottom."""

    runner: asyncio.Runner
    client: httpx.AsyncClient

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.runner.run(self.client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


def track(event: str, user: str, time: str, **properties: object) -> dict[str, Any]:
    """A call whose id is ``<user> <event> <time>``."""
    own = {"event": event, "userId": user, "timestamp": time, "properties": properties}
    return {"type": "track", "messageId": f"{user} {event} {time}", **own}


def registrations(count: int) -> list[dict[str, Any]]:
    """People ``1``, ``2``, ... who sign up a second after the other."""
    return [track("Signed Up", str(n + 1), f"2026-02-01T00:00:{n:02d}Z") for n in range(count)]
