"""Every number on the overview is the API's."""

import json
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, cast

import pytest

from tests.web.browser import Browser, Page
from tests.web.conftest import Server


def ninety_days() -> dict[str, str]:
    """What the page asks for by default: the 90 days up to and with today, in the project's zone (UTC here)."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    return {"from": (tomorrow - timedelta(days=90)).isoformat(), "to": tomorrow.isoformat()}


def funnel(server: Server, unit: str, **more: str) -> dict[str, Any]:
    return server.get("funnels/plg", unit=unit, **{**ninety_days(), **more})


@pytest.mark.parametrize(("unit", "name"), [("person", "people"), ("account", "accounts")])
def test_the_funnel_shows_the_api_s_counts_and_rates(signed_in: Page, server: Server, unit: str, name: str) -> None:
    signed_in.open(f"#/overview?unit={unit}")
    signed_in.wait(f"!!document.querySelector('ol[aria-label=\"Funnel of {name}\"]')")
    signed_in.settle()
    steps = funnel(server, unit)["steps"]
    assert steps[0]["by_path"] > 0
    assert signed_in.texts(".funnel .total") == [f"{step['by_path']:,}" for step in steps]
    assert signed_in.texts(".funnel .rate") == [share(step["from_previous"]) for step in steps[1:]]
    rows = [row.split("|") for row in rows_of(signed_in, "table.steps")]
    assert [row[1:5] for row in rows] == [
        [f"{s['by_path']:,}", f"{s['reached']:,}", share(s["from_start"]), share(s["from_previous"])] for s in steps
    ]
    assert [int(row[8].replace(",", "")) for row in rows] == [step["dropped"] for step in steps]


def test_the_states_add_up_to_those_who_entered(signed_in: Page, server: Server) -> None:
    signed_in.settle()
    answer = funnel(server, "person")
    shown = [int(text.split()[0].replace(",", "")) for text in signed_in.texts(".legend li")]
    assert shown == [answer["converted"], answer["pending"], answer["lost"]]
    assert sum(shown) == answer["entrants"]


def test_each_channel_has_its_row(signed_in: Page, server: Server) -> None:
    signed_in.settle()
    groups = sorted(funnel(server, "person", by="channel")["groups"], key=lambda group: -group["entrants"])
    rows = [row.split("|") for row in rows_of(signed_in, "table.channels")]
    assert sorted((row[0], row[1]) for row in rows) == sorted(
        (g["values"][0] or "(none)", f"{g['entrants']:,}") for g in groups
    )
    assert [row[1] for row in rows] == [f"{group['entrants']:,}" for group in groups]


def test_k_and_the_north_star_stand_as_headlines_and_over_time(signed_in: Page, server: Server) -> None:
    signed_in.settle()
    viral: dict[str, Any] = server.get("metrics/viral-coefficient", **ninety_days(), grain="week", compare="previous")
    star: dict[str, Any] = server.get("metrics/north-star", **ninety_days(), compare="previous")
    values = dict(zip(signed_in.texts(".tile h2"), signed_in.texts(".tile .value"), strict=True))
    assert values["Viral coefficient"].startswith(f"{rounded(viral['value'], 2)}")
    assert values["North star"].startswith(f"{star['value']:,}")
    facts = dict(zip(signed_in.texts(".facts dt"), signed_in.texts(".facts dd"), strict=True))
    assert facts["new accounts"] == f"{rounded(viral['parts']['k_out'], 2)}"
    assert facts["same account"] == f"{rounded(viral['parts']['k_in'], 2)}"
    assert len(signed_in.texts(".chart svg")) == 2


def test_a_choice_of_dates_is_kept_in_the_address(signed_in: Page, server: Server) -> None:
    signed_in.settle()
    signed_in.click("button[data-value=all]")
    signed_in.wait("location.hash.includes('range=all')")
    signed_in.settle()
    everyone: dict[str, Any] = server.get("funnels/plg", unit="person")
    signed_in.wait(
        f"document.querySelector('.funnel .total').textContent === {json.dumps(format(everyone['entrants'], ','))}"
    )


def test_a_range_without_anyone_says_so(signed_in: Page) -> None:
    signed_in.open("#/overview?range=custom&from=2001-01-01&to=2001-02-01")
    signed_in.wait_for("No people entered in this range")
    signed_in.settle()


def test_the_page_fetches_nothing_from_elsewhere_and_logs_no_fault(signed_in: Page, server: Server) -> None:
    for address in ("#/overview", "#/funnels", "#/ingestion", "#/people"):
        signed_in.open(address)
        signed_in.wait("!!document.querySelector('h1')")
        signed_in.settle()
    assert signed_in.faults == []
    assert [url for url in signed_in.requests if not url.startswith(server.base) and not url.startswith("data:")] == []


def test_the_colours_follow_the_system_and_the_button(chromium: Browser, server: Server) -> None:
    page = chromium.page(server.base, scheme="dark")
    page.open(f"#key={server.keys['default']}")
    page.wait_for("Overview")
    page.settle()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("button[aria-label='Light or dark']")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark, light) == ("rgb(12, 16, 15)", "rgb(245, 246, 243)")
    page.close()


def rows_of(page: Page, table: str) -> list[str]:
    script = f"""[...document.querySelectorAll({json.dumps(table + " tbody tr")})]
                 .map((row) => [...row.cells].map((cell) => cell.textContent.trim()).join("|"))"""
    return cast(list[str], page.evaluate(script))


def share(value: float | None) -> str:
    return "–" if value is None else f"{rounded(value, places=3) * 100:.1f}%"


def rounded(value: float, places: int) -> Decimal:
    """As the browser does it: of the number as it is written, 0.0375 and not its nearest double, and a half goes up."""
    return Decimal(str(value)).quantize(Decimal(10) ** -places, ROUND_HALF_UP)


def test_halves_are_rounded_as_by_the_browser(signed_in: Page) -> None:
    """Which of them the company has depends on the day that it is made up to."""
    values = [n / of for n in (1, 3, 7, 33) for of in (8, 40, 80, 160, 2000)]
    for written, here in (("percent", share), ("decimal", lambda value: str(rounded(value, 2)))):
        script = f"import('/assets/js/format.js').then((format) => {json.dumps(values)}.map((one) => format.{written}(one)))"
        assert signed_in.evaluate(script) == [here(value) for value in values]
