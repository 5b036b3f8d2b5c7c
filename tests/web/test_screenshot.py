"""The README's pictures, made from the make-believe company: only when asked for, so that tests leave the tree as it was."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import api.web
from tests.web.browser import Browser, Page
from tests.web.conftest import PICTURE, Server

TARGET = Path(api.web.__file__).with_name("screenshot.png")
BUILDER = TARGET.with_name("funnels.png")
MOST = 300_000  # bytes
ASK: dict[str, Any] = {
    "steps": [{"event": "Signed Up"}, {"event": "Project Created", "within": "7d"}, {"event": "Invite Sent"}],
    "timezone": "UTC",
    "window": "14d",
    "trend": "week",
    "breakdown": {"by": ["properties.method"]},
}
DRAWN = "!!document.querySelector('.funnel.built') && !document.querySelector('.builder [aria-busy]')"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_overview_makes_a_picture(chromium: Browser, server: Server, tmp_path: Path, scheme: str) -> None:
    page = chromium.page(server.base, (1280, 978), scheme, scale=1.5)
    page.open(f"#key={server.keys['default']}")
    page.wait_for("From sign-up to paid")
    page.settle()
    keep(page, TARGET if PICTURE and scheme == "light" else tmp_path / "overview.png")
    page.close()


def test_the_funnel_builder_makes_a_picture(chromium: Browser, server: Server, tmp_path: Path) -> None:
    page = chromium.page(server.base, (1280, 1190), scale=1.25)
    page.open(f"#key={server.keys['default']}")
    page.wait_for("From sign-up to paid")
    page.open(f"#/funnels?{urlencode({'ask': json.dumps(ASK), 'last': '90d'})}")
    page.wait(DRAWN)
    page.settle()
    keep(page, BUILDER if PICTURE else tmp_path / "funnels.png")
    page.close()


def keep(page: Page, path: Path) -> None:
    page.screenshot(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < MOST
