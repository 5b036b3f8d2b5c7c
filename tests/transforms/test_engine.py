"""The engine opens tables at versions and keeps seeing them as they were."""

from pathlib import Path

import pyarrow as pa
import pytest

from ingest.event import EVENTS
from ingest.lake import Lake
from tests.transforms.world import at, call, lake_of, table
from transforms.engine import Engine, Limits
from transforms.tables import TABLES


def count(engine: Engine, name: str = "events") -> object:
    return engine.table(f"select count(*) as n from {name}")["n"][0].as_py()


@pytest.mark.parametrize("name", ["events", *TABLES])
def test_a_table_that_does_not_exist_is_empty_with_its_columns(tmp_path: Path, name: str) -> None:
    schema = EVENTS if name == "events" else TABLES[name]
    with Engine(Lake(str(tmp_path)), "default", {name: None}) as engine:
        rows = engine.table(f"from {name}")
    assert rows.num_rows == 0
    assert (rows.schema.names, rows.schema.types) == (schema.names, schema.types)


def test_rows_come_back_with_the_types_they_went_in_with(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [call("e1", at(), user="1"), call("e2", at(40), user="2")])
    with Engine(lake, "default", {"events": 1}) as engine:
        rows = engine.table("select * from events order by time")
    assert rows.schema.types == EVENTS.types
    assert rows.to_pylist() == table([call("e1", at(), user="1"), call("e2", at(40), user="2")]).to_pylist()


def test_the_month_of_a_partition_is_text(tmp_path: Path) -> None:
    with Engine(
        lake_of(tmp_path, [call("e1", at(), user="1"), call("e2", at(40), user="1")]), "default", {"events": 1}
    ) as engine:
        found = engine.table("select month, typeof(month) as kind from events where month > '2026-03'").to_pylist()
    assert found == [{"month": "2026-04", "kind": "VARCHAR"}]


def test_a_version_does_not_see_what_is_written_after_it(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [call("e1", at(), user="1")])
    with Engine(lake, "default", {"events": lake.version("default", "events")}) as engine:
        lake_of(tmp_path, [call("e2", at(), user="1")], batch=2)
        assert count(engine) == 1
    with Engine(lake, "default", {"events": lake.version("default", "events")}) as engine:
        assert count(engine) == 2


def test_a_lake_behind_a_url_is_read_the_same(tmp_path: Path) -> None:
    lake_of(tmp_path, [call("e1", at(), user="1"), call("e2", at(40), user="2")])
    with Engine(Lake(f"file://{tmp_path}/lake"), "default", {"events": 1, "people": None}) as engine:
        rows = engine.table("select event_id, month, time from events where month = '2026-04'").to_pylist()
        assert rows == [{"event_id": "e2", "month": "2026-04", "time": at(40)}]
        assert count(engine, "people") == 0


def test_a_bound_relation_can_be_read_and_replaced(tmp_path: Path) -> None:
    with Engine(Lake(str(tmp_path)), "default", {}) as engine:
        engine.bind("steps", pa.table({"step": [1, 2, 3]}))
        engine.bind("steps", pa.table({"step": [1, 2]}))
        assert count(engine, "steps") == 2
        assert engine.relations == {"steps"}


def test_parameters_are_values_and_never_text(tmp_path: Path) -> None:
    rows = [call("e1", at(), event="x' or 1=1 --", user="1"), call("e2", at(1), event="y", user="1")]
    with Engine(lake_of(tmp_path, rows), "default", {"events": 1}) as engine:
        text = "select event_id from events where event = $event and time <= $until and list_contains($kinds, kind)"
        params = {"event": "x' or 1=1 --", "until": at(), "kinds": ["track"]}
        assert engine.table(text, params).to_pylist() == [{"event_id": "e1"}]


def test_some_hundred_numbers_are_written_out_and_others_asked_for(tmp_path: Path) -> None:
    with Engine(Lake(str(tmp_path)), "default", {}) as engine:
        for count, asked in ((0, True), (50, True), (51, False), (1_000, False), (1_001, True)):
            engine.make("numbers", f"select range as n from range({count}) union all select range from range({count})")
            listed = engine.listed("n", "numbers")
            assert (listed == "select n from numbers") == asked
            assert engine.table(f"select range from range(2000) where range in ({listed})").num_rows == count


def test_a_scan_looks_for_few_numbers_itself_and_finds_the_same_rows_as_for_many(tmp_path: Path) -> None:
    with Engine(Lake(str(tmp_path)), "default", {}) as engine:
        engine.bind("rows", pa.table({"n": pa.array([None, *range(-1_000, 1_000)], pa.int64())}))
        for count, looks in ((0, False), (1, True), (16, True), (17, False)):
            engine.make("numbers", f"select -range as m from range({count}) union all select -range from range({count})")
            among = engine.among("rows.n", "m", "numbers")
            assert ("list_position" in among) == looks
            assert engine.table(f"select n from rows where {among} order by n desc")["n"].to_pylist() == [
                -number for number in range(count)
            ]


def test_days_are_utc_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with Engine(lake_of(tmp_path, [call("e1", at(minutes=-1), user="1")]), "default", {"events": 1}) as engine:
        assert engine.table("select cast(date_trunc('day', time) as varchar) as day from events").to_pylist() == [
            {"day": "2026-03-01 00:00:00+00"}
        ]


def test_what_exceeds_the_memory_spills_and_the_folder_goes_with_the_engine(tmp_path: Path) -> None:
    with Engine(Lake(str(tmp_path)), "default", {}, Limits("60MB", 1)) as engine:
        hashes = "select hash(i) as i, i as j from range(3000000) t(i)"
        text = f"select count(*) as n from (select i, max(j) from ({hashes}) group by i)"
        assert engine.table(text)["n"][0].as_py() == 3_000_000
        spill = Path(engine._spill.name)
        assert spill.exists()
    assert not spill.exists()
