"""POST /api/funnel, /people and /explain through the real app, with the answers written out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from api.app import lake_of
from api.funnel_schema import EXAMPLE
from api.settings import Settings
from api.values import Size
from ingest.event import EVENTS
from tests.api.world import Client, World, registrations, track
from tests.transforms.world import call, table

STATES = ("converted", "pending", "excluded", "lost")
HOW: dict[str, Any] = {
    "steps": [{"event": "Signed Up"}, {"event": "Project Created"}],
    "from": "2026-01-01",
    "to": "2026-03-01",
    "window": "7d",
}


def example_world(folder: Path) -> World:
    """Five people who register for free in January: two pay, one deletes the account, one is slow, one comes late."""
    world = World.at(folder)
    world.send(
        track("Signed Up", "ann", "2026-01-05T10:00:00Z", plan="free"),
        track("Project Created", "ann", "2026-01-06T10:00:00Z"),
        track("Invite Sent", "ann", "2026-01-07T10:00:00Z"),
        track("Upgraded", "ann", "2026-01-08T10:00:00Z", revenue=20, plan="pro"),
        track("Signed Up", "bob", "2026-01-06T10:00:00Z", plan="free"),
        track("File Uploaded", "bob", "2026-01-07T10:00:00Z"),
        track("Ordered", "bob", "2026-01-10T10:00:00Z", revenue=0.5),
        track("Signed Up", "cid", "2026-01-12T10:00:00Z", plan="free"),
        track("Account Deleted", "cid", "2026-01-13T10:00:00Z"),
        track("Project Created", "cid", "2026-01-14T10:00:00Z"),
        track("Signed Up", "dan", "2026-01-13T10:00:00Z", plan="free"),
        track("Project Created", "dan", "2026-01-25T10:00:00Z"),
        track("Signed Up", "eve", "2026-01-30T10:00:00Z", plan="free"),
        track("Signed Up", "fay", "2026-01-14T10:00:00Z", plan="pro"),
    )
    return world


def ask(client: Client, path: str = "", **question: object) -> Any:
    answer = client.post(f"/api/funnel{path}", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_definition_s_example_is_answered_with_all_its_keys(tmp_path: Path) -> None:
    with example_world(tmp_path).client() as client:
        found = ask(client, **EXAMPLE)
        thin = ask(client, "?survival=2", **EXAMPLE)
    curve, drawn = found["survival"], thin["survival"]
    assert (drawn[0], drawn[-1], len(drawn), len(curve)) == (curve[0], curve[-1], 3, 4)
    assert [(step["label"], step["reached"], step["dropped"]) for step in found["steps"]] == [
        ("Registered", 5, 3),
        ("Project Created or File Uploaded", 2, 0),
        ("Invite Sent", 1, 0),
        ("Paid", 2, 0),
    ]
    assert [step["from_start"] for step in found["steps"]] == [1.0, 0.4, 0.2, 0.4]
    assert [step["from_previous"] for step in found["steps"]] == [None, 0.4, 0.5, 1.0]
    assert found["steps"][3]["seconds_from_previous"] == {"median": 216000.0, "p90": 250560.0, "mean": 216000.0}
    states = ("entrants", "converted", "pending", "excluded", "lost", "conversion")
    assert [found[name] for name in states] == [5, 2, 0, 1, 2, 0.4]
    assert found["mature"] == {"entrants": 5, "converted": 2, "conversion": 0.4, "to": "2026-02-01T00:00:00Z"}
    assert [(point["seconds"], point["converted"]) for point in found["survival"]][:2] == [(0.0, 0.0), (259200.0, 0.25)]
    assert [(one["start"], one["entrants"], one["converted"], one["complete"]) for one in found["trend"]] == [
        ("2025-12-29", 0, 0, False),
        ("2026-01-05", 2, 2, True),
        ("2026-01-12", 2, 0, True),
        ("2026-01-19", 0, 0, True),
        ("2026-01-26", 1, 0, False),
    ]
    times = found["time_to_convert"]
    assert (times["count"], times["median"], len(times["bins"])) == (2, 302400.0, 20)
    assert [one for one in times["bins"] if one["count"]] == [
        {"from": 259200.0, "to": 276480.0, "count": 1},
        {"from": 328320.0, "to": 345600.0, "count": 1},
    ]
    assert [(group["values"], group["other"], group["entrants"], group["converted"]) for group in found["groups"]] == [
        (["free"], False, 5, 2)
    ]
    assert found["warnings"] == []
    assert (found["data"]["events_without_unit"], found["data"]["actors"]) == (0, None)
    shown = {
        name: value for name, value in found["definition"].items() if name in EXAMPLE and name not in ("steps", "as_of")
    }
    assert shown == {
        **{name: value for name, value in EXAMPLE.items() if name not in ("steps", "as_of")},
        "from": "2026-01-01T00:00:00Z",
        "to": "2026-02-01T00:00:00Z",
        "exclude": [{"event": "Account Deleted", "where": [], "after": 1, "before": 4}],
    }


def test_a_definition_is_a_request_that_is_answered_the_same(tmp_path: Path) -> None:
    with example_world(tmp_path).client() as client:
        first = ask(client, **EXAMPLE)
        again = ask(client, **first["definition"])
    assert {**again, "data": first["data"]} == first  # which has the moment up to which the data is complete


def test_an_earlier_as_of_leaves_open_what_could_still_happen(tmp_path: Path) -> None:
    with example_world(tmp_path).client() as client:
        found = ask(client, **{**EXAMPLE, "as_of": "2026-01-31"})
    assert [found[name] for name in ("entrants", "converted", "pending", "excluded", "lost")] == [5, 2, 1, 1, 1]
    assert found["mature"]["to"] == "2026-01-17T00:00:00Z"


def test_who_stands_behind_a_number_and_why_one_of_them_does(tmp_path: Path) -> None:
    with example_world(tmp_path).client() as client:
        lists = {
            state: [item["unit"] for item in ask(client, "/people", **EXAMPLE, state=state)["items"]]
            for state in ("converted", "pending", "excluded", "lost")
        }
        dropped = ask(client, "/people", **EXAMPLE, state="dropped", step=1, group=["free"])
        why = ask(client, "/explain", **EXAMPLE, unit_id="cid")
        slow = ask(client, "/explain", **EXAMPLE, unit_id="user:dan")
    assert lists == {
        "converted": ["user:ann", "user:bob"],
        "pending": [],
        "excluded": ["user:cid"],
        "lost": ["user:dan", "user:eve"],
    }
    assert (dropped["total"], [item["unit"] for item in dropped["items"]]) == (3, ["user:cid", "user:dan", "user:eve"])
    assert why["cases"] == [{"state": "excluded", "reached": 1, "entered": "2026-01-12T10:00:00Z"}]
    assert [(one["name"], one["code"], one["step"]) for one in why["items"]] == [
        ("Signed Up", "served", 1),
        ("Account Deleted", "ended_it", None),
        ("Project Created", "after_exclusion", None),
    ]
    assert [(one["name"], one["code"]) for one in slow["items"]] == [
        ("Signed Up", "served"),
        ("Project Created", "after_within"),
    ]


OPTIONS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [4, 3]),
    ({"order": "strict"}, [4, 2]),
    ({"order": "any"}, [5, 3]),
    ({"ties": "strict"}, [4, 2]),
    ({"ties": "2s"}, [4, 3]),
    ({"reentry": "first"}, [4, 2]),
    ({"hold": ["properties.team"]}, [2, 1]),
    ({"count": "attempts"}, [5, 3]),
    ({"unit": "session"}, [5, 2]),
    ({"exclude": [{"event": "Left"}]}, [4, 2]),
    ({"steps": [{"event": "In", "first_ever": True}, {"event": "Out"}]}, [3, 2]),
    ({"preset": "mixpanel"}, [4, 2]),
    ({"internal": "include"}, [4, 3]),
]


@pytest.mark.parametrize(("option", "reached"), OPTIONS, ids=[str(option) for option, _ in OPTIONS])
def test_each_option_counts_as_the_definition_says(tmp_path: Path, option: dict[str, Any], reached: list[int]) -> None:
    """In, then Out within a day. Of ann the two come at one instant, stored the wrong way round; bob's Out belongs to his
    second In; cid leaves in between; dan never comes out, was in long ago, and eve comes out only."""
    world = World.at(tmp_path)
    world.send(
        {**track("Out", "ann", "2026-02-01T00:00:00Z", team=1), "messageId": "1"},
        {**track("In", "ann", "2026-02-01T00:00:00Z", team=1), "messageId": "2"},
        track("In", "bob", "2026-02-01T00:00:00Z", team=1),
        track("In", "bob", "2026-02-03T00:00:00Z", team="x"),
        track("Out", "bob", "2026-02-03T00:20:00Z", team="y"),
        track("In", "cid", "2026-02-01T00:00:00Z"),
        track("Left", "cid", "2026-02-01T00:20:00Z"),
        track("Out", "cid", "2026-02-01T01:00:00Z"),
        track("In", "dan", "2025-01-01T00:00:00Z"),
        track("In", "dan", "2026-02-01T00:00:00Z"),
        track("Out", "eve", "2026-02-01T00:00:00Z"),
    )
    question = {"steps": [{"event": "In"}, {"event": "Out"}], "from": "2026-01-01", "to": "2026-03-01", "window": "1d"}
    with world.client() as client:
        found = ask(client, **{**question, **option})
    assert [step["reached"] for step in found["steps"]] == reached


def test_pages_keep_to_the_data_of_the_first_one(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(5))
    world.build()
    with world.client() as client:
        first = ask(client, "/people", **HOW, state="reached", step=1, limit=2)
        world.send(
            track("Signed Up", "late", "2026-02-01T00:00:02.5Z"),
            {"type": "alias", "previousId": "4", "userId": "5", "messageId": "m", "timestamp": "2026-02-01T00:00:00Z"},
            track("Project Created", "5", "2026-02-02T00:00:00Z"),
        )
        world.build()
        pages, following = [first], first["next"]
        while following:
            pages.append(ask(client, "/people", **HOW, state="reached", step=1, limit=2, after=following))
            following = pages[-1]["next"]
        again = ask(client, "/people", **HOW, state="reached", step=1)
    assert [item["unit"] for page in pages for item in page["items"]] == [f"user:{n}" for n in range(1, 6)]
    assert {(page["total"], page["as_of"], page["data"]["events"]) for page in pages} == {(5, first["as_of"], 1)}
    assert all(item["reached"] == 1 for page in pages for item in page["items"])
    assert [(item["unit"], item["reached"]) for item in again["items"]][-2:] == [("user:late", 1), ("user:4", 2)]


def test_a_cursor_belongs_to_its_question(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(3))
    with world.client() as client:
        following = ask(client, "/people", **HOW, state="reached", step=1, limit=1)["next"]
        other = client.post("/api/funnel/people", json={**HOW, "state": "lost", "limit": 1, "after": following})
        broken = client.post("/api/funnel/people", json={**HOW, "state": "lost", "after": "abc"})
        other_page = ask(client, "/people", **HOW, state="reached", step=1, limit=2, after=following)
    assert (other.status_code, other.json()["errors"][0]["message"]) == (422, "another question's cursor")
    assert (broken.status_code, broken.json()["errors"][0]["path"]) == (422, "after")
    assert [item["unit"] for item in other_page["items"]] == ["user:2", "user:3"]


def test_lists_and_explanations_come_as_csv_and_arrow(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(1), track("Project Created", "1", "2026-02-01T01:00:00Z"))
    with world.client() as client:
        people = {**HOW, "state": "converted"}
        as_csv = client.post("/api/funnel/people", json=people, headers={"Accept": "text/csv"}).text
        nobody = client.post("/api/funnel/people?format=csv", json={**people, "state": "excluded"}).text
        why = client.post("/api/funnel/explain?format=csv", json={**HOW, "unit_id": "1"}).text
        arrow = client.post("/api/funnel/people?format=arrow", json=people).content
    assert as_csv == (
        "unit,state,entered,reached,time_1,time_2\n"
        "user:1,converted,2026-02-01T00:00:00Z,2,2026-02-01T00:00:00Z,2026-02-01T01:00:00Z\n"
    )
    assert nobody == "unit,state,entered,reached\n"
    assert why.splitlines()[0] == "id,name,time,code,step"
    assert pa.ipc.open_stream(arrow).read_all()["time_2"].to_pylist() == ["2026-02-01T01:00:00Z"]


def test_cohorts_of_the_request_and_of_the_definitions_filter_and_break_down(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    (world.settings.definitions_folder / "cohorts.toml").write_text('[cohorts.registered]\nstage = "registered"\n')
    world.send(*registrations(3), track("Project Created", "1", "2026-02-01T01:00:00Z"))
    question = {**HOW, "steps": [{"event": "Signed Up"}]}
    makers = {"makers": {"did": {"event": "Project Created"}}}
    with world.client() as client:
        by = {"by": ["cohort:makers", "cohort:registered"]}
        before = ask(client, **question, cohorts=makers, breakdown=by)
        world.build()
        found = ask(client, **question, cohorts=makers, breakdown=by)
        in_cohort = [{"property": "cohort:makers", "op": "eq", "value": True}]
        chosen = ask(client, **question, cohorts=makers, where=in_cohort)
        unknown = client.post("/api/funnel", json={**question, "where": in_cohort})
    assert [(group["values"], group["entrants"]) for group in before["groups"]] == [([False, False], 2), ([True, False], 1)]
    assert before["warnings"] == ["there is no build yet: person_now, account_now and stages hold nobody"]
    assert [(group["values"], group["entrants"]) for group in found["groups"]] == [([False, True], 2), ([True, True], 1)]
    assert sorted(found["definition"]["cohorts"]) == ["makers", "registered"]
    assert [step["reached"] for step in chosen["steps"]] == [1]
    assert unknown.json()["errors"] == [
        {
            "path": "where[0].property",
            "found": "cohort:makers",
            "allowed": ["cohort:registered"],
            "message": "no such cohort",
        }
    ]


def test_an_unknown_name_gives_zeros_and_the_nearest_names(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(1))
    with world.client() as client:
        found = ask(client, **{**HOW, "steps": [{"event": "signed up"}], "exclude": []})
    assert (found["entrants"], found["conversion"]) == (0, None)
    assert found["warnings"] == ["no event 'signed up' has ever occurred; the nearest names are 'Signed Up'"]


def test_a_key_is_needed_and_an_unknown_unit_is_not_found(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    write = world.key("write")
    with world.client() as client:
        header = {"Authorization": f"Bearer {write}"}
        answers = [client.post(f"/api/funnel{path}", json={}, headers=header) for path in ("", "/people", "/explain")]
        missing = client.post("/api/funnel/explain", json={**HOW, "unit_id": "nobody"})
        wrong = client.post("/api/funnel/people", json={})
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert (missing.status_code, missing.json()["errors"][0]["path"]) == (404, "unit_id")
    assert sorted(error["path"] for error in wrong.json()["errors"]) == ["from", "state", "steps", "to", "window"]


def test_what_takes_too_much_is_stopped_and_the_server_goes_on(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    hasty = World(Settings(data=world.settings.data, query_seconds=1))
    small = World(Settings(data=world.settings.data, query_memory=Size.of("128 MiB")))
    lake_of(small.settings).append("default", "events", many_events(300_000), writer="test", batch=1, partition="month")
    slow = [{"property": "event_id", "op": "matches", "value": f"(e|[0-9]+)*[^q]{n}z$"} for n in range(640)]
    steps = [{"event": "*", "where": [{"any": slow[n::32]}]} for n in range(32)]
    with hasty.client() as client:
        late = client.post("/api/funnel", json={**HOW, "steps": steps})
        alive = client.get("/api/status").status_code
    with small.client() as client:
        wide = {"by": ["properties.text"]}
        bots = [{"property": "bot", "op": "is_set"}]  # a query tells it; else only the values of entries are read
        came = {**HOW, "steps": [{"event": "Came"}], "where": bots}
        large = client.post("/api/funnel", json={**came, "breakdown": wide})
        after = ask(client, **{**HOW, "steps": [{"event": "Rare"}]})
    assert (late.status_code, late.json()["title"]) == (503, "The question took too long")
    assert "a shorter range (from, to) or window" in late.json()["errors"][0]["allowed"]
    assert (large.status_code, large.json()["title"]) == (422, "The question is too large")
    assert (alive, after["entrants"]) == (200, 0)


def many_events(count: int) -> pa.Table:
    """So many events of a thousand people, with long texts."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    texts = [f'{{"text": "{"abxy" * 150}{n}"}}' for n in range(50)]
    rows = table([call(f"e{n}", start + timedelta(seconds=n), user=f"u{n}", event="Came") for n in range(1000)])
    whole = pa.concat_tables([rows] * (count // 1000))
    texts_of = pa.array([texts[n % 50] for n in range(count)])
    ids = pa.array([f"e{n}" for n in range(count)])
    for name, column in (("properties", texts_of), ("event_id", ids)):
        whole = whole.set_column(whole.schema.get_field_index(name), EVENTS.field(name), column)
    return whole


def test_the_documentation_tells_every_option_and_every_code(tmp_path: Path) -> None:
    with World.at(tmp_path).client() as client:
        paths = client.get("/openapi.json").json()["paths"]
        page = client.get("/docs").text
    for path, own in (("", ()), ("/people", ("state", "step", "group", "limit", "after")), ("/explain", ("unit_id",))):
        body = paths[f"/api/funnel{path}"]["post"]["requestBody"]["content"]["application/json"]
        assert {*EXAMPLE, "preset", "cohorts", "internal", *own} == set(body["schema"]["properties"])
        assert body["example"].keys() <= body["schema"]["properties"].keys()
    assert "after_exclusion" in paths["/api/funnel/explain"]["post"]["description"]
    assert "after_exclusion" in page and "first_ever" in page
    told = paths["/api/funnel"]["post"]["description"]
    with example_world(tmp_path / "example").client() as client:
        assert all(
            f"\n    {name} " in told for name in ask(client, **EXAMPLE) if name not in (*STATES, "conversion", "as_of")
        )
    assert [
        one for one in ("PostHog's", "Mixpanel's", "Amplitude's", "ClickHouse's", "Umami:", "OpenPanel:") if one not in told
    ] == []


def test_the_examples_of_the_documentation_are_answered(tmp_path: Path) -> None:
    with example_world(tmp_path).client() as client:
        paths = client.get("/openapi.json").json()["paths"]
        for path in ("", "/people", "/explain"):
            body = paths[f"/api/funnel{path}"]["post"]["requestBody"]["content"]["application/json"]["example"]
            if path == "/explain":
                body = {**body, "unit_id": "user:ann"}
            assert client.post(f"/api/funnel{path}", json=body).status_code == 200
