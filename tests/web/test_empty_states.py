"""Where there is nothing to show, the page says what to do next."""

from collections.abc import Iterator

import pytest

from tests.web.browser import PHONE, Browser, Page
from tests.web.conftest import Server


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    page = chromium.page(server.base, PHONE)
    yield page
    page.close()


def test_a_project_without_a_build_says_how_to_build(page: Page, server: Server) -> None:
    page.open(f"#key={server.keys['unbuilt']}")
    page.wait_for("Events are here, the funnel is not built yet")
    assert "jcurve build --data DIR" in page.text(".code pre")
    page.open("#/people")
    page.wait_for("Events are here, the funnel is not built yet")


def test_a_project_without_events_shows_how_to_send_one_and_goes_on_when_it_comes(page: Page, server: Server) -> None:
    page.open(f"#key={server.keys['quiet']}")
    page.wait_for("Send your first event")
    assert server.base in page.text(".snippet pre")
    assert page.overflow() == 0
    server.send("quiet", b'{"batch": [{"type": "track", "userId": "first", "event": "Hello"}]}')
    page.wait_for("Last events")
    page.wait_for("Hello")


def test_a_server_that_went_away_is_told_in_words(page: Page, server: Server) -> None:
    page.open(f"#key={server.keys['default']}")
    page.wait_for("Overview")
    page.settle()
    page.evaluate("window.fetch = () => Promise.reject(new TypeError('gone'))")
    page.open("#/ingestion")
    page.wait_for("The server does not answer. Is jcurve still running?")
