"""What the matcher is handed: each array of the streams, over small lakes, with literal values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from funnels.adhoc import Source
from funnels.as_rules import rules_of
from funnels.bounds import compiling, within_limits
from funnels.errors import TooLarge, TooSlow
from funnels.reading.streams import Found, read_streams, unit_names
from funnels.request import parse
from ingest.lake import Lake
from tests.funnels.world import LATER, did, joined
from tests.patience import eventually
from tests.transforms.world import Row, call, lake_of
from transforms.engine import Engine, Limits

DAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
AB = [{"event": "A"}, {"event": "B"}]


def source_of(lake: Lake, limits: Limits | None = None) -> Source:
    return Source(lake, "default", lake.version("default", "events"), LATER, None, limits or Limits())


def streams_of(folder: Path, rows: list[Row], **changes: object) -> tuple[Found, list[str]]:
    """The streams and the units' names."""
    body = {"steps": AB, "from": "2026-01-01", "to": "2026-02-01", "window": "14d", **changes}
    source, request = source_of(lake_of(folder, rows)), parse(body)
    with source.engine() as engine:
        found = read_streams(engine, source.asking(engine, request, named=True).query(with_ids=True), source.limits)
        return found, unit_names(engine, request.unit, found, np.arange(len(found.units)))


def ids_of(found: Found) -> list[str]:
    """The event ids, in order of the streams' events."""
    assert found.ids is not None
    return [str(one) for one in found.ids(np.arange(found.streams.times.size)).to_pylist()]


def by_event(found: Found, values: object) -> dict[str, int]:
    """An array's values by event id."""
    return dict(zip(ids_of(found), values.tolist(), strict=True))  # type: ignore[attr-defined]


def own(**properties: object) -> str:
    return json.dumps(properties)


def test_events_of_one_instant_are_in_order_of_their_ids_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    rows = [did("ann", name, DAY, event_id) for name, event_id in (("B", "c"), ("A", "d"), ("B", "a"), ("A", "b"))]
    found, names = streams_of(tmp_path, [*rows, did("ann", "A", DAY - HOUR, "z")])
    assert (ids_of(found), names) == (["z", "a", "b", "c", "d"], ["user:ann"])
    assert found.streams.masks.tolist() == [1, 2, 1, 2, 1]


def test_of_events_of_one_instant_the_one_with_the_smallest_id_serves_also_where_they_are_matched_as_they_are_read(
    tmp_path: Path,
) -> None:
    rows = [did("ann", "A", DAY, event_id) for event_id in ("c", "a", "b")] + [did("ann", "B", DAY + HOUR, "z")]
    body = {"steps": AB, "from": "2026-01-01", "to": "2026-02-01", "window": "14d"}
    source, request = source_of(lake_of(tmp_path, rows)), parse(body)
    with source.engine() as engine:
        rules = rules_of(request, source.as_of(request))
        found = read_streams(engine, source.asking(engine, request).query(with_ids=True), source.limits, rules)
        assert found.outcome is not None
        assert found.ids is not None
        assert found.ids(found.outcome.witness[0]).to_pylist() == ["a", "z"]


def test_an_excluded_event_may_serve_a_step_and_is_read_whatever_the_filters_at_the_top_say(tmp_path: Path) -> None:
    rows = [
        did("ann", "A", DAY, "a", properties=own(plan="pro")),
        did("ann", "B", DAY + HOUR, "b", properties=own(plan="free")),
        did("ann", "B", DAY + 2 * HOUR, "c", properties=own(plan="pro")),
        did("ann", "X", DAY + 3 * HOUR, "d"),
        did("ann", "X", DAY + 4 * HOUR, "e", properties=own(soft=True)),
        did("ann", "Y", DAY + 5 * HOUR, "f"),
    ]
    soft = [{"property": "properties.soft", "op": "is_not_set"}]
    found, _ = streams_of(
        tmp_path,
        rows,
        where=[{"property": "properties.plan", "op": "eq", "value": "pro"}],
        exclude=[{"event": "B"}, {"any_of": ["X", "Z"], "where": soft}],
    )
    assert by_event(found, found.streams.masks) == {"a": 1, "b": 0, "c": 2, "d": 0}
    assert by_event(found, found.streams.bars) == {"a": 0, "b": 1, "c": 1, "d": 2}


def test_held_values_are_equal_as_filters_compare_and_missing_ones_are_marked(tmp_path: Path) -> None:
    values = [5, 5.0, "5", True, 1, None, {"x": 1, "y": 2}, {"y": 2, "x": 1}]
    rows = [did("ann", "A", DAY + n * HOUR, f"{n}", properties=own(p=value)) for n, value in enumerate(values)]
    found, _ = streams_of(tmp_path / "one", [*rows, did("ann", "A", DAY + 9 * HOUR, "9")], hold=["properties.p"])
    held = found.streams.held.tolist()
    assert held[0] == held[1] and held[6] == held[7] and held[5] == held[8] == -1
    assert len({held[0], held[2], held[3], held[4], held[6]}) == 5
    pairs = [("DE", "x"), ("DE", "y"), ("FR", "x"), ("DE", "x"), (None, "x")]
    rows = [did("ann", "A", DAY + n * HOUR, f"{n}", country=c, properties=own(p=p)) for n, (c, p) in enumerate(pairs)]
    held = streams_of(tmp_path / "two", rows, hold=["country", "properties.p"])[0].streams.held.tolist()
    assert (held[0] == held[3], len(set(held)), held[4]) == (True, 4, -1)


def test_values_of_a_breakdown_are_scalars_of_any_property(tmp_path: Path) -> None:
    rows = [
        call("i", DAY - HOUR, kind="identify", user="ann", traits={"role": "admin"}),
        did("ann", "A", DAY, "a", country="DE", properties=own(plan="pro")),
        did("ann", "B", DAY + HOUR, "b", properties=own(plan=5.0)),
        did("eve", "A", DAY, "c", properties=own(plan=["x"])),
        did("eve", "B", DAY, "d"),
    ]
    found, _ = streams_of(tmp_path, rows, breakdown={"by": ["properties.plan", "person.role", "country"]})
    codes = by_event(found, found.streams.values)
    assert codes.pop("d") == -1
    assert {name: found.groups[code] for name, code in codes.items()} == {
        "a": ("pro", "admin", "DE"),
        "b": (5, "admin", None),
        "c": ('["x"]', None, None),
    }
    found, _ = streams_of(tmp_path / "columns", rows, breakdown={"by": ["time", "bot", "event_id"]})
    codes = by_event(found, found.streams.values)
    assert found.groups[codes["a"]] == ("2026-01-05T00:00:00Z", False, "a")


def test_strict_order_numbers_every_instant_of_the_unit_whatever_happened(tmp_path: Path) -> None:
    rows = [
        did("ann", "A", DAY, "a"),
        did("ann", "Other", DAY + HOUR, "b"),
        did("ann", "Third", DAY + HOUR, "c"),
        did("ann", "B", DAY + 2 * HOUR, "d", properties=own(plan="pro")),
        did("ann", "Crawled", DAY + 3 * HOUR, "e", bot=True),
        did("ann", "B", DAY + 4 * HOUR, "f"),
        did("ann", "Last", DAY + 5 * HOUR, "g"),
        did("eve", "A", DAY, "h"),
        did("bob", "Other", DAY, "i"),
    ]
    found, names = streams_of(tmp_path, rows, order="strict")
    assert by_event(found, found.streams.instants) == {"a": 0, "d": 2, "f": 3, "h": 0}
    assert dict(zip(names, found.streams.last_instant.tolist(), strict=True)) == {"user:ann": 4, "user:eve": 0}
    cut, _ = streams_of(tmp_path / "cut", rows, order="strict", as_of="2026-01-05T04:30:00Z")
    assert cut.streams.last_instant.tolist() == [3, 0]
    where = [{"property": "properties.plan", "op": "eq", "value": "pro"}]
    top, _ = streams_of(tmp_path / "top", rows, order="strict", where=where)
    assert by_event(top, top.streams.instants) == {"d": 2}


def test_only_the_first_event_ever_of_a_step_s_names_may_serve_it(tmp_path: Path) -> None:
    pro = [{"property": "properties.plan", "op": "eq", "value": "pro"}]
    rows = [
        did("ann", "B", datetime(2024, 5, 1, tzinfo=UTC), "old"),  # long before the range
        did("ann", "A", DAY, "a"),
        did("ann", "B", DAY + HOUR, "b", properties=own(plan="pro")),
        did("eve", "A", DAY, "e1"),
        did("eve", "A", DAY, "e0"),  # the same instant: the smaller id is the first
        did("eve", "B", DAY + HOUR, "e2"),  # its first B fails the filter, so no B can serve
        did("eve", "B", DAY + 2 * HOUR, "e3", properties=own(plan="pro")),
        did("bob", "A", DAY, "x", bot=True),  # not there
        did("bob", "A", DAY + HOUR, "y"),
        did("bob", "B", LATER - HOUR, "z"),
    ]
    steps = [{"event": "A", "first_ever": True}, {"event": "B", "where": pro, "first_ever": True}]
    found, names = streams_of(tmp_path, rows, steps=steps)
    assert by_event(found, found.streams.masks) == {"a": 1, "e0": 1, "y": 1}
    assert dict(zip(names, found.streams.spent.tolist(), strict=True)) == {"user:ann": 3, "user:eve": 3, "user:bob": 3}
    cut, names = streams_of(tmp_path / "cut", rows, steps=steps, as_of="2026-03-01")
    assert dict(zip(names, cut.streams.spent.tolist(), strict=True))["user:bob"] == 1
    any_first = [{"event": "*", "first_ever": True}, {"event": "B"}]
    found, _ = streams_of(tmp_path / "any", rows, steps=any_first)
    assert by_event(found, found.streams.masks) == {"e0": 1, "y": 1, "b": 2, "e2": 2, "e3": 2}


def test_a_session_is_a_span_without_half_an_hour_of_silence_named_by_its_first_event(tmp_path: Path) -> None:
    rows = [
        did("ann", "Opened", DAY - 10 * MINUTE, "first"),
        did("ann", "A", DAY, "a"),
        did("ann", "B", DAY + 30 * MINUTE, "b"),  # thirty minutes of silence end nothing
        did("ann", "B", DAY + 61 * MINUTE, "c"),
        did("ann", "A", DAY + 61 * MINUTE, "d", source="app"),  # another source, another session
        did("eve", "A", DAY + 61 * MINUTE, "e"),
    ]
    found, names = streams_of(tmp_path, rows, unit="session", **{"from": "2026-01-05"})
    units = [names[code] for code in found.streams.units]
    assert dict(zip(ids_of(found), units, strict=True)) == {"a": "first", "b": "first", "c": "c", "d": "d", "e": "e"}
    assert found.without_unit == 0


def test_a_session_is_named_by_its_first_event_however_long_before_it_began(tmp_path: Path) -> None:
    long = [did("ann", "Kept Open", DAY + n * 29 * MINUTE, f"k{n:03}") for n in range(60)]  # 29 hours
    rows = [*long, did("ann", "A", DAY + 60 * 29 * MINUTE, "a"), did("bob", "A", DAY + 60 * 29 * MINUTE, "b")]
    found, names = streams_of(tmp_path, rows, unit="session", **{"from": "2026-01-02"})
    assert {event: names[unit] for event, unit in by_event(found, found.streams.units).items()} == {"a": "k000", "b": "b"}


def test_sessions_are_the_same_whether_or_not_what_came_before_is_read(tmp_path: Path) -> None:
    rows = [did("ann", "AB"[n % 2], DAY + n * 17 * MINUTE * (1 + n % 3), f"{n:03}") for n in range(60)]
    lake = lake_of(tmp_path, rows)
    source = source_of(lake)
    body = {"steps": AB, "from": "2026-01-05T06:10:00Z", "to": "2026-02-01", "window": "1h", "unit": "session"}
    parts = []
    for named in (False, True):
        with source.engine() as engine:
            found = read_streams(engine, source.asking(engine, parse(body), named=named).query(with_ids=True), source.limits)
        groups: dict[int, set[str]] = {}
        for unit, event in zip(found.streams.units.tolist(), ids_of(found), strict=True):
            groups.setdefault(unit, set()).add(event)
        parts.append(sorted(map(sorted, groups.values())))
    assert parts[0] == parts[1]
    assert len(parts[0]) > 5


def test_accounts_are_named_by_their_ids_and_events_without_one_are_told(tmp_path: Path) -> None:
    rows = [joined("ann", "acme", DAY), did("ann", "A", DAY + HOUR), did("eve", "A", DAY + HOUR)]
    found, names = streams_of(tmp_path, rows, unit="account")
    assert (names, found.without_unit) == (["acme"], 1)


def test_a_tolerance_reads_what_lies_just_before_the_range(tmp_path: Path) -> None:
    rows = [
        did("ann", "B", datetime(2025, 12, 31, 23, 59, 58, tzinfo=UTC)),
        did("ann", "A", datetime(2026, 1, 1, tzinfo=UTC)),
    ]
    assert streams_of(tmp_path / "2s", rows, ties="2s")[0].streams.masks.tolist() == [2, 1]
    assert streams_of(tmp_path / "1s", rows, ties="1s")[0].streams.masks.tolist() == [1]


def test_a_range_from_the_first_years_on_reads_everything(tmp_path: Path) -> None:
    found, _ = streams_of(tmp_path, [did("ann", "A", DAY)], preset="mixpanel", **{"from": "1000-01-01"})
    assert found.streams.masks.tolist() == [1]


def test_rows_beyond_the_memory_of_a_question_are_refused_with_what_to_narrow(tmp_path: Path) -> None:
    rows = [did(f"u{n}", "A", DAY + n * timedelta(seconds=1)) for n in range(2000)]
    source = source_of(lake_of(tmp_path, rows), Limits("10KB"))
    with Engine(source.lake, "default", {"events": source.version}) as engine:
        engine.view("actors", "select distinct actor_id, actor_id as person_id from events")
        query = source_of(source.lake).asking(engine, parse({**BODY, "steps": AB})).query()
        with pytest.raises(TooLarge, match=r"more memory than one may \(10KB\)") as caught:
            read_streams(engine, query, source.limits)
    assert "a shorter range (from, to) or window" in caught.value.narrow


def test_a_question_that_passes_its_deadline_is_ended_and_the_engine_goes_on(tmp_path: Path) -> None:
    limits = Limits(seconds=0.2)
    with Engine(Lake(str(tmp_path)), "default", {}) as engine:
        with pytest.raises(TooSlow, match=r"longer than one may \(0.2 s\)"), within_limits(engine, limits):
            engine.table("select count(*) from range(10000000) as a, range(10000000) as b where a.range % 7 = b.range % 5")
        assert engine.table("select 1 as one").to_pylist() == [{"one": 1}]


def test_a_deadline_that_passes_between_two_queries_ends_the_next_one(tmp_path: Path) -> None:
    with (
        Engine(Lake(str(tmp_path)), "default", {}) as engine,
        pytest.raises(TooSlow),
        within_limits(engine, Limits(seconds=0.05)),
    ):
        eventually(lambda: engine.interrupted, "the deadline passes")


def test_no_question_is_ended_for_waiting_until_the_matcher_is_compiled(tmp_path: Path) -> None:
    from time import sleep

    with (
        compiling(),
        Engine(Lake(str(tmp_path)), "default", {}) as engine,
        within_limits(engine, Limits(seconds=0.05)),
    ):
        sleep(0.2)
        assert engine.table("select 1 as one").to_pylist() == [{"one": 1}]


def test_memory_that_duckdb_itself_lacks_is_told_likewise(tmp_path: Path) -> None:
    limits = Limits("20MB")
    with (
        Engine(Lake(str(tmp_path)), "default", {}, limits) as engine,
        pytest.raises(TooLarge),
        within_limits(engine, limits),
    ):
        engine.table("select list(range) from range(50000000)")


BODY = {"from": "2026-01-01", "to": "2026-02-01", "window": "14d"}
