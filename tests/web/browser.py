"""Real Chromium for tests: a Node process beside the test, spoken to line by line (`driver.mjs`)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from tests.patience import PATIENCE

DRIVER = Path(__file__).with_name("driver.mjs")
MODULES = Path(__file__).parents[1] / "e2e" / "sdks"
PHONE = (375, 812)
DESK = (1360, 900)


class BrowserError(AssertionError):
    """What the browser refused or waited for in vain."""


def missing() -> str | None:
    """Why there is no browser here, in words for a skipped test."""
    if shutil.which("node") is None:
        return "Node is missing"
    if chromium() is None:
        return "Chromium is missing"
    if not (MODULES / "node_modules" / "puppeteer-core").is_dir():
        return "puppeteer-core is missing: run 'make sdks'"
    return None


def chromium() -> str | None:
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


class Browser:
    """One Chromium; each page has a context of its own, so it shares no key with another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, command: dict[str, object]) -> object:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise BrowserError(f"the browser's driver ended at {command}")
        answer = json.loads(line)
        if "error" in answer:
            raise BrowserError(answer["error"])
        return cast(object, answer["value"])

    def page(self, base: str, size: tuple[int, int] = DESK, scheme: str = "light", scale: float = 1) -> Page:
        name = self.ask({"do": "open", "width": size[0], "height": size[1], "scheme": scheme, "scale": scale})
        return Page(self, str(name), base)


class Page:
    """A page of the dashboard at `base`; addresses are what follows its `/`."""

    def __init__(self, browser: Browser, name: str, base: str) -> None:
        self.browser, self.name, self.base = browser, name, base

    def ask(self, command: str, **more: object) -> object:
        return self.browser.ask({"do": command, "page": self.name, **more})

    def open(self, address: str) -> None:
        self.ask("goto", url=f"{self.base}/{address}")

    def reload(self) -> None:
        self.ask("reload")

    def evaluate(self, script: str) -> object:
        return self.ask("evaluate", script=script)

    def wait(self, script: str) -> None:
        self.ask("wait", script=script)

    def wait_for(self, text: str) -> None:
        self.wait(f"document.body.innerText.includes({json.dumps(text)})")

    def settle(self) -> None:
        """Wait until nothing is loading and the charts are drawn."""
        self.wait("!document.querySelector('.waiting, [aria-busy]') && !!document.querySelector('h1')")
        self.wait("[...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('svg'))")

    def click(self, selector: str) -> None:
        self.ask("click", selector=selector)

    def type(self, selector: str, text: str) -> None:
        self.ask("type", selector=selector, text=text)

    def press(self, key: str) -> None:
        self.ask("press", key=key)

    def texts(self, selector: str) -> list[str]:
        found = self.evaluate(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((node) => node.textContent.trim())"
        )
        return cast(list[str], found)

    def text(self, selector: str) -> str:
        (found,) = self.texts(selector)
        return found

    @property
    def faults(self) -> list[str]:
        """Errors and warnings in the console since the page was opened."""
        return cast(dict[str, list[str]], self.ask("told"))["faults"]

    @property
    def requests(self) -> list[str]:
        return cast(dict[str, list[str]], self.ask("told"))["requests"]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        script = "Math.max(0, document.documentElement.scrollWidth - innerWidth)"
        return cast(int, self.evaluate(script))

    def screenshot(self, path: Path) -> None:
        self.ask("screenshot", path=str(path))

    def close(self) -> None:
        self.ask("close")


@contextmanager
def browser() -> Iterator[Browser]:
    command = ["node", str(DRIVER), str(MODULES), str(chromium())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Browser(process)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
