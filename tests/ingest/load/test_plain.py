"""Plain events from CSV and Parquet."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.actor import actor_id
from ingest.event import EVENTS
from ingest.load import CannotImport
from ingest.tombstones import Tombstones
from tests.ingest.load.world import bring, events, outcomes, rejected, seen, written
from tests.ingest.world import NOON

CSV = """event,time,user_id,anonymous_id,account_id,properties,plan,seats
Signed Up,2026-01-01T00:00:00Z,u1,,acme,,free,3
Signed Up,2026-01-01T00:00:00Z,u1,,acme,,free,3
Task Completed,2025-12-01T02:00:00+02:00,,a1,,"{""x"": 1, ""plan"": ""old""}",new,
"""


def csv(path: Path, text: str = CSV) -> Path:
    path.write_text(text)
    return path


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_refused_rows_of_csv_are_named_with_their_line(tmp_path: Path) -> None:
    text = "event,time,user_id\nA,2025-01-01,u\nA,u\nA,never,u\nA,2025-01-01,u,4\nA,2025-01-02,u\n,2025-01-03,u\n"
    report = bring(tmp_path, csv(tmp_path / "a.csv", text))
    details = sorted(str(row["detail"]).partition(":")[0] + f" {row['reason']}" for row in rejected(tmp_path))
    assert details == ["line 3 unreadable", "line 4 missing_time", "line 5 unreadable", "line 7 missing_event"]
    assert (report.rows, report.taken, report.reconciled) == (6, 2, True)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_of_csv_that_end_now_so_now_so_are_read(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    text = 'event,time,user_id,note\r\nA,2025-01-01,u,"x\ny"\r\nA,2025-01-02,u,\nB,2025-01-03\n,2025-01-03,u,\r\n'
    (tmp_path / "a.csv").write_bytes(pack(text.encode()))
    report = bring(tmp_path, tmp_path / "a.csv")
    assert (report.taken, report.refused, report.reconciled) == (2, {"missing_event": 1, "unreadable": 1}, True)
    assert events(tmp_path)[0]["properties"] == '{"note":"x\\ny"}'


def test_a_csv_row_becomes_an_event_with_every_column_of_the_schema(tmp_path: Path) -> None:
    report = bring(tmp_path, csv(tmp_path / "a.csv"), source="old shop")
    assert (report.rows, report.taken, report.duplicates, report.refused) == (3, 3, 0, {})
    first = events(tmp_path)[0]
    assert set(first) == set(EVENTS.names)
    assert {
        name: first[name] for name in ("kind", "event", "time", "anonymous_id", "user_id", "actor_id", "month", "source")
    } == {
        "kind": "track",
        "event": "Task Completed",
        "time": datetime(2025, 12, 1, tzinfo=UTC),
        "anonymous_id": "a1",
        "user_id": None,
        "actor_id": actor_id("anonymous", "a1"),
        "month": "2025-12",
        "source": "old shop",
    }
    assert json.loads(str(first["properties"])) == {"x": 1, "plan": "new"}
    assert [json.loads(str(row["properties"])) for row in events(tmp_path)[1:]] == [{"plan": "free", "seats": "3"}] * 2
    assert seen(tmp_path, "account_id", "actor_id")[1] == ("acme", actor_id("user", "u1"))


def test_what_came_under_a_forgotten_id_is_kept_out_and_a_forgotten_device_is_not_named(tmp_path: Path) -> None:
    Tombstones(tmp_path / "forgotten.json").bury("shop", ["user:u1", "anonymous:a1"])
    text = (
        CSV + "Signed Up,2026-01-02T00:00:00Z,bob,a1,,,,\nSigned Up,2026-01-02T00:00:00Z,bob,a2,,,,\n,,u1,,,,,\n,,eve,,,,,\n"
    )
    report = bring(tmp_path, csv(tmp_path / "a.csv", text))
    assert (report.rows, report.taken, report.duplicates, report.forgotten) == (7, 2, 0, 4)
    assert report.reconciled
    assert seen(tmp_path, "user_id", "anonymous_id") == [("bob", None), ("bob", "a2")]
    assert [b"eve" in bytes(row["raw"]) for row in rejected(tmp_path)] == [True]  # type: ignore[call-overload]
    assert outcomes(tmp_path)["forgotten"] == 4


def test_an_id_that_the_lake_has_in_another_month_is_told_by_when_it_came(tmp_path: Path) -> None:
    head, day = "event,time,user_id,event_id\n", 86_400_000_000
    for name, month, days, taken in (("a", 1, 0, 1), ("b", 2, 20, 0), ("c", 3, 40, 1), ("d", 1, 400, 0)):
        path = csv(tmp_path / f"{name}.csv", f"{head}Signed Up,2025-{month:02d}-05T00:00:00Z,u1,e1\n")
        assert bring(tmp_path, path, now=NOON + days * day).taken == taken, name
    assert seen(tmp_path, "month") == [("2025-01",), ("2025-03",)]


def test_equal_rows_without_an_id_are_all_taken_and_taken_once(tmp_path: Path) -> None:
    bring(tmp_path, csv(tmp_path / "a.csv"))
    before = events(tmp_path)
    again = bring(tmp_path, csv(tmp_path / "a.csv"))
    copied = bring(tmp_path, csv(tmp_path / "copy.csv"), csv(tmp_path / "other.csv"))
    assert (again.taken, again.duplicates) == (0, 3)
    assert (copied.taken, copied.duplicates) == (0, 6)
    assert events(tmp_path) == before
    assert outcomes(tmp_path) == {"accepted": 3, "duplicate": 9}


def test_a_history_imported_again_after_a_year_adds_nothing(tmp_path: Path) -> None:
    bring(tmp_path, csv(tmp_path / "a.csv"))
    year = 365 * 86_400_000_000
    again = bring(tmp_path, csv(tmp_path / "a.csv"), now=1_767_268_800_000_000 + year)
    assert (again.taken, again.duplicates, len(events(tmp_path))) == (0, 3, 3)
    assert outcomes(tmp_path) == {"accepted": 3, "duplicate": 3}


def test_types_say_which_columns_of_a_csv_file_are_no_text(tmp_path: Path) -> None:
    text = "event,time,user_id,a,b,c,d\nX,2026-01-01,u,007,1.5,true,many\n"
    bring(tmp_path, csv(tmp_path / "a.csv", text), types={"b": "number", "c": "boolean", "d": "number"})
    [(properties,)] = seen(tmp_path, "properties")
    assert json.loads(str(properties)) == {"a": "007", "b": 1.5, "c": True, "d": "many"}


def test_faulty_rows_are_kept_with_their_reason_and_the_others_are_taken(tmp_path: Path) -> None:
    text = """event,time,user_id,anonymous_id,properties
Good,1767268800,u1,,
No time,,u1,,
No time,someday,u1,,
,2026-01-01,u1,,
Nobody,2026-01-01,,,
Undefined,2026-01-01,undefined,,
Guest,2026-01-01,,guest,
Broken,2026-01-01,u1,,{broken
Too,few
$group,2026-01-01,u1,,
"""
    report = bring(tmp_path, csv(tmp_path / "a.csv", text))
    expected = {
        "illegal_id": 2,
        "missing_event": 1,
        "missing_identity": 1,
        "missing_time": 2,
        "unreadable": 2,
        "missing_group": 1,
    }
    assert (report.rows, report.taken, report.refused, report.reconciled) == (10, 1, expected, True)
    assert outcomes(tmp_path) == {"accepted": 1, **{f"rejected:{reason}": number for reason, number in expected.items()}}
    kept = rejected(tmp_path)
    assert len(kept) == 9 and {row["path"] for row in kept} == {"import:a.csv"}
    assert b"Too,few" in [row["raw"] for row in kept]
    assert any(b'"event":"Nobody"' in bytes(str(row["raw"]), "utf-8") for row in kept)
    again = bring(tmp_path, csv(tmp_path / "a.csv", text))
    assert (again.taken, again.refused_before, len(rejected(tmp_path))) == (0, 9, 9)


def test_parquet_keeps_the_types_of_its_columns(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet",
        event=["A"],
        time=pa.array([datetime(2026, 1, 1, 0, 0, 1, 5)], pa.timestamp("us")),
        user_id=[42.0],
        number=[1.5],
        odd=[float("nan")],
        flag=[True],
        day=[date(2026, 1, 2)],
        at=pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("ms", tz="UTC")),
        many=[[1, 2]],
        nested=[{"k": 'quo"te'}],
        nothing=pa.array([None], pa.string()),
    )
    bring(tmp_path, path)
    [(user, time, properties)] = seen(tmp_path, "user_id", "time", "properties")
    assert (user, time) == ("42", datetime(2026, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    assert json.loads(str(properties)) == {
        "number": 1.5,
        "flag": True,
        "day": "2026-01-02",
        "at": "2026-01-01T00:00:00.000000Z",
        "many": [1, 2],
        "nested": {"k": 'quo"te'},
    }


def test_an_id_of_the_row_is_kept_and_holds_within_the_import(tmp_path: Path) -> None:
    times = pa.array([1_700_000_003, 1_700_000_001, 1_700_000_002], pa.int64())
    path = parquet(tmp_path / "a.parquet", event=["C", "A", "B"], time=times, user_id=["u"] * 3, event_id=["x", "y", "x"])
    report = bring(tmp_path, path)
    assert (report.taken, report.duplicates) == (2, 1)
    assert seen(tmp_path, "event", "event_id") == [("A", "y"), ("B", "x")]


def test_calls_that_are_no_track_are_told_by_their_event(tmp_path: Path) -> None:
    text = """event,time,user_id,anonymous_id,account_id,previous_id,name
$identify,2026-01-01T00:00:01Z,u1,a1,,,Ada
$group,2026-01-01T00:00:02Z,u1,,acme,,Acme
$alias,2026-01-01T00:00:03Z,u1,,,u0,
"""
    bring(tmp_path, csv(tmp_path / "a.csv", text))
    assert seen(tmp_path, "kind", "user_id", "anonymous_id", "account_id", "previous_id") == [
        ("identify", "u1", "a1", None, None),
        ("group", "u1", None, "acme", None),
        ("alias", "u1", None, None, "u0"),
    ]


def test_columns_may_have_any_name_and_bytes_that_are_no_text_cost_their_row_only(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'event,time,user_id,place,row,"a ""b""",given\nX,2026-01-01,u,p,r,a,g\nY\xff,2026-01-01,u,p,r,a,g\n')
    report = bring(tmp_path, path)
    assert (report.rows, report.taken, report.refused) == (2, 1, {"unreadable": 1})
    [(properties,)] = seen(tmp_path, "properties")
    assert json.loads(str(properties)) == {"place": "p", "row": "r", 'a "b"': "a", "given": "g"}


def test_a_file_that_breaks_off_is_refused_as_a_whole_and_can_be_given_again(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"type":"track","event":"A","userId":"u","timestamp":"2026-01-01"}\n' * 10_000)
    path = tmp_path / "a.gz"
    path.write_bytes(packed[: len(packed) - 20])
    with pytest.raises(CannotImport, match="cannot be read to its end"):
        bring(tmp_path, path)
    assert events(tmp_path) == []
    path.write_bytes(packed)
    assert bring(tmp_path, path, chunk_rows=5_000).taken == 10_000


def test_a_gzipped_csv_file_with_semicolons_is_read(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_bytes(gzip.compress("time;event;user_id\n2026-01-01 01:02:03;Ä;ü\n".encode()))
    bring(tmp_path, path)
    assert seen(tmp_path, "event", "user_id", "time") == [("Ä", "ü", datetime(2026, 1, 1, 1, 2, 3, tzinfo=UTC))]


def test_a_time_in_the_far_future_is_the_import_s_and_keeps_what_was_written(tmp_path: Path) -> None:
    bring(tmp_path, csv(tmp_path / "a.csv", "event,time,user_id\nX,2031-01-01,u\n"))
    assert seen(tmp_path, "time", "original_time", "month") == [
        (datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC), "2026-01")
    ]


def test_history_in_any_order_becomes_a_few_files_a_month_in_the_order_of_time(tmp_path: Path) -> None:
    size = 1_000
    days = [(n * 389) % size for n in range(size)]
    path = parquet(tmp_path / "a.parquet", event=["X"] * size, user_id=["u"] * size,
                   time=pa.array([1_680_307_200 + 86_400 * day for day in days], pa.int64()))  # fmt: skip
    report = bring(tmp_path, path, chunk_rows=250)
    files = list((tmp_path / "lake/shop/events").rglob("*.parquet"))
    assert (report.taken, len(report.months)) == (size, 33) and len(files) <= 33 + 3
    for file in files:
        times = pq.read_table(file, columns=["time"])["time"].to_pylist()
        assert times == sorted(times)


@pytest.mark.parametrize(
    "time", ["0001-01-01", "0044-03-15 (BC)", "1989-12-31T23:59:59Z", "0", "10000-01-01", "infinity", "-infinity"]
)
def test_a_time_that_no_product_has_is_refused_however_it_is_written(tmp_path: Path, time: str) -> None:
    report = bring(tmp_path, csv(tmp_path / "a.csv", f"event,time,user_id\nA,{time},u\nA,1990-01-01,u\n"))
    assert (report.taken, report.refused) == (1, {"missing_time": 1})
    calls = [{"type": "track", "event": "A", "userId": "u", "messageId": at, "timestamp": at} for at in (time, "1990-01-01")]
    report = bring(tmp_path, written(tmp_path / "a.jsonl", *calls))
    assert (report.taken, report.refused) == (1, {"missing_time": 1})


@pytest.mark.parametrize("micros", [-(2**63) + 2, -(2**60), 0, 2**60, 2**63 - 2])
def test_a_column_of_times_from_beyond_the_calendar_is_refused(tmp_path: Path, micros: int) -> None:
    sane = int(NOON) - 86_400_000_000
    times = pa.array([micros, sane], pa.timestamp("us", "UTC"))
    report = bring(tmp_path, parquet(tmp_path / "a.parquet", event=["A", "A"], time=times, user_id=["u", "u"]))
    assert (report.taken, report.refused) == (1, {"missing_time": 1})
