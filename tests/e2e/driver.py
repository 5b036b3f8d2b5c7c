"""Runs the real SDKs: their scripts in Python and Node, their pages in Chromium; each tells what it made as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import pytest

from tests.patience import PATIENCE, eventually

SDKS = Path(__file__).with_name("sdks")
NODE = shutil.which("node")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HAS_NODE = NODE is not None and (SDKS / "node_modules").is_dir()
HAS_BROWSER = HAS_NODE and CHROMIUM is not None

needs_node = pytest.mark.skipif(not HAS_NODE, reason="needs node, and npm ci --prefix tests/e2e/sdks")
needs_browser = pytest.mark.skipif(not HAS_BROWSER, reason="needs node and chromium, and npm ci --prefix tests/e2e/sdks")


def python(script: str, *arguments: str) -> Any:
    with closing(started(script, *arguments)) as running:
        return running.told()


def node(script: str, *arguments: str) -> Any:
    with closing(started(script, *arguments)) as running:
        return running.told()


@dataclass(frozen=True)
class Script:
    """A script that runs. Some SDKs log each request: what they say goes to a file, as a pipe that nobody reads fills up."""

    process: subprocess.Popen[str]
    said: IO[str]

    def enough(self) -> None:
        """To one that goes on for ever."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None  # or waiting for its end would close it again

    def told(self) -> Any:
        """What it printed at its end."""
        out, _ = self.process.communicate(timeout=PATIENCE)
        self.said.seek(0)
        assert self.process.returncode == 0, self.said.read()
        return json.loads(out.splitlines()[-1])

    def close(self) -> None:
        """Ends it, if it has not ended."""
        with self.said, self.process:
            self.process.kill()


def started(script: str, *arguments: str) -> Script:
    name, _, language = script.rpartition(".")
    runs = [sys.executable, "-m", f"tests.e2e.sdks.{name}"] if language == "py" else [str(NODE), str(SDKS / script)]
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the script)
    pipe, root = subprocess.PIPE, Path(__file__).parents[2]
    return Script(subprocess.Popen([*runs, *arguments], stdin=pipe, stdout=pipe, stderr=said, text=True, cwd=root), said)


@dataclass(frozen=True)
class Page:
    """A page that stays open."""

    url: str
    number: int
    chromium: Chromium

    def run(self, expression: str) -> Any:
        return self.chromium.ask(self.number, run=expression)

    def enough(self) -> None:
        """To one that goes on for ever."""
        self.run("window.enough = true")

    def told(self) -> Any:
        """What it promised as ``window.sent``."""
        return self.run("window.sent")

    def leave(self) -> None:
        """Goes elsewhere, as who closes the tab does; what it sends then is still on its way."""
        self.chromium.ask(self.number, leave=True)

    def come_back(self) -> None:
        """Opens it again, with the cookies and the storage that it had."""
        self.chromium.ask(self.number, url=self.url)

    def close(self) -> list[str]:
        """The errors and warnings that stood in its console."""
        complaints: list[str] = self.chromium.ask(self.number, close=True)
        return complaints


class Chromium:
    """The real browser, kept open. Its pages come from an origin of their own, so that all their calls cross origins, and
    each has cookies and storage of its own."""

    def __init__(self, origin: str, process: subprocess.Popen[str]) -> None:
        self._origin = origin
        self._process = process
        self._asked: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()

    def open(self, page: str, **query: str) -> Page:
        with self._lock:
            number = len(self._asked)
            self._asked[number] = Future()
        url = f"{self._origin}/{page}?{urlencode(query)}"
        self.ask(number, url=url)
        return Page(url, number, self)

    def visit(self, page: str, arrived: Callable[[Any], bool], **query: str) -> Any:
        """What ``page`` promises as ``window.sent``, once that has ``arrived``: what a page that is closed has not sent is
        lost. Fails where its console holds an error or a warning."""
        opened = self.open(page, **query)
        told = opened.told()
        eventually(lambda: arrived(told), "what the page has made arrives")
        assert opened.close() == []
        return told

    def ask(self, number: int, **what: object) -> Any:
        """One thing at a time of a page."""
        assert self._process.stdin is not None
        with self._lock:
            answer = self._asked[number] = Future()
            self._process.stdin.write(json.dumps({"page": number, **what}) + "\n")
            self._process.stdin.flush()
        told = answer.result(PATIENCE)
        assert "failed" not in told, told
        return told.get("told")

    def hear(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            self._asked[told["page"]].set_result(told)


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    command = [str(NODE), str(SDKS / "browse.mjs"), str(CHROMIUM), str(profile)]
    with _pages() as origin, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        browser = Chromium(origin, process)
        hearing = threading.Thread(target=browser.hear)
        hearing.start()
        try:
            yield browser
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE)
            hearing.join()


class _Files(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/favicon.ico":
            return super().do_GET()
        self.send_response(204)
        return self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class'
        """Not on the tests' output."""


@contextmanager
def _pages() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(SDKS))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
