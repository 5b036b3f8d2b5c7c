"""Requests at a given rate, whether or not the earlier ones are answered, and how long each took until its answer.

A request that finds every connection busy waits, and its wait counts: a sender that sent only when it was answered would
leave the slow moments out.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final, cast

import uvloop

from tests.bench.load import WrongAnswer

_TICK: Final = 0.001  # seconds


class _Pacer:
    def __init__(self, text: bytes) -> None:
        self.text = text
        self.idle: list[_Connection] = []
        self.waiting: deque[float] = deque()
        self.seconds: list[float] = []
        self.wrong: bytes | None = None

    def release(self, number: int) -> None:
        now = time.perf_counter()
        for _ in range(number):
            if self.idle:
                self.idle.pop().send(now)
            else:
                self.waiting.append(now)

    def answered(self, connection: _Connection, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200"):
            self.wrong = data
        self.seconds.append(time.perf_counter() - connection.since)
        if self.waiting:
            connection.send(self.waiting.popleft())
        else:
            self.idle.append(connection)


class _Connection(asyncio.Protocol):
    def __init__(self, pacer: _Pacer) -> None:
        self._pacer = pacer
        self.since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._pacer.idle.append(self)

    def send(self, since: float) -> None:
        self.since = since
        self.transport.write(self._pacer.text)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 "):  # else the body, sent apart from its head
            self._pacer.answered(self, data)


def paced(port: int, text: bytes, rate: float, seconds: float, connections: int) -> list[float]:
    """The seconds that each request took, in rising order."""
    return uvloop.run(_paced(port, text, rate, seconds, connections))


async def _paced(port: int, text: bytes, rate: float, seconds: float, connections: int) -> list[float]:
    loop, pacer = asyncio.get_running_loop(), _Pacer(text)
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(pacer), "127.0.0.1", port)
    everyone, began, sent = list(pacer.idle), time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        due = int(passed * rate) - sent
        pacer.release(due)
        sent += due
        await asyncio.sleep(_TICK)
    while len(pacer.seconds) < sent and pacer.wrong is None:
        await asyncio.sleep(_TICK)
    for connection in everyone:
        connection.transport.close()
    if pacer.wrong is not None:
        raise WrongAnswer(pacer.wrong[:200].decode("utf-8", "replace"))
    return sorted(pacer.seconds)
