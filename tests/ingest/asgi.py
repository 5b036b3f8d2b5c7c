"""A collector without a socket: one write key, one read key, and a log in memory."""

import asyncio
import base64
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ingest.http import ASGIApp, Collector, CollectorSettings
from ingest.keys import Key
from ingest.record import Record

KEYS = {
    "jw_web": Key("default", "web", "write"),
    "jw_off": Key("default", "old", "write", on=False),
    "jr_read": Key("default", "reader", "read"),
}
RECEIVED = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z

Message = MutableMapping[str, Any]


@dataclass
class MemoryLog:
    records: list[Record] = field(default_factory=list)
    fault: Exception | None = None

    async def append(self, project: str, source: str, path: str, ip: str, user_agent: str, body: bytes) -> None:
        if self.fault:
            raise self.fault
        self.records.append(Record(RECEIVED, project, source, path, ip, user_agent, body))

    def healthy(self) -> str | None:
        return None if self.fault is None else str(self.fault)


@dataclass
class KnownKeys:
    fault: str | None = None
    doubted: str | None = None
    more: dict[str, Key] = field(default_factory=dict)

    def __call__(self, key: str) -> Key | None:
        return KEYS.get(key) or self.more.get(key)

    def doubt(self, key: str) -> str | None:
        return self.doubted

    def healthy(self) -> str | None:
        return self.fault


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Door:
    def __init__(self, fallback: ASGIApp | None = None, **settings: Any) -> None:
        self.log = MemoryLog()
        self.keys = KnownKeys()
        self.app = Collector(self.log, self.keys, CollectorSettings(**settings), fallback)

    def post(self, path: str, body: object, key: str | None = "jw_web", **headers: str) -> Reply:
        """``body`` as it is, or as JSON; the key as the user of Basic."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            given["authorization"] = basic(key + ":")
        return self.send("POST", path, body if isinstance(body, bytes) else msgspec.json.encode(body), given)

    async def asked(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status, within a loop that runs already."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope_of(method, path, headers, ""), receive, send)
        return int(sent[0]["status"])

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        query: str = "",
        parts: int = 1,
    ) -> Reply:
        size = -(-len(body) // parts) or 1
        chunks = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in chunks]
        messages[-1]["more_body"] = False
        start, *rest = exchange(self.app, scope_of(method, path, headers or {}, query), messages)
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        return Reply(start["status"], named, b"".join(message["body"] for message in rest))


def scope_of(method: str, path: str, headers: Mapping[str, str], query: str) -> Message:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "scheme": "http",
        "client": ("192.0.2.7", 4711),
        "headers": [(k.lower().encode(), v.encode()) for k, v in {"host": "here:8123", **headers}.items()],
    }


def exchange(app: ASGIApp, scope: Message, messages: list[Message]) -> list[Message]:
    """What the application sends, given what it receives; after that the sender has hung up."""
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    return sent


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()
