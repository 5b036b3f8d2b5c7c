"""A read key is asked for once; a wrong one is refused in words."""

from collections.abc import Iterator

import pytest

from tests.web.browser import Browser, Page
from tests.web.conftest import Server


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    page = chromium.page(server.base)
    yield page
    page.close()


def test_without_a_key_the_page_asks_for_one_and_says_how_to_make_it(page: Page) -> None:
    page.open("")
    page.wait_for("Open a project")
    assert "jcurve keys create read --data DIR" in page.text(".gate")
    assert page.evaluate("document.activeElement.id") == "key"


def test_a_key_typed_in_opens_the_dashboard_and_is_kept_over_a_reload(page: Page, server: Server) -> None:
    page.open("")
    page.type("#key", server.keys["default"])
    page.press("Enter")
    page.wait_for("From sign-up to paid")
    page.open("#/people")
    page.reload()
    page.wait_for("Who reached a stage")
    assert page.evaluate("localStorage.getItem('jcurve.readKey')") == server.keys["default"]


def test_a_link_with_a_key_signs_in_and_leaves_no_key_in_the_address_bar(page: Page, server: Server) -> None:
    page.open(f"#key={server.keys['default']}")
    page.wait_for("From sign-up to paid")
    assert page.evaluate("location.href") == f"{server.base}/"
    assert page.evaluate("history.length") == 2  # the blank page and this one


def test_an_unknown_key_is_refused_in_words(page: Page) -> None:
    page.open("")
    page.type("#key", "jr_nothing_of_ours")
    page.press("Enter")
    page.wait_for("This key is not known here")
    assert page.evaluate("localStorage.getItem('jcurve.readKey')") is None


def test_a_write_key_is_told_apart_from_an_unknown_one(page: Page, server: Server) -> None:
    page.open("")
    page.type("#key", server.write_keys["default"])
    page.press("Enter")
    page.wait_for("That is a write key: it may only send events.")


def test_leaving_forgets_the_key(signed_in: Page) -> None:
    signed_in.click("button[aria-label^=Leave]")
    signed_in.wait_for("Open a project")
    assert signed_in.evaluate("localStorage.getItem('jcurve.readKey')") is None
