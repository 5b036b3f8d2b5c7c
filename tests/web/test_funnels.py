"""The funnel builder: a question built by hand, its answer beside the API's, who stands behind it, what leaves the page."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlencode

import httpx
import pytest

from tests.patience import PATIENCE
from tests.web.browser import PHONE, Browser, Page
from tests.web.conftest import Server
from tests.web.test_overview import rows_of, share

ASK: dict[str, Any] = {
    "steps": [{"event": "Signed Up"}, {"event": "Project Created"}, {"event": "Invite Sent"}],
    "timezone": "UTC",
    "window": "14d",
}
DRAWN = "!!document.querySelector('.funnel.built') && !document.querySelector('.builder [aria-busy]')"


def address(ask: dict[str, Any], **more: str) -> str:
    return f"#/funnels?{urlencode({'ask': json.dumps(ask), 'last': '90d', **more})}"


def asked(page: Page, server: Server, path: str = "funnel", **more: object) -> dict[str, Any]:
    """What the API answers to the question that the page holds, as the page exports it."""
    question = cast(dict[str, Any], json.loads(saved_from(page, "Request as JSON")))
    headers = {"Authorization": f"Bearer {server.keys['default']}"}
    answer = httpx.post(f"{server.base}/api/{path}", json={**question, **more}, headers=headers, timeout=PATIENCE)
    answer.raise_for_status()
    return cast(dict[str, Any], answer.json())


def saved_from(page: Page, entry: str) -> str:
    """The text of the file that an entry of the export menu gives."""
    page.evaluate(KEEP)
    page.click(".menu summary")
    page.evaluate(f"[...document.querySelectorAll('.menu li button')].find((b) => b.textContent === {entry!r}).click()")
    page.wait("window.kept !== null")
    return str(page.evaluate("window.kept"))


def choose(page: Page, label: str, text: str) -> None:
    """Type into a field with a list, and take the first of it."""
    page.click(f"input[aria-label='{label}']")
    page.type(f"input[aria-label='{label}']", text)
    page.wait("!!document.querySelector('.options:not([hidden]) [aria-selected]')")
    page.press("Enter")


@pytest.fixture(scope="module", autouse=True)
def warm(server: Server) -> None:
    """The matcher's loops are compiled at their first use, which on a busy machine takes longer than a page waits."""
    headers = {"Authorization": f"Bearer {server.keys['default']}"}
    dates = {"from": "2026-01-01", "to": "2026-02-01"}

    def answered() -> bool:
        with suppress(httpx.TimeoutException):
            return httpx.post(
                f"{server.base}/api/funnel", json={**ASK, **dates}, headers=headers, timeout=PATIENCE
            ).is_success
        return False

    assert any(answered() for _ in range(5))


@pytest.fixture
def built(signed_in: Page) -> Iterator[Page]:
    signed_in.open(address(ASK))
    signed_in.wait(DRAWN)
    yield signed_in


def test_a_funnel_is_built_by_choosing_events_that_exist_and_its_numbers_are_the_api_s(
    signed_in: Page, server: Server
) -> None:
    signed_in.open("#/funnels")
    signed_in.wait_for("Choose the steps")
    choose(signed_in, "Step 1, event", "signed u")
    choose(signed_in, "Step 2, event", "project cr")
    signed_in.wait(DRAWN)
    signed_in.settle()
    answer = asked(signed_in, server)
    assert answer["entrants"] > 0
    assert signed_in.texts(".funnel .total") == [f"{step['reached']:,}" for step in answer["steps"]]
    assert signed_in.texts(".funnel .rate") == [share(step["from_previous"]) for step in answer["steps"][1:]]
    assert signed_in.text("#result-title") == f"{share(answer['conversion'])} converted"
    shown = [int(text.split()[0].replace(",", "")) for text in signed_in.texts(".states .legend li")]
    assert shown == [answer["converted"], answer["pending"], answer["lost"]]
    assert len(signed_in.texts(".answer .chart svg")) == 3
    assert signed_in.faults == []


def test_a_filter_is_put_on_a_step_and_counts(built: Page, server: Server) -> None:
    before = asked(built, server)
    built.click("[data-step='1'] .add")
    built.wait("document.activeElement.getAttribute('aria-label') === 'Property'")
    choose(built, "Property", "source")
    choose(built, "Value", "defa")
    built.evaluate("document.querySelector('select[aria-label=Operator]').focus()")
    built.evaluate(
        """(() => { const op = document.querySelector('select[aria-label=Operator]');
             op.selectedIndex = 1; op.dispatchEvent(new Event('change')); })()"""
    )
    built.wait(f"{DRAWN} && document.querySelectorAll('.funnel .total')[1].textContent === '0'")
    after = asked(built, server)
    assert after["definition"]["steps"][1]["where"] == [{"property": "source", "op": "ne", "value": "default"}]
    assert before["steps"][1]["reached"] > 0
    assert built.texts(".funnel .total") == [f"{step['reached']:,}" for step in after["steps"]]


def test_whoever_types_and_goes_on_by_tab_or_by_a_click_loses_neither(signed_in: Page) -> None:
    signed_in.open("#/funnels")
    signed_in.wait_for("Choose the steps")
    signed_in.type("input[aria-label='Step 1, event']", "Signed Up")
    signed_in.press("Tab")
    signed_in.wait("document.activeElement.textContent === '+ filter'")
    signed_in.type("input[aria-label='Step 2, event']", "Project Created")
    signed_in.click(".steps-editor + p + .add")  # + step
    signed_in.wait("document.activeElement.getAttribute('aria-label') === 'Step 3, event'")
    assert order(signed_in) == ["Signed Up", "Project Created", ""]
    signed_in.type("input[aria-label='Step 3, event']", "Invite Sent")
    signed_in.ask("drag", selector="[data-grip='0']", to="[data-step='2']")
    assert order(signed_in) == ["Project Created", "Invite Sent", "Signed Up"]


def test_a_filter_is_asked_when_it_is_filled_in_and_not_before(built: Page, server: Server) -> None:
    built.click("[data-step='0'] .add")
    built.wait("document.activeElement.getAttribute('aria-label') === 'Property'")
    choose(built, "Property", "source")
    built.wait("document.activeElement.getAttribute('aria-label') === 'Value'")
    built.click(".run")
    built.wait("document.activeElement.getAttribute('aria-label') === 'Value'")
    assert built.texts("[data-fault], .trouble .notice") == []
    assert built.evaluate("document.querySelector('.answer').classList.contains('stale')")
    shown = built.texts(".funnel .total")[0]
    built.click(".funnel .step:nth-child(1) .path")  # what is shown is still of the question before
    built.wait("!!document.querySelector('.panel tbody tr')")
    assert f"of {shown}" in built.text(".panel .more")
    built.press("Escape")
    built.wait("!document.querySelector('.panel')")
    built.type("input[aria-label='Value']", '""')
    built.press("Enter")
    built.wait("document.querySelector('#result-title')?.textContent === 'No entries'")
    where = asked(built, server)["definition"]["steps"][0]["where"]
    assert where == [{"property": "source", "op": "eq", "value": ""}]


def test_the_rules_set_by_hand_are_those_that_are_asked(built: Page, server: Server) -> None:
    built.evaluate("document.querySelectorAll('.builder details:not(.menu)').forEach((one) => (one.open = true))")
    for label, text in {
        "Who is counted": "Accounts",
        "Trend": "By month",
        "Unit of window": "weeks",
        "Order of the steps": "In any order",
        "At the same instant": "Later means later",
        "May begin": "At the first entry only",
        "Times are those of": "The shortest way",
        "Count": "Every attempt",
        "Internal traffic": "Included",
        "Compare with": "The range before, of the same length",
    }.items():
        select(built, label, text)
    for fold, path, add, text in (
        ("exclude", "exclude[0].event", "exclusion", "task comp"),
        ("count", "hold[0]", "property", "source"),
        ("breakdown", "breakdown.by[0]", "property", "properties.method"),
    ):
        adders = f"[...document.querySelectorAll('details[data-path={fold}] .add')]"
        built.evaluate(f"{adders}.find((one) => one.textContent === '+ {add}').click()")
        built.wait(f"document.activeElement.closest('[data-path]').dataset.path === '{path}'")
        built.ask("keys", text=text)
        built.wait("!!document.querySelector('.options:not([hidden]) [aria-selected]')")
        built.press("Enter")
    select(built, "Whose value counts", "Last on the way")
    built.wait(f"{DRAWN} && !!document.querySelector('.compared, .empty')")
    question = cast(dict[str, Any], json.loads(saved_from(built, "Request as JSON")))
    dates = {name: question.pop(name) for name in ("from", "to")}
    assert len(dates["from"]) == len(dates["to"]) == len("2026-01-31")
    assert question == {
        **ASK,
        "window": "14w",
        "order": "any",
        "ties": "strict",
        "reentry": "first",
        "witness": "shortest",
        "unit": "account",
        "count": "attempts",
        "internal": "include",
        "trend": "month",
        "exclude": [{"event": "Task Completed"}],
        "hold": ["source"],
        "breakdown": {"by": ["properties.method"], "attribution": "last", "limit": 25},
        "time_to_convert": {"from": 1, "to": 3, "bins": 24},
    }
    assert "compare=previous" in str(built.evaluate("location.hash"))
    assert built.texts(".trouble .notice") == []


def question_of(page: Page) -> dict[str, Any]:
    """What the page asks, as the address has it."""
    return cast(
        dict[str, Any], json.loads(str(page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('ask')")))
    )


def test_values_with_commas_are_listed_each_as_it_is_by_keyboard_alone(built: Page) -> None:
    built.click("[data-step='0'] .add")
    built.wait("document.activeElement.getAttribute('aria-label') === 'Property'")
    choose(built, "Property", "source")
    select(built, "Operator", "is one of")
    built.evaluate("document.querySelector(\"input[aria-label='Value']\").focus()")
    for text in ("default", "Korea, Republic of", "app"):
        built.ask("keys", text=text)
        built.press("Enter")
    assert built.texts(".values .chip > span") == ["default", "Korea, Republic of", "app"]
    built.press("Backspace")
    assert built.texts(".values .chip > span") == ["default", "Korea, Republic of"]
    where = [{"property": "source", "op": "in", "value": ["default", "Korea, Republic of"]}]
    assert question_of(built)["steps"][0]["where"] == where
    built.reload()
    built.wait(DRAWN)
    assert built.texts(".values .chip > span") == ["default", "Korea, Republic of"]
    built.click("button[aria-label='Remove default']")
    assert built.evaluate("document.activeElement.getAttribute('aria-label')") == "Value"
    assert question_of(built)["steps"][0]["where"][0]["value"] == ["Korea, Republic of"]


def test_a_cohort_is_defined_in_the_question_and_filters_and_splits_by_its_name(built: Page) -> None:
    open_folds(built)
    press(built, "cohorts", "+ cohort")
    choose(built, "cohort 1, event 1, event", "task comp")
    write(built, "At least, cohort 1, event 1", "2")
    press(built, "where", "+ filter")
    built.wait("document.activeElement.getAttribute('aria-label') === 'Property'")
    choose(built, "Property", "cohort:cohort")
    write(built, "Name of cohort 1", "busy")
    built.wait(f"{DRAWN} && !document.querySelector('.answer.stale')")
    question = question_of(built)
    assert question["cohorts"] == {"busy": {"unit": "person", "did": [{"event": "Task Completed", "at_least": 2}]}}
    assert question["where"] == [{"property": "cohort:busy", "op": "eq", "value": True}]
    assert built.texts(".trouble .notice") == []
    write(built, "At most, busy, event 1", "1")
    built.wait("!!document.querySelector('[data-fault=\"cohorts.busy.did[0].at_most\"]')")
    assert built.evaluate("document.querySelector('[aria-invalid]').getAttribute('aria-label')") == "At most, busy, event 1"
    built.reload()
    built.wait("!!document.querySelector('[data-fault]')")
    assert question_of(built)["cohorts"]["busy"]["did"] == [{"event": "Task Completed", "at_least": 2, "at_most": 1}]


def test_the_moment_the_zone_and_the_times_to_convert_have_fields(built: Page) -> None:
    open_folds(built)
    select(built, "Time to convert, to step", "2 Project Created")
    write(built, "Columns of the histogram", "7")
    choose(built, "Time zone", "Asia/Tokyo")
    write(built, "As known at", "2026-01-31T12:00")
    question = question_of(built)
    assert question["time_to_convert"] == {"from": 1, "to": 2, "bins": 7}
    assert (question["timezone"], question["as_of"]) == ("Asia/Tokyo", "2026-01-31T12:00")
    write(built, "As known at", "")
    built.wait(f"{DRAWN} && document.body.innerText.includes('from Signed Up to Project Created')")
    built.settle()
    assert [text for text in built.texts(".answer .chart svg text") if "e+" in text] == []  # 20 minutes, not 2e+1
    built.click("button[aria-label='Move step 2 down']")
    assert question_of(built)["time_to_convert"] == {"from": 1, "to": 3, "bins": 7}
    write(built, "Columns of the histogram", "1001")
    built.wait("!!document.querySelector('[data-fault=\"time_to_convert.bins\"]')")
    assert built.text("[data-fault]") == "bins is a whole number in this range: 1 to 1000"


def open_folds(page: Page) -> None:
    page.evaluate("document.querySelectorAll('.builder details:not(.menu)').forEach((one) => (one.open = true))")
    page.wait("[...document.querySelectorAll('.builder details.fold')].every((one) => one.open)")


def press(page: Page, fold: str, text: str) -> None:
    """A button within a part of the rules."""
    buttons = f"[...document.querySelectorAll('details[data-path={fold}] .add')]"
    page.evaluate(f"{buttons}.find((one) => one.textContent === {text!r}).click()")


def write(page: Page, label: str, text: str) -> None:
    """Into a field that tells its value when it is left."""
    page.evaluate(
        f"""(() => {{ const field = document.querySelector("input[aria-label='{label}']");
             field.value = {text!r}; field.dispatchEvent(new Event('change')); }})()"""
    )


def select(page: Page, label: str, text: str) -> None:
    """Take an option of a drop-down by its text."""
    page.evaluate(
        f"""(() => {{ const field = document.querySelector("select[aria-label='{label}']");
             field.selectedIndex = [...field.options].findIndex((one) => one.text === {text!r});
             field.dispatchEvent(new Event('change')); }})()"""
    )


def test_steps_are_moved_by_keyboard_by_button_and_by_dragging(built: Page) -> None:
    built.evaluate("document.querySelector('[data-grip=\"2\"]').focus()")
    built.press("ArrowUp")
    assert order(built) == ["Signed Up", "Invite Sent", "Project Created"]
    assert built.evaluate("document.activeElement.dataset.grip") == "1"
    built.click("button[aria-label='Move step 2 down']")
    assert order(built) == ["Signed Up", "Project Created", "Invite Sent"]
    built.ask("drag", selector="[data-grip='0']", to="[data-step='2']")
    assert order(built) == ["Project Created", "Invite Sent", "Signed Up"]
    built.wait("document.querySelector('.funnel .label').textContent === 'Project Created'")
    assert built.texts(".funnel .label") == order(built)


def test_exclusions_and_groups_go_on_naming_the_steps_that_they_named(signed_in: Page) -> None:
    exclude = [{"event": "Task Completed", "after": 2, "before": 3}, {"event": "Signed In", "before": 2}]
    groups = {"by": ["properties.method"], "attribution": 2}
    steps = [*ASK["steps"], {"event": "Task Completed"}]
    signed_in.open(address({**ASK, "steps": steps, "exclude": exclude, "breakdown": groups}))
    signed_in.wait_for("Task Completed")
    signed_in.wait("!!document.querySelector('[data-grip=\"3\"]')")
    signed_in.click("button[aria-label='Move step 4 up']")  # Signed Up, Project Created, Task Completed, Invite Sent
    assert named(signed_in) == ([(2, 4), (None, 2)], 2)
    signed_in.click("button[aria-label='Remove step 2']")
    assert named(signed_in) == ([(None, 3), (None, None)], "first")
    signed_in.wait(DRAWN)
    assert signed_in.texts(".trouble .notice") == []


def named(page: Page) -> tuple[list[tuple[int | None, int | None]], object]:
    """The steps that the exclusions lie between, and whose value counts, as the address has them."""
    ask = json.loads(str(page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('ask')")))
    return [(one.get("after"), one.get("before")) for one in ask["exclude"]], ask["breakdown"]["attribution"]


def order(page: Page) -> list[str]:
    script = "[...document.querySelectorAll('.steps-editor .choice input')].map((field) => field.value)"
    return cast(list[str], page.evaluate(script))


def test_a_bar_lists_those_who_reached_it_and_one_of_them_is_explained(built: Page, server: Server) -> None:
    step = asked(built, server)["steps"][1]
    listed = asked(built, server, "funnel/people", state="reached", step=2, limit=1000)
    assert listed["total"] == step["reached"]
    built.click(".funnel .step:nth-child(2) .path")
    built.wait("!!document.querySelector('.panel tbody tr')")
    assert f"of {listed['total']:,}" in built.text(".panel .more")
    while not built.evaluate("document.querySelector('.panel .more button').hidden"):
        count = len(built.texts(".panel tbody tr"))
        built.click(".panel .more button")
        built.wait(f"document.querySelectorAll('.panel tbody tr').length > {count}")
    assert built.texts(".panel tbody th") == [item["unit"] for item in listed["items"]]
    built.evaluate(KEEP)
    built.evaluate("[...document.querySelectorAll('.panel .button')].find((b) => b.textContent === 'Download CSV').click()")
    built.wait("window.kept !== null")
    rows = [line.split(",") for line in str(built.evaluate("window.kept")).splitlines()]
    assert rows[0] == ["unit", "state", "entered", "reached", "time_1", "time_2", "time_3"]
    assert rows[1:] == [
        [item["unit"], item["state"], item["entered"], str(item["reached"]), *(time or "" for time in item["times"])]
        for item in listed["items"]
    ]
    first = listed["items"][0]["unit"]
    why = asked(built, server, "funnel/explain", unit_id=first)
    built.click(".panel tbody tr .link")
    built.wait("!!document.querySelector('.story')")
    assert built.text("#panel-title") == first
    served = [event["name"] for event in why["items"] if event["code"] == "served"]
    assert built.texts(".story .served b") == served
    assert served[0] == "Signed Up"
    assert len(built.texts(".story [data-code]:not(.run-of)")) == len(why["items"])
    built.press("Escape")
    built.wait("!document.querySelector('.panel')")


def test_those_who_stopped_and_those_in_a_state_are_listed(built: Page, server: Server) -> None:
    answer = asked(built, server)
    built.click(".funnel .step:nth-child(1) .link")
    built.wait(f"document.querySelector('.panel .more')?.textContent.includes('of {answer['steps'][0]['dropped']:,}')")
    built.press("Escape")
    built.wait("!document.querySelector('.panel')")
    built.click(".states li:nth-child(2) .link")
    built.wait(f"document.querySelector('.panel .more')?.textContent.includes('of {answer['pending']:,}')")


def test_the_address_holds_the_question_and_a_link_shows_it_again(built: Page, chromium: Browser, server: Server) -> None:
    built.click("button[aria-label='Remove step 3']")
    built.wait(f"{DRAWN} && document.querySelectorAll('.funnel .step').length === 2")
    numbers = built.texts(".funnel .total")
    link = str(built.evaluate("location.hash"))
    built.reload()
    built.wait(DRAWN)
    assert built.texts(".funnel .total") == numbers
    other = chromium.page(server.base)
    other.open(f"#key={server.keys['default']}")
    other.wait_for("Overview")
    other.open(link)
    other.wait(DRAWN)
    assert order(other) == ["Signed Up", "Project Created"]
    assert other.texts(".funnel .total") == numbers
    other.close()


def test_a_funnel_is_saved_opened_by_its_address_changed_and_removed(built: Page, server: Server) -> None:
    built.evaluate("[...document.querySelectorAll('.answer button')].find((b) => b.textContent === 'Save').click()")
    built.type("dialog input[name=title]", "Sign-up to invite")
    built.press("Enter")
    built.wait("document.querySelector('h1')?.textContent === 'Sign-up to invite'")
    built.wait("location.hash.startsWith('#/funnels/sign-up-to-invite')")
    items = cast(list[dict[str, Any]], server.get("funnels")["items"])
    assert [(one["name"], one["steps"]) for one in items if one["saved"]] == [
        ("sign-up-to-invite", ["Signed Up", "Project Created", "Invite Sent"])
    ]
    built.open("#/people")
    built.wait_for("Who reached a stage")
    built.open("#/funnels/sign-up-to-invite")
    built.wait(DRAWN)
    by_name = server.get("funnels/sign-up-to-invite")
    assert built.texts(".funnel .total") == [f"{step['reached']:,}" for step in cast(list[dict[str, Any]], by_name["steps"])]
    built.evaluate("[...document.querySelectorAll('.answer button')].find((b) => b.textContent === 'Save').click()")
    built.evaluate("[...document.querySelectorAll('dialog button')].find((b) => b.textContent === 'Remove').click()")
    built.wait("document.querySelector('h1')?.textContent === 'Funnels'")
    assert server.get("saved-funnels")["items"] == []


def test_a_range_saved_in_weeks_is_as_many_days_as_by_name(signed_in: Page, server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.keys['default']}"}
    question = {"title": "A fortnight", "question": ASK, "last": "2w"}
    httpx.post(f"{server.base}/api/saved-funnels", json=question, headers=headers, timeout=PATIENCE).raise_for_status()
    signed_in.open("#/funnels/a-fortnight")
    signed_in.wait(f"{DRAWN} || document.querySelector('#result-title')?.textContent === 'No entries'")
    asked_here = json.loads(saved_from(signed_in, "Request as JSON"))
    by_name = cast(dict[str, Any], server.get("funnels/a-fortnight")["definition"])
    httpx.delete(f"{server.base}/api/saved-funnels/a-fortnight", headers=headers, timeout=PATIENCE).raise_for_status()
    assert [by_name[end][:10] for end in ("from", "to")] == [asked_here[end] for end in ("from", "to")]
    entered = "document.querySelector('select[aria-label=Entered]').selectedOptions[0].text"
    assert signed_in.evaluate(entered) == "Last 14 days"


def test_the_table_the_pictures_and_the_request_are_exported_without_the_key(built: Page, server: Server) -> None:
    lines = saved_from(built, "Table as CSV").splitlines()
    assert lines[0].startswith("group,step,label,reached")
    assert [line.split(",")[2] for line in lines[1:]] == ["Signed Up", "Project Created", "Invite Sent"]
    picture = saved_from(built, "Picture as SVG")
    assert picture.startswith("<svg") and "Project Created" in picture and "converted" in picture
    assert "PNG" in saved_from(built, "Picture as PNG")[:8]
    built.evaluate(COPY)
    built.click(".menu summary")
    built.evaluate("[...document.querySelectorAll('.menu li button')].find((b) => b.textContent === 'Copy as curl').click()")
    built.wait("!!window.copied")
    curl = str(built.evaluate("window.copied"))
    assert "Bearer $JCURVE_READ_KEY" in curl and server.keys["default"] not in curl
    assert json.loads(curl.split("-d '")[1].rstrip().rstrip("'"))["steps"] == ASK["steps"]


def test_a_fault_is_told_at_the_field_that_it_names(signed_in: Page) -> None:
    steps = [{"event": "Signed Up"}, {"event": "Project Created", "within": "7d"}]
    signed_in.open(address({**ASK, "steps": steps, "order": "any"}))
    signed_in.wait_for("set right")
    faulty = "[...document.querySelectorAll('[data-fault]')].map((told) => told.dataset.fault)"
    assert "steps[1].within" in cast(list[str], signed_in.evaluate(faulty))
    assert signed_in.evaluate("document.querySelector('input[aria-label=Within]').getAttribute('aria-invalid')") == "true"
    told = "document.querySelector('input[aria-label=Within]').getAttribute('aria-describedby')"
    assert signed_in.evaluate(f"document.getElementById({told}).offsetHeight") != 0


def test_groups_a_comparison_and_a_trend_stand_beside_the_funnel(signed_in: Page, server: Server) -> None:
    signed_in.open(address({**ASK, "breakdown": {"by": ["properties.method"]}, "trend": "week"}, compare="previous"))
    signed_in.wait(f"{DRAWN} && !!document.querySelector('.groups')")
    signed_in.settle()
    groups = asked(signed_in, server)["groups"]
    assert len(groups) > 1
    rows = [row.split("|")[:2] for row in rows_of(signed_in, ".groups")]
    assert rows == [["(none)" if g["values"] == [None] else g["values"][0], f"{g['entrants']:,}"] for g in groups]
    assert len(signed_in.texts("[aria-label='Conversion over time'] svg")) == 1
    assert len(signed_in.texts(".foot dd .good, .foot dd .bad, .foot dd .quiet, .foot dd .faint")) > 0


def test_what_goes_with_converting_is_found_on_demand(built: Page, server: Server) -> None:
    built.evaluate("[...document.querySelectorAll('.answer button')].find((b) => b.textContent === 'Find drivers').click()")
    built.wait("!!document.querySelector('.drivers table, .drivers .notice')")
    found = asked(built, server, "funnel/drivers", drivers={"from": 1, "to": 3, "limit": 15})
    assert len(built.texts(".drivers tbody tr")) == len(found["items"])
    assert built.texts(".drivers .notice") == found["warnings"]


def test_a_name_that_never_occurred_is_zero_with_a_warning(signed_in: Page) -> None:
    signed_in.open(address({**ASK, "steps": [{"event": "Signed Up"}, {"event": "Project Craeted"}]}))
    signed_in.wait(DRAWN)
    assert signed_in.texts(".funnel .total")[1] == "0"
    assert "Project Created" in signed_in.text("[aria-label=Warnings]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_builder_fits_a_phone_and_both_colours_and_every_control_has_a_name(
    chromium: Browser, server: Server, scheme: str
) -> None:
    page = chromium.page(server.base, PHONE, scheme)
    page.open(f"#key={server.keys['default']}")
    page.wait_for("Overview")
    nested = [{"any": [{"property": "source", "op": "eq", "value": "default"}, {"property": "country", "op": "is_not_set"}]}]
    page.open(address({**ASK, "where": nested, "breakdown": {"by": ["properties.method"]}, "trend": "week"}))
    page.wait(DRAWN)
    page.settle()
    page.evaluate("document.querySelectorAll('.builder details:not(.menu)').forEach((one) => (one.open = true))")
    assert page.overflow() == 0
    assert page.evaluate(NAMELESS) == []
    page.click(".funnel .step:nth-child(1) .path")
    page.wait("!!document.querySelector('.panel tbody tr')")
    assert page.overflow() == 0
    assert page.faults == []
    page.close()


KEEP = """(() => {
  window.kept = null;
  const made = URL.createObjectURL;
  URL.createObjectURL = (blob) => (blob.text().then((text) => (window.kept = text)), made.call(URL, blob));
})()"""
COPY = """(() => {
  navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); };
})()"""
NAMELESS = """
[...document.querySelectorAll(".builder :is(button, a, input, select, figure, summary, [role=region])")].filter((node) =>
  !(node.textContent.trim() || node.ariaLabel || node.getAttribute("aria-labelledby") || node.labels?.length))
  .map((node) => node.outerHTML)
"""
