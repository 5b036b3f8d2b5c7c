"""On a phone nothing is wider than the screen, and everything is reached by keyboard and by name."""

import pytest

from tests.web.browser import PHONE, Browser, Page
from tests.web.conftest import Server

ADDRESSES = (
    "#/overview",
    "#/overview?range=custom&from=2001-01-01&to=2001-02-01",
    "#/funnels",
    "#/ingestion",
    "#/people",
    "#/people/user:u000001",
    "#/data",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_page_scrolls_sideways_on_a_phone(chromium: Browser, server: Server, address: str) -> None:
    page = chromium.page(server.base, PHONE)
    page.open(f"#key={server.keys['default']}")
    page.wait_for("Overview")
    page.open(address)
    page.wait("!!document.querySelector('h1')")
    page.settle()
    assert page.overflow() == 0
    page.close()


def test_the_keyboard_goes_from_the_skip_link_through_the_pages_with_a_visible_ring(signed_in: Page) -> None:
    signed_in.settle()
    signed_in.press("Tab")
    assert signed_in.evaluate("document.activeElement.textContent") == "Skip to content"
    signed_in.press("Enter")
    assert signed_in.evaluate("document.activeElement.id") == "content"
    signed_in.evaluate("document.querySelector('nav a').focus()")
    signed_in.press("Tab")
    assert signed_in.evaluate("document.activeElement.textContent") == "Funnels"
    assert signed_in.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    signed_in.press("Enter")
    signed_in.wait("document.querySelector('h1')?.textContent === 'Funnels'")
    assert signed_in.texts("nav [aria-current=page]") == ["Funnels"]


def test_every_control_and_picture_has_a_name(signed_in: Page) -> None:
    for address in ("#/overview", "#/funnels", "#/ingestion", "#/people", "#/data"):
        signed_in.open(address)
        signed_in.settle()
        assert signed_in.evaluate(NAMELESS) == []


NAMELESS = """
[...document.querySelectorAll("button, a, input, figure, nav, [role=region]")].filter((node) =>
  !(node.textContent.trim() || node.ariaLabel || node.getAttribute("aria-labelledby") || node.labels?.length))
  .map((node) => node.outerHTML)
"""
