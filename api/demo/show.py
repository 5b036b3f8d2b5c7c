"""From an empty folder to the printed answers: serve, send, wait, build, ask.

The server runs in this process' main thread as ``jcurve up`` does (its roles are processes of their own), what is shown in a
second one; so Ctrl-C drains the server as always, and no server outlives the demo.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx

from api import logs
from api.clock import now
from api.demo.compare import sections
from api.demo.page import Page
from api.demo.send import NotTaken, send
from api.ports import CannotStart, listen
from api.settings import Settings
from api.store import KINDS, Project, open_store
from api.up import Supervisor
from ingest.demo import Delivery, Size, deliver, plan, truth

ROLES: Final = ("door", "flush", "work", "serve")
STOPPED: Final = "it was stopped"
_PATIENCE: Final = 120.0  # seconds for one step
_ANSWER: Final = 600.0  # seconds: the server itself ends a question that takes too long


class DemoFailed(Exception):
    """The demo could not come to its end; the message says why."""


@dataclass(frozen=True)
class Stand:
    """Where the demo's server stands, and who may ask it."""

    settings: Settings
    address: str
    keys: Mapping[str, str]
    stopped: threading.Event = field(default_factory=threading.Event)

    def ask(self, path: str, parameters: Mapping[str, str]) -> Any:
        headers = {"Authorization": f"Bearer {self.keys['read']}"}
        answer = httpx.get(self.address + path, params=dict(parameters), headers=headers, timeout=_ANSWER, trust_env=False)
        if answer.status_code != 200:
            raise DemoFailed(f"GET {path} answered {answer.status_code}: {answer.text[:500]}")
        return answer.json()


@dataclass(frozen=True)
class Demo:
    """What to show, and where: ``wants_exit`` ends the server when the answers are printed."""

    settings: Settings
    size: Size
    end: datetime  # the midnight at which the company's history ends
    wants_exit: bool
    page: Page


def run(demo: Demo) -> bool:
    """Shows the demo and serves it until a signal; True if every planted number came out.

    Raises ``DemoFailed``, or ``CannotStart`` where the server does not start.
    """
    logs.configure(demo.settings, "up")
    listeners = _listeners(demo.settings)
    host, port = listeners[0].getsockname()[:2]
    stand = Stand(demo.settings, f"http://{host}:{port}", make_keys(demo.settings))
    return asyncio.run(_serve_and_show(demo, stand, listeners))


async def _serve_and_show(demo: Demo, stand: Stand, listeners: list[socket.socket]) -> bool:
    supervisor = Supervisor(demo.settings, ROLES, listeners)
    server = asyncio.create_task(supervisor.run(f"Serving at {stand.address}"))
    showing = asyncio.create_task(asyncio.to_thread(_show, demo, stand, supervisor))
    await asyncio.wait({server, showing}, return_when=asyncio.FIRST_COMPLETED)
    drains = server.done() or supervisor.is_stopping  # a second signal would kill it
    if showing.done() and not drains and (demo.wants_exit or showing.exception()):
        os.kill(os.getpid(), signal.SIGTERM)  # the server's own way to drain
    try:
        await server
    finally:
        stand.stopped.set()
        await asyncio.wait({showing})
    return showing.result()


def _show(demo: Demo, stand: Stand, supervisor: Supervisor) -> bool:
    try:
        return _show_all(demo, stand)
    except (NotTaken, httpx.TransportError) as fault:
        raise DemoFailed(STOPPED if supervisor.is_stopping else f"the server does not answer: {fault}") from None


def _show_all(demo: Demo, stand: Stand) -> bool:
    page = demo.page
    with page.step("Making up a company"):
        company = plan(demo.size, demo.end)
        delivery = deliver(company)
        planted = truth(company)
    with page.step("Waiting for the server"):
        _until(stand, lambda: _is_ready(stand.address))
    _send(stand, delivery, page)
    _wait_for_the_lake(stand, delivery, page)
    with page.step("Building people, accounts and stages"):
        _build(stand)
    with page.step("Asking the query API"):
        found = sections(stand.ask, company, planted, delivery)
    right = all(section.is_right for section in found)
    page.show(found)
    page.close(stand.address, dict(stand.keys), right)
    if not demo.wants_exit:
        page.console.print("Serving until Ctrl-C.")
    return right


def _send(stand: Stand, delivery: Delivery, page: Page) -> None:
    acknowledged = 0
    with page.step("Sending its history, call by call", delivery.calls) as advance:

        def sent(calls: int) -> None:
            nonlocal acknowledged
            acknowledged += calls
            advance(acknowledged)

        send(stand.address, stand.keys["write"], delivery.batches, sent)


def _wait_for_the_lake(stand: Stand, delivery: Delivery, page: Page) -> None:
    with page.step("From the log into the lake", delivery.calls) as advance:

        def all_there() -> bool:
            ended = sum(stand.ask("/api/status", {})["outcomes"].values())
            advance(ended)
            return bool(ended >= delivery.calls)

        _until(stand, all_there)


def _until(stand: Stand, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if stand.stopped.wait(0.1):
            raise DemoFailed(STOPPED)
        if time.monotonic() > deadline:
            raise DemoFailed(f"the server did not come to it within {_PATIENCE:.0f} s; its messages stand above")


def _is_ready(address: str) -> bool:
    """The door stores, and the query API behind it answers."""
    try:
        return all(httpx.get(address + path, timeout=5, trust_env=False).is_success for path in ("/ready", "/api/ready"))
    except httpx.TransportError:
        return False


def _build(stand: Stand) -> None:
    from api.building import builder
    from ingest.lake import Lake
    from transforms.errors import Busy
    from transforms.schedule import Job
    from transforms.schedule import run as run_job

    settings = stand.settings
    job = Job("build", "off", builder(settings, Lake(settings.lake_root)))
    while not stand.stopped.wait(0.2):
        try:
            ended = run_job(settings.folder.work, job, settings.project, now)
        except Busy:
            continue  # the scheduler's own build, of what had come by then
        if ended.error is not None:
            raise DemoFailed(f"the build failed: {ended.error}")
        return
    raise DemoFailed(STOPPED)


def make_keys(settings: Settings) -> dict[str, str]:
    """A key of each kind; made before the server starts, so that its collectors know them at once."""
    with open_store(settings.store_address, settings.folder, now()) as store:
        if settings.project not in {project.name for project in store.projects()}:
            store.create_project(Project(settings.project), now())
        return {kind: store.create_key(settings.project, kind, "demo", now()) for kind in KINDS}


def _listeners(settings: Settings) -> list[socket.socket]:
    """At the wanted port; at a free one, where that is taken."""
    try:
        return listen(settings.host, settings.port, settings.workers)
    except CannotStart:
        return listen(settings.host, 0, settings.workers)
