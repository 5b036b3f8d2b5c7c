"""Internal and test traffic is left out of funnels, stages and metrics, by rule, and counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from funnels import metrics, plg
from funnels.adhoc import funnel
from funnels.definitions.definition import Definitions
from funnels.definitions.load import DEFAULTS, load
from funnels.definitions.written import DefinitionError
from funnels.errors import BadRequest
from funnels.request import parse
from ingest.lake import Lake
from tests.funnels.world import LATER, built, definitions_of, did, entries, joined, stored
from tests.transforms.world import Row, call
from transforms.manifest import Manifest

DAY = datetime(2026, 1, 5, tzinfo=UTC)
RULES = """
[internal]
domains = ["Acme.example"]
ids = ["user:robot"]
where = [{ property = "properties.test", op = "eq", value = true }]
"""


def mail(user: str, email: str) -> Row:
    return call(f"mail {user}", DAY, kind="identify", user=user, anonymous=f"device-{user}", traits={"email": email})


def world() -> list[Row]:
    """ann is a customer; ken works at acme; robot is named; tess's sign-up is a test, her tasks are not."""
    rows = [mail("ann", "ann@customer.example"), mail("ken", " Ken@ACME.example"), mail("sub", "x@notacme.example")]
    for user in ("ann", "ken", "robot", "sub"):
        rows += [joined(user, f"of {user}", DAY), did(user, "Signed Up", DAY + timedelta(hours=1))]
        rows += [did(user, "Task Completed", DAY + timedelta(hours=2, minutes=n)) for n in range(5)]
    rows.append(call("page", DAY + timedelta(minutes=30), anonymous="device-ken", event="Signed Up"))
    rows.append(did("tess", "Signed Up", DAY, properties=json.dumps({"test": True})))
    rows.append(did("tess", "Task Completed", DAY + timedelta(hours=1)))
    sent = json.dumps({"invite_id": "i1", "invitee_email": "ann@customer.example"})
    rows.append(did("ken", "Invite Sent", DAY, properties=sent))
    return rows


def asked(lake: Lake, manifest: Manifest, definitions: Definitions) -> tuple[object, object]:
    steps = [{"event": "Signed Up"}, {"event": "Task Completed"}]
    body = {"steps": steps, "from": "2026-01-01", "to": "2026-02-01", "window": "14d"}
    internal = definitions.internal
    found = funnel(lake, "default", parse(body), complete_until=LATER, manifest=manifest, internal=internal)
    told, rows = found["data"], found["steps"]
    assert isinstance(told, dict)
    assert isinstance(rows, list)
    return [step["reached"] for step in rows], told["internal_left_out"]


def test_without_rules_everybody_counts(tmp_path: Path) -> None:
    definitions = load(DEFAULTS)
    lake, manifest = built(tmp_path, world(), definitions)
    assert asked(lake, manifest, definitions) == ([5, 5], 0)
    assert set(entries(lake, manifest, "registered", "person")) >= {"user:robot", "user:tess"}
    assert stored(lake, manifest, "internal_actors").num_rows == 0


def test_people_by_domain_and_id_and_events_by_filter_are_left_out_and_counted(tmp_path: Path) -> None:
    definitions = definitions_of(tmp_path, traffic=RULES)
    lake, manifest = built(tmp_path, world(), definitions)
    internal = stored(lake, manifest, "internal_actors").to_pylist()
    assert sorted((row["id"], row["rule"]) for row in internal) == [
        ("anonymous:device-ken", "domain"),
        ("user:ken", "domain"),
        ("user:robot", "id"),
    ]
    # ken's 2 sign-ups and 5 tasks, robot's 1 and 5, tess's test
    assert asked(lake, manifest, definitions) == ([2, 2], 14)
    assert set(entries(lake, manifest, "registered", "person")) == {"anonymous:device-ann", "anonymous:device-sub"}
    assert stored(lake, manifest, "invites").num_rows == 0
    assert stored(lake, manifest, "people").num_rows == 5  # they are people all the same

    params = {"from": "2026-01-01", "to": "2026-02-01"}
    over_stages = plg.stage_funnel(lake, "default", definitions, "plg", params, manifest, "UTC")
    told = over_stages["data"]
    assert isinstance(told, dict)
    assert (over_stages["entrants"], told["internal_left_out"]) == (2, 2)
    star = metrics.answer(lake, "default", definitions, "north-star", params, manifest, "UTC")
    series = star["series"]
    assert isinstance(series, list)
    assert max(point["value"] or 0 for point in series) == 2
    assert left_out(star) == 10  # tasks of ken and robot


def test_internal_traffic_can_be_put_back_where_events_are_read(tmp_path: Path) -> None:
    definitions = definitions_of(tmp_path, traffic=RULES)
    lake, manifest = built(tmp_path, world(), definitions)
    params = {"from": "2026-01-01", "to": "2026-02-01"}

    star = metrics.answer(lake, "default", definitions, "north-star", params | {"internal": "include"}, manifest, "UTC")
    series = star["series"]
    assert isinstance(series, list)
    assert (max(point["value"] or 0 for point in series), left_out(star)) == (4, 0)

    steps = [{"event": "Signed Up"}, {"event": "Task Completed"}]
    body = {"steps": steps, "from": "2026-01-01", "to": "2026-02-01", "window": "14d", "internal": "include"}
    internal = definitions.internal
    found = funnel(lake, "default", parse(body), complete_until=LATER, manifest=manifest, internal=internal)
    rows, told = found["steps"], found["definition"]
    assert isinstance(rows, list)
    assert isinstance(told, dict)
    assert ([step["reached"] for step in rows], told["internal"], left_out(found)) == ([5, 5], "include", 0)


def test_what_is_built_without_internal_traffic_refuses_to_include_it_and_says_who_can(tmp_path: Path) -> None:
    definitions = definitions_of(tmp_path, traffic=RULES)
    lake, manifest = built(tmp_path, world(), definitions)
    params = {"internal": "include"}
    with pytest.raises(BadRequest, match="ask POST /api/funnel") as metric:
        metrics.answer(lake, "default", definitions, "viral-coefficient", params, manifest, "UTC")
    with pytest.raises(BadRequest, match="found with internal traffic left out"):
        plg.stage_funnel(lake, "default", definitions, "plg", params, manifest, "UTC")
    assert metric.value.faults[0].allowed == ("exclude",)
    plain = metrics.answer(lake, "default", definitions, "viral-coefficient", {"internal": "exclude"}, manifest, "UTC")
    assert left_out(plain) == 2  # people: ken and robot


def left_out(found: Mapping[str, object]) -> object:
    told = found["data"]
    assert isinstance(told, dict)
    return told["internal_left_out"]


def test_rules_change_the_version_of_the_definitions_and_empty_ones_do_not(tmp_path: Path) -> None:
    assert definitions_of(tmp_path, traffic="[internal]\n").version == load(DEFAULTS).version
    assert definitions_of(tmp_path, traffic=RULES).version != load(DEFAULTS).version


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("domains = 'acme.example'", "write a list of texts"),
        ("domains = ['ann@acme.example']", "is no e-mail domain: write what follows the @"),
        ("ids = ['42']", "write 'user:42' or 'anonymous:42'"),
        ("domain = ['acme.example']", "unknown key 'domain' in internal; did you mean 'domains'?"),
        ("where = [{ property = 'plan', op = 'eq', value = 1 }]", "no such property"),
    ],
)
def test_a_fault_in_the_rules_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DefinitionError, match=r"traffic\.toml") as caught:
        definitions_of(tmp_path, traffic=f"[internal]\n{text}\n")
    assert told in str(caught.value)
