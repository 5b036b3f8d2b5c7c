"""Every route of the OpenAPI description, asked by schemathesis as described and otherwise: never a 500, and only answers that
the description names. Through the door, behind which the query API stands, over a lake with odd numbers in it.

``make fuzz`` asks for as long as it is told; here it is bounded, and the same each time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from api.app import serve_app
from api.door import collector_settings
from api.openapi import describe
from ingest.http import Collector
from ingest.keys import KeyFile
from ingest.wal import Log
from tests.api.world import World, registrations, track

EXAMPLES = int(os.environ.get("JCURVE_TEST_FUZZ", "0"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
OPEN = ("/health", "/ready", "/api/ready")
KNOWN = (
    "plg",
    "user:odd",
    "user:old",
    "registered",
    "user:1",
    "anonymous:a1",
    "mine",
    "viral-coefficient",
    "north-star",
    "paid",
)
HEADERS = ("user-agent", "accept", "content-type")
SLOW = list(HealthCheck)


@dataclass
class Service:
    """Door and query API over one folder, with a build."""

    runner: asyncio.Runner
    client: httpx.AsyncClient
    operations: dict[str, Any]
    keys: dict[str, str]

    def ask(self, case: schemathesis.Case, key: str | None) -> httpx.Response:
        """With this key in the place of any that the case has made up."""
        kwargs = case.as_transport_kwargs(base_url="http://jcurve")
        kwargs["headers"] = {name: text for name, text in kwargs["headers"].items() if name.lower() != "authorization"}
        if key is not None:
            kwargs["headers"]["Authorization"] = f"Bearer {key}"
        try:
            asked = requests.Request(**kwargs).prepare()
        except (ValueError, requests.RequestException):
            assume(False)
        headers = [(name, text if isinstance(text, bytes) else text.encode()) for name, text in asked.headers.items()]
        url = httpx.URL("http://jcurve", raw_path=asked.path_url.encode())
        return self.runner.run(self.client.request(asked.method, url, headers=headers, content=asked.body))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    world = World.at(tmp_path_factory.mktemp("fuzz"))
    keys = {kind: world.key(kind) for kind in ("read", "write", "admin")}
    odd = {"huge": 10**400, "wide": 10**30, "deep": [[[]]], "text": "\ud83e", "": 1}
    world.send(
        *registrations(3),
        track("Signed Up", "odd", "2026-02-01T00:00:00Z", **odd),
        track("Signed Up", "old", "0001-01-01T00:00:00+14:00"),
        {"type": "identify", "userId": "1", "anonymousId": "a1", "traits": odd, "messageId": "i"},
        {"type": "odd", "messageId": "rejected"},
    )
    world.build()
    app = serve_app(world.settings)
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        log = Log.open(world.settings.folder.log)
        door = Collector(log, KeyFile(world.settings.folder.keys), collector_settings(world.settings), app)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(door, raise_app_exceptions=False), base_url="http://jcurve")
        try:
            described = schemathesis.openapi.from_dict(describe(app))
            operations = {one.ok().label: one.ok() for one in described.get_all_operations()}
            yield Service(runner, client, operations, keys)
        finally:
            runner.run(client.aclose())
            log.close()
            runner.run(lifespan.__aexit__(None, None, None))


def labels() -> list[str]:
    """``GET /api/status`` and all others."""
    from fastapi import FastAPI

    return sorted(f"{method.upper()} {path}" for path, found in describe(FastAPI())["paths"].items() for method in found)
