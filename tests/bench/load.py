"""The senders: connections that each send the next request when the last is answered, counting answers.

It parses nothing but the status line, so that one core of it outruns any server here; how busy it was is told, since a load
generator that is the bottleneck measures itself.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import uvloop


@dataclass(frozen=True)
class Load:
    requests: int  # answered in ``seconds``
    seconds: float
    busy: float  # share of one core that the senders took
    total: int  # answered in all, warming up included


class WrongAnswer(Exception):
    """The server answered something else than 200: the measurement would be of refusals."""


class _Sender(asyncio.Protocol):
    def __init__(self, request: bytes) -> None:
        self.request = request
        self.answers = 0
        self.wrong: bytes | None = None
        self.running = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 "):
            return  # the body, sent apart from its head
        if not data.startswith(b"HTTP/1.1 200"):
            self.wrong = data
            return
        self.answers += 1
        if self.running:
            self.transport.write(self.request)


def request(path: str, key: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    basic = base64.b64encode(f"{key}:".encode()).decode()
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}\r\n"
        f"Content-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(port: int, text: bytes, seconds: float, connections: int) -> Load:
    return uvloop.run(_load(port, text, seconds, connections))


async def _load(port: int, text: bytes, seconds: float, connections: int) -> Load:
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(lambda: _Sender(text), "127.0.0.1", port) for _ in range(connections)]
    senders = [sender for _, sender in pairs]
    await asyncio.sleep(min(0.3, seconds / 5))  # until every connection is warm
    before, cpu, began = sum(s.answers for s in senders), time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - began
    answered, busy = sum(s.answers for s in senders) - before, (time.process_time() - cpu) / passed
    for sender in senders:
        sender.running = False
        sender.transport.close()
    if wrong := next((s.wrong for s in senders if s.wrong), None):
        raise WrongAnswer(wrong[:200].decode("utf-8", "replace"))
    return Load(answered, passed, busy, sum(s.answers for s in senders))
