"""Runs the real SDKs: their scripts in Python and Node, their pages in Chromium; each prints what it made as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

SDKS = Path(__file__).with_name("sdks")
NODE = shutil.which("node")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_node = pytest.mark.skipif(
    NODE is None or not (SDKS / "node_modules").is_dir(), reason="needs node, and npm ci --prefix tests/e2e/sdks"
)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


def python(script: str, *arguments: str) -> Any:
    return _printed(sys.executable, str(SDKS / script), *arguments)


def node(script: str, *arguments: str) -> Any:
    return _printed(str(NODE), str(SDKS / script), *arguments)


def browser(page: str, profile: Path, **query: str) -> Any:
    """What ``page`` promises as ``window.sent``; it is served from an origin of its own, so that all its calls cross."""
    with _pages() as origin:
        url = f"{origin}/{page}?{urlencode(query)}"
        return node("browse.mjs", str(CHROMIUM), str(profile), url)


def _printed(*command: str) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class _Files(SimpleHTTPRequestHandler):
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
