"""The supervisor: one child process per role, so that a greedy query cannot take the collector down.

- It opens the port itself (``ports``) and hands it to the doors, as many as ``workers`` says, each with a log of its own. A
  door that crashed loses no connection: those dealt to it wait until it is back, the other doors go on.
- A child that ends is started again, after a pause that doubles up to half a minute.
- SIGTERM or SIGINT drains: the door first (nothing new comes in), the flush (what came in reaches the lake), then the rest.
  A flush that crashed before that, or while it drains, is started once more for it. A second signal kills. If the
  supervisor itself is killed, each child sees its input end and drains alone.
- The locks of the data folder are held by the children, too: who comes next waits until they have ended.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

from api import locks, logs, watching
from api.folder import Unusable
from api.ports import CannotStart, listen
from api.settings import Settings

DRAIN_ORDER: Final = (("door",), ("flush",), ("work", "serve"))
LOCKS: Final = {"door": "collect", "flush": "collect", "work": "work", "serve": "serve"}
_GRACE: Final = 60.0  # seconds for one step of the drain
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 30.0
_LONGEST_AT_THE_DOOR: Final = 2.0  # senders wait for it
_STEADY: Final = 60.0  # a child that ran so long did not crash at its start
_CRASHES: Final = 3  # before everything was ready once


logger = logging.getLogger(__name__)


class Supervisor:
    """Children of these roles over one data folder. Of ``listeners`` each door gets one; without doors ``serve`` does."""

    def __init__(self, settings: Settings, roles: Sequence[str], listeners: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._roles = [f"door-{n}" for n in range(settings.workers) if "door" in roles]
        self._roles += [role for role in roles if role != "door"]
        self._listeners = listeners
        self._locks = [locks.claim(settings.folder.run / f"{name}.lock") for name in sorted({LOCKS[role] for role in roles})]
        watching.forget_dead(settings.folder)
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._ready = self._killed = False
        self._failed: str | None = None

    async def run(self, ready_line: str) -> None:
        """Serve until a signal; prints ``ready_line`` once everything answers. Raises ``CannotStart``."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop)
        await self._prepare()
        keepers = {role: asyncio.create_task(self._keep(role)) for role in self._roles}
        announcing = asyncio.create_task(self._announce(ready_line))
        await self._stopping.wait()
        announcing.cancel()
        for listener in self._listeners:
            listener.close()
        for group in DRAIN_ORDER:
            chosen = [role for role in self._roles if role.split("-")[0] in group]
            await asyncio.gather(*(self._drain(role) for role in chosen))
            await asyncio.gather(*(keepers[role] for role in chosen))
            if "flush" in chosen:
                await self._flush_once_more()
        if self._failed:
            raise CannotStart(self._failed)

    @property
    def is_stopping(self) -> bool:
        """Was it told to stop? Its door is closed then, but it may drain for minutes. (Any thread may ask.)"""
        return self._stopping.is_set()

    def _stop(self) -> None:
        if self._stopping.is_set():
            self._killed = True
            for child in self._children.values():
                _signal(child, signal.SIGKILL)
        self._stopping.set()

    async def _prepare(self) -> None:
        child = await self._spawn("prepare", stderr=asyncio.subprocess.PIPE)
        self._children["prepare"] = child
        assert child.stderr is not None
        told = (await child.stderr.read()).decode("utf-8", "replace").strip()
        status = await child.wait()
        del self._children["prepare"]
        if status:
            raise CannotStart(told or f"preparing ended with status {status}")
        if told:
            print(told, file=sys.stderr)

    async def _keep(self, role: str) -> None:
        pause, crashes = _FIRST_PAUSE, 0
        while not self._stopping.is_set():
            started = time.monotonic()
            child = self._children[role] = await self._spawn(role)
            if self._stopping.is_set():
                _signal(child, signal.SIGTERM)  # its turn to drain may have passed while it was started
            status = await child.wait()
            if self._stopping.is_set():
                break
            steady = time.monotonic() - started > _STEADY
            pause, crashes = (_FIRST_PAUSE, 1) if steady else (pause, crashes + 1)
            if crashes >= _CRASHES and not self._ready:
                self._failed = f"{role} ended with status {status} {crashes} times while starting; its messages stand above"
                self._stopping.set()
                break
            logger.warning("%s ended with status %s; starting it again in %.1f s", role, status, pause)
            await _within(self._stopping.wait(), pause)
            pause = min(pause * 2, _LONGEST_AT_THE_DOOR if role.startswith("door") else _LONGEST_PAUSE)

    async def _spawn(self, role: str, stderr: int | None = None) -> asyncio.subprocess.Process:
        listener = self._port_of(role)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "api.roles", role.split("-")[0]),
            stdin=asyncio.subprocess.PIPE,
            stdout=sys.stderr.fileno(),
            stderr=stderr,
            pass_fds=[*self._locks, *([] if listener is None else [listener])],
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which drains in order
        )
        assert child.stdin is not None
        given = {"settings": self._settings.encoded(), "listener": listener, "serve": "serve" in self._roles}
        if self._settings.workers > 1 and role.startswith("door"):
            given["worker"] = int(role.partition("-")[2])
        child.stdin.write(json.dumps(given).encode() + b"\n")
        return child

    def _port_of(self, role: str) -> int | None:
        """The descriptor of the socket that it listens on; the others know none."""
        if not self._listeners or not (role.startswith("door") or (role == "serve" and "door-0" not in self._roles)):
            return None
        number = int(role.partition("-")[2] or 0)
        return self._listeners[number].fileno()

    async def _drain(self, role: str) -> None:
        child = self._children.get(role)
        if child is None:
            return
        _signal(child, signal.SIGTERM)
        await self._ended(role, child)

    async def _flush_once_more(self) -> None:
        """Where the flush did not come to its end by itself: what came in reaches the lake all the same."""
        flush = self._children.get("flush")
        if flush is None or flush.returncode == 0 or self._killed or self._failed:
            return
        self._children["flush"] = again = await self._spawn("flush")
        assert again.stdin is not None
        again.stdin.close()  # at its end a role drains; a signal may come before it listens to any
        await self._ended("flush", again)

    async def _ended(self, role: str, child: asyncio.subprocess.Process) -> None:
        if not await _within(child.wait(), _GRACE):
            logger.error("%s did not end within %.0f s and is killed", role, _GRACE)
            _signal(child, signal.SIGKILL)
            await child.wait()

    async def _announce(self, line: str) -> None:
        if self._listeners:
            host, port = self._listeners[0].getsockname()[:2]
            paths = [path for role, path in (("door-0", "/ready"), ("serve", "/api/ready")) if role in self._roles]
            while not all([await _answers(_reachable(host), port, path) for path in paths]):
                await asyncio.sleep(0.1)
        self._ready = True
        print(line, flush=True)


def _signal(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if child.returncode is None:
        child.send_signal(number)


async def _within(awaitable: object, seconds: float) -> bool:
    try:
        await asyncio.wait_for(awaitable, seconds)  # type: ignore[arg-type]
    except TimeoutError:
        return False
    return True


async def _answers(host: str, port: int, path: str) -> bool:
    """Does ``GET path`` give 200? (A client library would cost the supervisor as much memory as all the rest of it.)"""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await asyncio.wait_for(reader.readline(), 5)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def supervise(settings: Settings, roles: Sequence[str], *, port: bool = True) -> None:
    """Run these roles until a signal; raises ``CannotStart`` or ``locks.InUse``."""
    logs.configure(settings, "up")
    try:
        settings.folder.create()
    except Unusable as fault:
        raise CannotStart(str(fault)) from None
    listeners = listen(settings.host, settings.port, settings.workers if "door" in roles else 1) if port else []
    line = f"jcurve {' and '.join(roles)}: ready"
    if listeners:
        host, number = listeners[0].getsockname()[:2]
        shown = f"[{_reachable(host)}]" if ":" in host else _reachable(host)
        line = f"jcurve is ready at http://{shown}:{number} (data: {settings.data})"

    async def main() -> None:
        await Supervisor(settings, roles, listeners).run(line)

    asyncio.run(main())
