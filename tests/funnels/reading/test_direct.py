"""What is read without a query is what a query reads: the same people, times, masks and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pytest

from funnels.adhoc import Source
from funnels.as_rules import rules_of
from funnels.definitions.definition import Internal
from funnels.match import Outcome, match_streams
from funnels.reading import direct
from funnels.reading.streams import Found, missing_names, read_streams
from funnels.request import parse
from funnels.traffic import TABLE
from ingest.lake import Lake
from tests.bench.funnel import NOW, PROJECT, prepare
from tests.bench.lake import MERGE
from tests.bench.lake import prepare as change
from tests.funnels.world import LATER, did
from tests.transforms.world import lake_of
from transforms.engine import Limits
from transforms.manifest import Manifest, current
from transforms.tables import SCHEMAS

STEPS: Final = [{"event": "Home"}, {"any_of": ["Task Created", "Project"]}, {"event": "Task Created"}]
LONG: Final = [{"property": "properties.minutes", "op": "gt", "value": 120}]
BODY: Final[dict[str, Any]] = {"steps": STEPS, "from": "2025-06-01", "to": "2026-03-17", "window": "14d"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Built, with one more day, and a merge since the build."""
    folder = tmp_path_factory.mktemp("direct")
    prepare(folder, 20_000)
    change("merge", folder)
    assert MERGE
    return Lake(str(folder / "lake"))


def source_of(lake: Lake, limits: Limits | None = None, internal: Internal | None = None) -> Source:
    manifest = current(lake, PROJECT)
    version = lake.version(PROJECT, "events")
    return Source(
        lake, PROJECT, version, NOW + timedelta(days=1), manifest, limits or Limits(), internal=internal or Internal()
    )


def read(source: Source, body: Mapping[str, Any], *, by_query: bool, in_parts: bool = False) -> Found:
    request = parse(body)
    rules = rules_of(request, source.as_of(request))
    with source.engine() as engine:
        query = source.asking(engine, request).query()
        assert direct.plan_of(query) is not None
        return read_streams(
            engine, replace(query, who=None) if by_query else query, source.limits, rules if in_parts else None
        )


def told(found: Found) -> tuple[list[tuple[int, int, int]], int, int, int]:
    people = np.asarray(found.units)[found.streams.units]
    rows = zip(people.tolist(), found.streams.times.tolist(), found.streams.masks.tolist(), strict=True)
    return sorted(rows), found.without_unit, found.bots, found.internal


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"from": "2025-11-10", "to": "2025-11-17"},
        {"from": "2026-03-15T12:00:00", "to": "2026-03-16T12:00:00", "window": "2h"},
        {"steps": [{"event": "Home"}, {"event": "*"}]},
        {"steps": [*STEPS, {"event": "Task Completed", "where": LONG}]},
        {"steps": [{"event": "Home"}, {"any_of": ["Project", {"event": "Task Completed", "where": LONG}]}]},
        {"steps": [{"event": "Home"}, {"event": "never"}]},
        {"internal": "include"},
    ],
)
def test_streams_are_those_of_the_query(lake: Lake, changes: Mapping[str, Any]) -> None:
    source = source_of(lake)
    mine, theirs = (told(read(source, {**BODY, **changes}, by_query=by_query)) for by_query in (False, True))
    assert mine == theirs
    assert mine[0]


def test_streams_are_in_order_of_unit_and_time(lake: Lake) -> None:
    streams = read(source_of(lake), BODY, by_query=False).streams
    order = np.lexsort((streams.times, streams.units))
    assert np.array_equal(streams.times, streams.times[order])
    assert np.array_equal(np.unique(streams.units), np.arange(streams.count))


def people(outcome: Outcome, found: Found) -> list[tuple[int, int, int, tuple[int, ...]]]:
    owners = np.asarray(found.units)[outcome.units]
    rows = zip(owners.tolist(), outcome.levels.tolist(), outcome.states.tolist(), outcome.times.tolist(), strict=True)
    return sorted((owner, level, state, tuple(times)) for owner, level, state, times in rows)


@pytest.mark.parametrize(
    "changes", [{}, {"trend": "month"}, {"steps": [*STEPS, {"event": "Task Completed", "where": LONG}]}]
)
def test_matched_part_after_part_in_little_memory_it_is_the_same_outcome(
    lake: Lake, changes: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_PART", 100)
    request = parse({**BODY, **changes})
    source = source_of(lake)
    whole = read(source, {**BODY, **changes}, by_query=False)
    expected = match_streams(whole.streams, rules_of(request, source.as_of(request)))
    monkeypatch.setattr(direct, "in_bytes", lambda memory: 32 << 10)
    found = read(source, {**BODY, **changes}, by_query=False, in_parts=True)
    assert found.outcome is not None
    assert people(found.outcome, found) == people(expected, whole)
    assert (found.outcome.mature, found.outcome.trend) == (expected.mature, expected.trend)
    assert (found.without_unit, found.bots, found.internal) == (whole.without_unit, whole.bots, whole.internal)
    assert found.streams.times.size < whole.streams.times.size


def test_events_of_nobody_bots_and_internal_people_are_counted_and_left_out(tmp_path: Path) -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    rows = [
        did("ann", "A", at),
        did("bo", "A", at),
        did("bot", "A", at, bot=True),
        did("bo", "other", at),
        did("cy", "A", at),
    ]
    lake = lake_of(tmp_path, rows)
    own = {row["user_id"]: row["actor_id"] for row in rows}
    outside = {"actor_id": own["bo"], "id": "user:bo", "person_id": own["bo"], "person": "user:bo", "rule": "id"}
    version = lake.replace(PROJECT, TABLE, pa.Table.from_pylist([outside], SCHEMAS[TABLE]))
    manifest = Manifest(1, {TABLE: version}, LATER, LATER, "")
    source = Source(lake, PROJECT, lake.version(PROJECT, "events"), LATER, manifest)
    body = {"steps": [{"event": "A"}], "from": "2026-01-01", "to": "2026-02-01", "window": "1d"}
    mine, theirs = (told(read(source, body, by_query=by_query)) for by_query in (False, True))
    assert mine == theirs
    assert mine[1:] == (0, 1, 1)
    assert {person for person, _, _ in mine[0]} == {own["ann"], own["cy"]}


def test_a_name_that_never_occurred_is_told_with_those_that_did(lake: Lake) -> None:
    with source_of(lake).engine() as engine:
        assert missing_names(engine, ["Home", "Task Created", "$alias"]) == {}
        missing = missing_names(engine, ["Home", "Homme"])
    assert list(missing) == ["Homme"]
    assert {"Home", "Signed Up"} <= set(missing["Homme"])
