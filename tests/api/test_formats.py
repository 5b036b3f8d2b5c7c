"""One answer in three formats."""

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest

from tests.api.world import World, registrations


def test_csv_is_the_same_rows_flat_with_a_header(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(2))
    world.build()
    with world.client() as client:
        people = client.get("/api/stages/registered/people", headers={"Accept": "text/csv"})
        funnel = client.get("/api/funnels/plg?by=channel&format=csv")
        metric = client.get("/api/metrics/viral-coefficient?format=csv")
    assert people.headers["content-type"] == "text/csv; charset=utf-8"
    assert people.text.splitlines() == [
        "person,email,name,account,channel,entered,left,by",
        "user:2,,,,direct,2026-02-01T00:00:01Z,,2 Signed Up 2026-02-01T00:00:01Z",
        "user:1,,,,direct,2026-02-01T00:00:00Z,,1 Signed Up 2026-02-01T00:00:00Z",
    ]
    rows = list(csv.DictReader(io.StringIO(funnel.text)))
    assert [(row["group"], row["step"], row["stage"], row["reached"]) for row in rows] == [
        (group, str(step), stage, "2" if step == 1 else "0")
        for group in ("", "direct")
        for step, stage in enumerate(("registered", "activated", "pql", "paid"), 1)
    ]
    assert (
        metric.text.splitlines()[0]
        == "part,start,group,value,numerator,denominator,interval_low,interval_high,reason,complete"
    )


def test_arrow_is_the_same_rows_as_a_stream(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(*registrations(2))
    world.build()
    with world.client() as client:
        answer = client.get("/api/stages/registered/people", headers={"Accept": "application/vnd.apache.arrow.stream"})
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table["person"].to_pylist() == ["user:2", "user:1"]
    assert table.schema.field("entered").type == pa.timestamp("us", tz="UTC")


def test_an_unchanged_answer_is_not_sent_twice(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.build()
    with world.client() as client:
        first = client.get("/api/funnels")
        second = client.get("/api/funnels", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, second.status_code, second.content) == (200, 304, b"")


def test_a_table_without_rows_has_its_header(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.build()
    with world.client() as client:
        people = client.get("/api/stages/registered/people?format=csv")
        recent = client.get("/api/rejected/recent?format=csv")
        accounts = client.get("/api/stages/registered/accounts?format=arrow")
    assert people.text == "person,email,name,account,channel,entered,left,by\n"
    assert recent.text == "received_at,source,path,reason,detail,raw\n"
    assert pa.ipc.open_stream(accounts.content).read_all().column_names[:2] == ["account", "name"]


def test_a_funnels_columns_are_the_same_whether_or_not_anybody_came(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.build()
    with world.client() as client:
        header = client.get("/api/funnels/plg?format=csv").text.splitlines()[0]
    assert header.endswith("dropped,seconds_from_previous_median,seconds_from_previous_p90,seconds_from_previous_mean")


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("text/csv", "text/csv"),
        ("text/html, text/csv;q=0.9, */*;q=0.1", "text/csv"),
        ("application/json, text/csv;q=0.5", "application/json"),
        ("text/csv;q=0, application/json", "application/json"),
        ("text/html", "application/json"),
        ("", "application/json"),
    ],
)
def test_the_preferred_format_is_answered_and_json_where_none_is_named(tmp_path: Path, accept: str, format_: str) -> None:
    with World.at(tmp_path).client() as client:
        answer = client.get("/api/funnels", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(format_)


@pytest.mark.parametrize("form", ["csv", "arrow"])
def test_every_list_comes_in_every_format(tmp_path: Path, form: str) -> None:
    """Such as the catalogue of metrics, whose settings are objects of their own."""
    world = World.at(tmp_path)
    world.send(*registrations(2), {"type": "odd"})
    world.build()
    with world.client(world.key("admin")) as client:
        paths = client.get("/openapi.json").json()["paths"]
        plain = [path for path, found in paths.items() if path.startswith("/api/") and "{" not in path and "get" in found]
        assert len(plain) > 12
        statuses = {path: client.get(path, params={"format": form}).status_code for path in plain if path != "/api/ready"}
    assert set(statuses.values()) == {200}, statuses
