"""The README's picture, made from the make-believe company: only when asked for, so that tests leave the tree as it was."""

from pathlib import Path

import pytest

import api.web
from tests.web.browser import Browser
from tests.web.conftest import PICTURE, Server

TARGET = Path(api.web.__file__).with_name("screenshot.png")
MOST = 300_000  # bytes


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_overview_makes_a_picture(chromium: Browser, server: Server, tmp_path: Path, scheme: str) -> None:
    page = chromium.page(server.base, (1280, 978), scheme, scale=1.5)
    page.open(f"#key={server.keys['default']}")
    page.wait_for("From sign-up to paid")
    page.settle()
    path = TARGET if PICTURE and scheme == "light" else tmp_path / "overview.png"
    page.screenshot(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < MOST
    page.close()
