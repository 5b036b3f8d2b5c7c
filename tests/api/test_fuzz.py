"""Every route of the OpenAPI description, asked by schemathesis as described and otherwise: never a 500, and only answers
that the description names. Through the door, behind which the query API stands, over a lake with odd numbers in it.

``make fuzz`` asks for as long as it is told; here it is bounded, and the same each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from api.app import serve_app
from api.door import collector_settings
from api.openapi import describe
from ingest.http import Collector
from ingest.keys import KeyFile
from ingest.wal import Log
from tests.api.test_odd_numbers import batch
from tests.api.world import World, registrations, track
from tests.ingest.fuzz import damage

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
Case = schemathesis.Case[Any]
PARTS = ("/v1/", "POST /api/funnel/drivers", "POST /api/funnel/people", "POST /api/funnel/explain", "POST /api/funnel", "/")
SLOW = list(HealthCheck)


@dataclass
class Service:
    """Door and query API over one folder, with a build."""

    runner: asyncio.Runner
    client: httpx.AsyncClient
    operations: dict[str, Any]
    keys: dict[str, str]

    def ask(self, case: Case, key: str | None) -> httpx.Response:
        """With this key in the place of any that the case has made up."""
        kwargs = case.as_transport_kwargs(base_url="http://jcurve")
        kwargs["headers"] = {name: text for name, text in kwargs["headers"].items() if name.lower() != "authorization"}
        if key is not None:
            kwargs["headers"]["Authorization"] = f"Bearer {key}"
        try:
            asked = requests.Request(**kwargs).prepare()
        except (ValueError, requests.RequestException):
            assume(False)
        pairs = [(name, text.encode() if isinstance(text, str) else text) for name, text in asked.headers.items()]
        headers = [(name.encode(), text) for name, text in pairs]
        url = httpx.URL("http://jcurve", raw_path=asked.path_url.encode())
        content = asked.body if isinstance(asked.body, str | bytes | None) else b""
        return self.runner.run(self.client.request(asked.method or "GET", url, headers=headers, content=content))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    world = World.at(tmp_path_factory.mktemp("fuzz"))
    keys = {kind: world.key(kind) for kind in ("read", "write", "admin")}
    odd = {"wide": 10**30, "deep": [[[]]], "text": "\ud83e", "": 1}
    world.send(
        *registrations(3),
        track("Signed Up", "odd", "2026-02-01T00:00:00Z", **odd),
        track("Signed Up", "old", "0001-01-01T00:00:00+14:00"),
        {"type": "identify", "userId": "1", "anonymousId": "a1", "traits": odd, "messageId": "i"},
        {"type": "odd", "messageId": "rejected"},
    )
    world.put(batch())
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
            found = [one.ok() for one in described.get_all_operations() if isinstance(one, Ok)]
            operations = {operation.label: operation for operation in found}
            yield Service(runner, client, operations, keys)
        finally:
            runner.run(client.aclose())
            log.close()
            runner.run(lifespan.__aexit__(None, None, None))


@pytest.mark.parametrize("part", PARTS)
def test_every_route_answers_whatever_it_is_asked_and_as_the_description_says(service: Service, part: str) -> None:
    for label, operation in service.operations.items():
        if next(one for one in PARTS if one in label) == part:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                asked(service, operation, mode)


def asked(service: Service, operation: Any, mode: GenerationMode) -> None:
    @settings(
        max_examples=EXAMPLES or 3,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=SLOW,
    )
    @given(operation.as_strategy(mode), st.data())
    def run(case: Case, data: st.DataObject) -> None:
        for name in case.path_parameters or {}:
            if data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(KNOWN))
        key = data.draw(st.sampled_from(("admin", "read", "write", None)))
        answer = service.ask(case, key and service.keys[key])
        case.validate_response(answer, checks=CHECKS)
        if key is None and operation.path.startswith("/api/") and operation.path not in OPEN:
            assert answer.status_code == 401

    with contextlib.suppress(Unsatisfiable):  # of what has no parameters nothing is wrong
        run()


@settings(max_examples=EXAMPLES or 40, derandomize=not EXAMPLES, deadline=None, database=None, suppress_health_check=SLOW)
@given(st.integers(0, 2**64).map(Random))
def test_a_damaged_question_is_answered_or_refused(service: Service, random: Random) -> None:
    """Schemathesis seldom makes a question that is nearly right: this begins with the description's own examples."""
    label, example = random.choice(examples(service))
    question = damage.mutated(random, copy.deepcopy(example), random.choice((0, 1, 1, 2)))
    method, path = label.split()
    path = path.replace("{name}", "mine") + random.choice(("", "", "?known_at=2026-02-01T00:00:00Z", "?format=csv"))
    headers = {"authorization": f"Bearer {service.keys['admin']}"}
    asked = service.client.request(method, path, content=damage.dumps(question), headers=headers)
    answer = service.runner.run(asked)
    assert answer.status_code in (200, 404, 409, 422), answer.text
    if answer.status_code != 200:
        assert answer.json()["status"] == answer.status_code


def examples(service: Service) -> list[tuple[str, Any]]:
    """Questions of the description, of events that there are."""
    found = []
    for label, operation in service.operations.items():
        for body in operation.body if "/api/" in label else ():
            example = copy.deepcopy(body.definition["example"])
            asked = example.get("question", example)
            if "steps" in asked:
                asked |= {"from": "2026-02-01", "to": "2026-03-01"}
                plain = {name: value for name, value in example.items() if name not in OF_MORE_STEPS}
                found.append((label, {**plain, "steps": [{"event": "Signed Up"}] * 2}))
            found.append((label, example))
    return found


OF_MORE_STEPS = ("exclude", "time_to_convert", "drivers")
