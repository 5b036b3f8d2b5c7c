"""A proxy between a real SDK and the collector: remembers every request with its answer, and fails some on purpose."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self
from urllib.parse import urlsplit

from ingest.answers import unavailable
from ingest.cors import allowed
from ingest.errors import LogFull
from tests.e2e import wire
from tests.patience import PATIENCE

Fault = Literal["none", "full", "lost"]  # full: the collector's 503; lost: it stored the events, and its answer never came
_HOP: frozenset[str] = frozenset(("connection", "transfer-encoding", "keep-alive", "date", "server"))


@dataclass(frozen=True)
class Exchange:
    method: str
    path: str
    status: int  # 0: the connection was cut
    body: bytes  # inflated
    headers: Mapping[str, str] = field(default_factory=dict)
    packed: bool = False  # with gzip

    @cached_property
    def ticks(self) -> tuple[tuple[int, str], ...]:
        """Number and id of each numbered event in it."""
        return wire.ticks(self.method, self.path, self.body)

    def values(self, name: str) -> list[str]:
        """All values of a field, at any depth of a JSON body: the ids of its events."""
        return list(_values(json.loads(self.body), name)) if self.body[:1] in (b"{", b"[") else []


@dataclass
class Proxy:
    upstream: str | None  # None: the collector is gone, and what may listen at its port is another's
    faults: list[Fault] = field(default_factory=list)  # of the next requests with events
    seen: list[Exchange] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def posts(self) -> list[Exchange]:
        return [exchange for exchange in self.seen if exchange.method == "POST"]

    def attempts(self, name: str) -> dict[str, list[int]]:
        """The answers that each event got, by its id, which stands in the field ``name``."""
        answers: dict[str, list[int]] = {}
        for exchange in self.posts():
            for event_id in exchange.values(name):
                answers.setdefault(event_id, []).append(exchange.status)
        return answers

    def ticks(self) -> dict[int, list[int]]:
        """The same of numbered events, by their numbers."""
        answers: dict[int, list[int]] = {}
        for exchange in list(self.seen):
            for number, _ in exchange.ticks:
                answers.setdefault(number, []).append(exchange.status)
        return answers

    def ids(self) -> dict[int, str]:
        """The numbered events' ids; fails where one came again under another."""
        found = {tick for exchange in self.seen for tick in exchange.ticks}
        assert len({number for number, _ in found}) == len(found)
        return dict(sorted(found))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # instead of 5 that wait on a busy machine; who comes then tries again later
    proxy: Proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _pass(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault: Fault = proxy.faults.pop(0) if proxy.faults and _carries_events(self.command, self.path) else "none"
        status, headers, text = self._full() if fault == "full" else self._forward(body)
        plain = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        proxy.seen.append(
            Exchange(self.command, self.path, 0 if fault == "lost" else status, plain, dict(self.headers), plain is not body)
        )
        self.close_connection = True  # a browser would itself send again what a connection that it has used loses
        if fault == "lost":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_OPTIONS = do_HEAD = _pass  # noqa: N815 - the base class looks for these names

    def _forward(self, body: bytes) -> tuple[int, Iterable[tuple[str, str]], bytes]:
        if self.server.proxy.upstream is None:
            return self._gone()
        upstream = http.client.HTTPConnection(urlsplit(self.server.proxy.upstream).netloc, timeout=PATIENCE)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        try:
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            text = answer.read()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in {*_HOP, "content-length"}]
            return answer.status, kept, text
        except (OSError, http.client.HTTPException):
            return self._gone()
        finally:
            upstream.close()

    def _gone(self) -> tuple[int, Iterable[tuple[str, str]], bytes]:
        return 502, self._cors(), b"the collector is gone"

    def _full(self) -> tuple[int, Iterable[tuple[str, str]], bytes]:
        answer = unavailable(LogFull("The disk is full", retry_after=1))
        headers = [(name.decode(), value.decode()) for name, value in answer.headers if name != b"content-length"]
        return answer.status, [*headers, *self._cors()], answer.body

    def _cors(self) -> list[tuple[str, str]]:
        origin = self.headers.get("Origin")
        return [(name.decode(), value.decode()) for name, value in allowed(origin.encode() if origin else None)]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class'
        """Not on the tests' output."""


def _carries_events(method: str, path: str) -> bool:
    if method == "POST":
        return not path.startswith(("/flags", "/decide"))
    return method == "GET" and ("data=" in path or "eid=" in path)


def _values(value: object, name: str) -> Iterable[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, str):
                yield inner
            else:
                yield from _values(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, name)
