"""Data shows whether the numbers can be trusted: the checks, the volume, what is new and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.web.browser import Browser, Page
from tests.web.conftest import Server


def test_the_checks_and_shares_are_those_of_the_api(signed_in: Page, server: Server) -> None:
    signed_in.open("#/data")
    signed_in.wait("!!document.querySelector('.checks tbody tr')")
    found: dict[str, Any] = server.get("quality")
    assert found["checks"]["broken"] == 0
    shown = signed_in.texts(".checks tbody th")
    assert [text.split("finds")[0].strip() for text in shown] == [
        item["name"].replace("_", " ") for item in found["checks"]["items"]
    ]
    assert set(signed_in.texts(".checks .chip")) == {"holds"}
    assert "All hold" in signed_in.text(".tiles")
    assert f"{found['duplicates']['events']:,} left out" in signed_in.text(".tiles")


def test_the_volume_is_drawn_and_a_day_unlike_its_weekday_is_named(signed_in: Page, server: Server) -> None:
    signed_in.open("#/data")
    signed_in.wait("!!document.querySelector('.chart svg')")
    volume: dict[str, Any] = server.get("quality")["volume"]  # type: ignore[assignment]
    odd = [one for one in volume["days"] if one["status"] in ("low", "high")]
    assert len(signed_in.texts(".odd li")) == len(odd)
    assert len(volume["days"]) == 28


def test_a_project_without_events_claims_nothing(chromium: Browser, server: Server) -> None:
    page = chromium.page(server.base)
    page.open(f"#key={server.keys['unbuilt']}")
    page.wait_for("Almost there")
    page.open("#/data")
    page.wait_for("No build has run yet.")
    page.close()


def test_an_id_that_too_many_share_is_named_and_its_page_says_that_its_links_do_not_hold(
    chromium: Browser, server: Server
) -> None:
    page = chromium.page(server.base)
    page.open(f"#key={server.keys['shared']}")
    page.wait_for("Overview")
    page.open("#/data")
    page.wait_for("Ids of too many")
    assert "anonymous:0000" in page.text("main") and "1,001" in page.text("main")
    page.open("#/people/user%3A7")
    page.wait_for("not in force: linked to too many ids")
    assert page.faults == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_makes_a_picture(chromium: Browser, server: Server, tmp_path: Path, scheme: str) -> None:
    page = chromium.page(server.base, (1280, 978), scheme)
    page.open(f"#key={server.keys['default']}")
    page.wait_for("From sign-up to paid")
    page.open("#/data")
    page.wait("!!document.querySelector('.chart svg')")
    page.settle()
    page.screenshot(tmp_path / "data.png")
    page.evaluate("document.querySelector('.checks').scrollIntoView()")
    page.screenshot(tmp_path / "checks.png")
    assert page.faults == []
    page.close()
