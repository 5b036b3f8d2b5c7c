"""Ingestion shows what an engineer needs while wiring an SDK, as it happens."""

import json
from typing import Any

from tests.web.browser import Browser, Page
from tests.web.conftest import Server


def test_outcomes_and_totals_are_those_of_the_status(signed_in: Page, server: Server) -> None:
    signed_in.open("#/ingestion")
    signed_in.wait("!!document.querySelector('.outcomes')")
    status: dict[str, Any] = server.get("status")
    shown = dict(zip(signed_in.texts(".outcomes tbody th"), signed_in.texts(".outcomes td:nth-child(2)"), strict=True))
    told = {name.replace("_", " ").replace(":", ": "): f"{count:,}" for name, count in status["outcomes"].items()}
    assert shown == told
    tiles = dict(zip(signed_in.texts(".tile h2"), signed_in.texts(".tile p:last-of-type"), strict=False))
    assert f"{status['received']['total']:,} in all" in signed_in.text(".tiles")
    assert {"Received, last hour", "Answer to lake", "Complete until", "Disk"} <= set(tiles)


def test_an_event_shows_up_by_itself_and_its_name_stays_text(signed_in: Page, server: Server) -> None:
    signed_in.open("#/ingestion")
    signed_in.wait("!!document.querySelector('.events tbody tr')")
    name = "<img src=x onerror=document.title='taken'> arrived"
    server.send("default", json.dumps({"batch": [{"type": "track", "userId": "live-1", "event": name}]}).encode())
    signed_in.wait_for(name)
    signed_in.wait("document.querySelector('.events tbody a').getAttribute('href') === '#/people/user%3Alive-1'")
    assert signed_in.evaluate("document.title") == "Ingestion · jcurve"
    assert signed_in.evaluate("document.querySelectorAll('#page .events img').length") == 0


def test_a_pause_keeps_the_list_still(signed_in: Page, server: Server) -> None:
    signed_in.open("#/ingestion")
    signed_in.wait("!!document.querySelector('.events tbody tr')")
    signed_in.click("button[aria-pressed=false]:not([data-value])")
    before = signed_in.texts(".events tbody tr")
    server.send("default", b'{"batch": [{"type": "track", "userId": "live-2", "event": "While paused"}]}')
    server.wait_for_outcomes("default", server.outcomes("default") + 0)
    signed_in.evaluate("new Promise((resolve) => setTimeout(resolve, 2500))")
    assert signed_in.texts(".events tbody tr") == before
    signed_in.click("button[aria-pressed=true]:not([data-value])")
    signed_in.wait_for("While paused")


ROWS = "[...document.querySelectorAll('.events tbody tr')].map((row) => row.innerText)"


def test_the_live_list_is_filtered_by_event_who_source_and_outcome(signed_in: Page, server: Server) -> None:
    faulty = {"type": "track", "event": "Filtered", "properties": {"mail": "live-4"}}
    sent = [{"type": "track", "userId": f"live-{n}", "event": name} for n, name in ((3, "Filtered"), (4, "Not this"))]
    signed_in.open("#/ingestion")
    server.send("default", json.dumps({"batch": [*sent, faulty]}).encode())
    signed_in.wait(f"{ROWS}.some((row) => row.includes('Not this'))")
    signed_in.type(".live-filters [name=event]", "filtered")
    signed_in.wait(f"{ROWS}.length === 2 && !{ROWS}.some((row) => row.includes('Not this'))")
    signed_in.type(".live-filters [name=outcome]", "rejected")
    signed_in.wait(f"{ROWS}.length === 1 && {ROWS}[0].includes('missing identity')")
    signed_in.type(".live-filters [name=outcome]", "accepted")
    signed_in.wait(f"{ROWS}.length === 1 && {ROWS}[0].includes('live-3')")
    signed_in.type(".live-filters [name=event]", "")
    signed_in.type(".live-filters [name=user]", "LIVE-4")
    signed_in.wait(f"{ROWS}.length === 1 && {ROWS}[0].includes('Not this')")
    signed_in.type(".live-filters [name=source]", "default")
    signed_in.type(".live-filters [name=user]", "nobody at all")
    signed_in.wait_for("None of the last 10,000 events matches.")
    signed_in.type(".live-filters [name=user]", "")
    signed_in.wait(f"{ROWS}.length > 10")
    assert signed_in.faults == []


def test_a_rejected_event_shows_its_reason_and_its_raw_text(signed_in: Page, server: Server) -> None:
    signed_in.open("#/ingestion")
    server.send("default", b'{"batch": [{"type": "track", "event": "Nobody did this"}]}')
    signed_in.wait_for("missing identity")
    signed_in.wait("document.querySelector('.rejections pre').textContent.includes('Nobody did this')")
    signed_in.click(".rejections summary")
    signed_in.evaluate("new Promise((resolve) => setTimeout(resolve, 2500))")
    assert signed_in.evaluate("document.querySelectorAll('.rejections details[open]').length") == 1


def test_the_snippets_point_at_this_server_and_take_a_write_key(signed_in: Page, server: Server) -> None:
    signed_in.open("#/ingestion")
    signed_in.wait("!!document.querySelector('.snippets')")
    signed_in.type(".snippets input", "jw_mine")
    for sdk, line in [
        ("python", f'analytics = Client(write_key="jw_mine", host="{server.base}")'),
        ("node", f'const analytics = new Analytics({{ writeKey: "jw_mine", host: "{server.base}" }});'),
        ("browser", f'AnalyticsBrowser.load({{ writeKey: "jw_mine", cdnURL: "{server.base}" }});'),
        ("curl", f"curl {server.base}/v1/track -u 'jw_mine:'"),
    ]:
        signed_in.click(f".snippets button[data-value={sdk}]")
        assert line in signed_in.text(".snippet pre")


def test_the_last_run_is_listed(signed_in: Page, server: Server) -> None:
    signed_in.open("#/ingestion")
    signed_in.wait("!!document.querySelector('.runs tbody tr')")
    runs: list[dict[str, Any]] = server.get("status")["runs"]  # type: ignore[assignment]
    assert signed_in.texts(".runs tbody th") == [run["job"] for run in runs]
    assert signed_in.texts(".runs .chip") == [run["status"] for run in runs]


def test_rejected_events_stand_by_reason_and_an_admin_replays_them(chromium: Browser, server: Server) -> None:
    server.send("default", b'{"batch": [{"type": "odd", "userId": "u"}]}')
    for key, said in ((server.keys["default"], "This takes an admin key"), (server.admin_key, "still faulty and kept")):
        page = chromium.page(server.base)
        page.open(f"#key={key}")
        page.wait_for("Overview")
        page.open("#/ingestion")
        page.wait("document.querySelector('.reasons')?.textContent.includes('unknown type')")
        page.click(".reasons tbody button")
        page.wait_for(said)
        page.close()


def test_without_a_tracking_plan_the_page_says_how_to_make_one(signed_in: Page) -> None:
    signed_in.open("#/ingestion")
    signed_in.wait_for("There is no plan: put JSON Schemas of events into plan/ of the definitions.")


def items(server: Server) -> list[dict[str, Any]]:
    found: Any = server.get("sources")["items"]
    return list(found)


def test_an_admin_makes_a_source_switches_it_and_sees_its_new_key_once(chromium: Browser, server: Server) -> None:
    page = chromium.page(server.base)
    page.open(f"#key={server.admin_key}")
    page.wait_for("Overview")
    page.open("#/ingestion")
    page.wait("!!document.querySelector('.sources form')")
    page.type(".sources form input", "kiosk")
    page.click(".sources form button")
    page.wait("/jw_[0-9a-f]{32}/.test(document.querySelector('.sources [role=status]').textContent)")
    row = "[...document.querySelectorAll('.sources tbody tr')].find((row) => row.textContent.includes('kiosk'))"
    page.wait(f"{row}?.textContent.includes('as by default')")
    page.evaluate(f"{row}.querySelector('button').click()")
    page.wait(f"{row}.textContent.includes('Switch on')")
    page.evaluate(f"{row}.querySelectorAll('button')[1].click()")
    page.wait(f"{row}.textContent.includes('until')")
    assert [source["on"] for source in items(server) if source["name"] == "kiosk"] == [False]
    page.close()


def test_a_reader_sees_the_sources_and_is_told_what_changing_them_takes(signed_in: Page, server: Server) -> None:
    signed_in.open("#/ingestion")
    signed_in.wait("!!document.querySelector('.sources tbody button')")
    signed_in.click(".sources tbody button")
    signed_in.wait_for("This takes an admin key")
    assert all(source["on"] for source in items(server) if source["name"] != "kiosk")
