"""A proxy before the collector that remembers what was acknowledged: the ids of every body that was answered with 200."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.patience import PATIENCE


class RecordingProxy:
    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.acknowledged: set[str] = set()
        self.refusals = 0
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, proxy: RecordingProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: self.headers[name] for name in ("Content-Type", "Authorization", "User-Agent")}
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.proxy.upstream, timeout=PATIENCE)
        try:
            upstream.request("POST", self.path, body, headers)
            answer = upstream.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            status, text = 502, b"the collector is gone"
        finally:
            upstream.close()
        if status == 200:  # before the SDK hears of it, so that whatever it believes stored is in the set
            self.server.proxy.acknowledged.update(call["messageId"] for call in json.loads(body)["batch"])
        else:
            self.server.proxy.refusals += 1
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class'
        """Not on the tests' output."""
