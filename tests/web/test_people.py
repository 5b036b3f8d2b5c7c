"""People are found by any of their ids, and listed by the stage they reached."""

from typing import Any
from urllib.parse import quote

from tests.web.browser import Browser, Page
from tests.web.conftest import Server


def entered(server: Server, stage: str, whose: str) -> dict[str, Any]:
    return server.get(f"stages/{stage}/{whose}", limit="50")


def test_a_stage_lists_who_reached_it_the_latest_first(signed_in: Page, server: Server) -> None:
    signed_in.open("#/people?stage=activated")
    signed_in.wait("!!document.querySelector('.members')")
    answer = entered(server, "activated", "people")
    assert answer["total"] > 0
    links = signed_in.evaluate(
        "[...document.querySelectorAll('.members a')].map((a) => decodeURIComponent(a.hash.slice(9)))"
    )
    assert links == [item["person"] for item in answer["items"]]
    assert f"{len(answer['items'])} of {answer['total']}" in signed_in.text(".more")


def test_the_rest_of_a_list_comes_on_demand(signed_in: Page, server: Server) -> None:
    total = entered(server, "registered", "people")["total"]
    signed_in.open("#/people?stage=registered")
    signed_in.wait_for(f"50 of {total}")
    signed_in.click(".more button")
    signed_in.wait_for(f"{min(100, total)} of {total}")


def test_accounts_are_listed_too(signed_in: Page, server: Server) -> None:
    signed_in.open("#/people?stage=paid&whose=accounts")
    answer = entered(server, "paid", "accounts")
    signed_in.wait_for(f"{len(answer['items'])} of {answer['total']}")
    assert len(signed_in.texts(".members tbody tr")) == len(answer["items"])


def test_a_person_is_found_by_any_id_with_all_that_is_known(signed_in: Page, server: Server) -> None:
    person = next(
        p for item in entered(server, "paid", "people")["items"] if len((p := known(server, item["person"]))["ids"]) > 1
    )
    device = next(one["id"] for one in person["ids"] if one["id"].startswith("anonymous:"))
    signed_in.open("#/people")
    signed_in.wait("!!document.querySelector('.finder input')")
    signed_in.type(".finder input", device)
    signed_in.press("Enter")
    signed_in.wait("!!document.querySelector('.timeline')")
    assert signed_in.texts(".ids .mono")[: len(person["ids"])] == [one["id"] for one in person["ids"]]
    assert signed_in.text("h1") == person["traits"]["name"]
    assert signed_in.texts(".timeline b") == [{"pql": "PQL"}.get(s["stage"], s["stage"].title()) for s in person["stages"]]
    assert len(signed_in.texts(".events tbody tr")) == len(person["events"]["items"])
    invitations = person["invitations"]
    assert signed_in.text(".invitations .chip") == f"generation {invitations['generation']}"
    brought = [one["person"] for one in invitations["people"]]
    came_by = [invitations["came_by"]["inviter"]] if invitations["came_by"] else []
    assert signed_in.texts(".invitations a") == came_by + brought


def known(server: Server, person: str) -> dict[str, Any]:
    return server.get(f"people/{person}")


def test_an_id_that_nobody_has_is_answered_in_words(signed_in: Page) -> None:
    signed_in.open("#/people/user%3Anobody-at-all")
    signed_in.wait_for("Nobody by that id")
    assert signed_in.evaluate("document.querySelector('.finder input').value") == "user:nobody-at-all"


def test_a_person_tells_why_its_ids_are_one_and_an_admin_key_undoes_a_link(chromium: Browser, server: Server) -> None:
    person = next(
        p for item in entered(server, "paid", "people")["items"] if len((p := known(server, item["person"]))["ids"]) > 1
    )
    page = chromium.page(server.base)
    page.open(f"#key={server.admin_key}")
    page.wait_for("Overview")
    page.open(f"#/people/{quote(person['person'], safe='')}")
    page.wait("!!document.querySelector('.links form')")
    assert len(page.texts(".links li")) == len(person["links"])
    assert "in force" in page.text(".links li")
    for act, state in (("Undo", "undone"), ("Redo", "in force")):
        assert page.text(".links form button") == act
        page.type(".links form input", "a test")
        page.press("Enter")
        page.wait(f"document.querySelector('.links .chip').textContent === '{state}'")
    assert [text.split(" ", 1)[0] for text in page.texts(".links li:first-child p")] == ["Undone", "Done"]
    page.close()


def test_with_a_read_key_a_person_has_no_undo(signed_in: Page, server: Server) -> None:
    person = known(server, entered(server, "paid", "people")["items"][0]["person"])
    signed_in.open(f"#/people/{quote(person['person'], safe='')}")
    signed_in.wait("!!document.querySelector('.links')")
    assert signed_in.texts(".links form") == []
