"""Of copies the smallest (received_at, log, offset) stays, though a larger one was stored first.

``JCURVE_TEST_LOGS``: how many random worlds of logs (default 6).
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import CommitFailedError

from ingest import exchange as exchange_module
from ingest.ids import Index
from ingest.lake import Lake
from ingest.record import Record
from tests.ingest.load.world import bring, written
from tests.ingest.test_flush import DAYS, JANUARY, Crash, flush, outcomes
from tests.ingest.world import NOON, SECOND, batch, event_ids, rows, track, write_log
from transforms.checks import copies
from transforms.layout import Rules
from transforms.tidy import ORDER, tidy

RULES = Rules(gather=1, quiet=timedelta(0))
NOW = datetime.now(UTC)
STEPS = ("in hand", "claimed", "exchange written", "stored events", "indexed", "retired")
LOGS = int(os.environ.get("JCURVE_TEST_LOGS", "6"))
Nothing = Callable[[str], None]


def came(data: Path, log: str, *records: Record, at: Nothing = lambda step: None) -> str:
    """These records through a log of their own, flushed at once; returns the log's identity."""
    folder = write_log(data / "log", list(records), name=log)
    folder.release()
    flush(data, at)
    return folder.identity


def lake(data: Path) -> Lake:
    return Lake(str(data / "lake"))


def make_tidy(data: Path) -> None:
    tidy(lake(data), "shop", NOW, rules=RULES)


def standing(data: Path) -> dict[str, str]:
    """By id the name of the event that stands; fails where two copies do."""
    found = [(str(row["event_id"]), str(row["event"])) for row in rows(lake(data), "shop", "events")]
    assert len(found) == len(dict(found))
    return dict(found)


@pytest.mark.parametrize("tidied", [False, True])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_logs_the_earlier_copy_stays_in_either_order_of_flush(
    tmp_path: Path, order: tuple[int, int], tidied: bool
) -> None:
    records = [
        batch(track("a", "Early"), track("b", "Only early")),
        batch(track("a", "Late"), track("c", "Only late"), at=NOON + SECOND, source="app"),
    ]
    for number in order:
        came(tmp_path, f"000{number}", records[number])
        if tidied:
            make_tidy(tmp_path)
    assert standing(tmp_path) == {"a": "Early", "b": "Only early", "c": "Only late"}
    assert outcomes(tmp_path) == {"accepted": 3, "duplicate": 1}
    came(tmp_path, "0002", batch(track("a", "Later"), at=NOON + 2 * SECOND))
    came(tmp_path, "0003", batch(track("a", "Between"), at=NOON + 1))
    assert standing(tmp_path)["a"] == "Early"
    came(tmp_path, "0004", batch(track("a", "First of all"), track("a", "Its copy"), at=NOON - 1))
    assert standing(tmp_path)["a"] == "First of all"
    assert outcomes(tmp_path) == {"accepted": 3, "duplicate": 5}


@pytest.mark.parametrize("tidied", [False, True])
def test_at_one_instant_the_smaller_log_stays_and_within_a_log_the_smaller_offset(tmp_path: Path, tidied: bool) -> None:
    logs = {}
    for name in ("One", "Two", "Three", "Four"):
        logs[came(tmp_path, name, batch(track("a", name), track("a", "Again")))] = name
        if tidied:
            make_tidy(tmp_path)
    assert standing(tmp_path) == {"a": logs[min(logs)]}
    assert outcomes(tmp_path) == {"accepted": 1, "duplicate": 7}


def test_within_a_log_whose_clock_was_set_back_the_earlier_moment_stays(tmp_path: Path) -> None:
    one, two = batch(track("a", "Before")), batch(track("a", "Set back"), at=NOON - SECOND)
    folder = write_log(tmp_path / "log", [one], [two])
    folder.release()
    flush(tmp_path)
    assert standing(tmp_path) == {"a": "Set back"}
    assert outcomes(tmp_path) == {"accepted": 1, "duplicate": 1}


@pytest.mark.parametrize("tidied", [False, True])
def test_over_the_border_of_a_month_the_smaller_copy_takes_the_row_out_of_the_other_month(
    tmp_path: Path, tidied: bool
) -> None:
    """The same retried event, corrected by two clocks: its copies lie in January and in December."""
    came(tmp_path, "1", batch(track("a", "January", timestamp="2026-01-01T00:00:01Z"), track("b"), at=NOON + SECOND))
    if tidied:
        make_tidy(tmp_path)
    came(tmp_path, "2", batch(track("a", "December", timestamp="2025-12-31T23:59:59Z")))
    assert {(row["event"], row["month"]) for row in rows(lake(tmp_path), "shop", "events")} == {
        ("December", "2025-12"),
        ("Task Completed", "2026-01"),
    }
    came(tmp_path, "3", batch(track("a", "Later", timestamp="2026-01-02T00:00:00Z"), at=NOON + 9 * SECOND))
    assert outcomes(tmp_path) == {"accepted": 2, "duplicate": 2}


def test_beyond_the_limit_and_in_another_month_the_row_is_no_copy_and_stands(tmp_path: Path) -> None:
    def record(days: float) -> Record:
        return batch(track("a", f"Day {days}", timestamp=None), at=NOON + int(days * DAYS))

    came(tmp_path, "1", record(50))
    came(tmp_path, "2", record(19))
    assert event_ids(lake(tmp_path)) == ["a", "a"]
    came(tmp_path, "3", record(18))
    assert {row["event"] for row in rows(lake(tmp_path), "shop", "events")} == {"Day 18", "Day 50"}
    assert copies(lake(tmp_path), "shop", timedelta(days=30)) > 0


def test_in_one_month_the_smaller_copy_stays_however_much_earlier_it_came(tmp_path: Path) -> None:
    came(tmp_path, "1", batch(track("a", "Late", timestamp=JANUARY), at=NOON + 55 * DAYS))
    came(tmp_path, "2", batch(track("a", "Early", timestamp=JANUARY), at=NOON))
    assert standing(tmp_path) == {"a": "Early"}
    with Index(tmp_path / "index") as index:
        assert len(index._periods()) >= 2  # it was known in another period, and is known there no more
    came(tmp_path, "3", batch(track("a", "Between", timestamp=JANUARY), at=NOON + 40 * DAYS))
    assert standing(tmp_path) == {"a": "Early"}


def test_a_copy_of_an_event_that_has_left_the_lake_stays_out(tmp_path: Path) -> None:
    came(tmp_path, "1", batch(track("a"), track("b"), at=NOON + SECOND))
    lake(tmp_path).delete("shop", "events", "event_id = 'a'")
    came(tmp_path, "2", batch(track("a"), track("b", "Early")))
    assert standing(tmp_path) == {"b": "Early"}
    assert outcomes(tmp_path) == {"accepted": 2, "duplicate": 2}


def test_one_commit_gives_and_takes_so_that_no_version_has_both_copies_or_neither(tmp_path: Path) -> None:
    came(tmp_path, "1", batch(track("a"), track("b"), at=NOON + SECOND))
    make_tidy(tmp_path)
    first = lake(tmp_path).version("shop", "events") or 0
    came(tmp_path, "2", batch(track("a", "Early"), track("c")))
    last = lake(tmp_path).version("shop", "events") or 0
    assert last == first + 1
    for version in (first, last):
        dataset = lake(tmp_path).dataset("shop", "events", version)
        assert dataset is not None
        assert dataset.to_table()["event_id"].to_pylist().count("a") == 1


def test_a_file_of_a_run_keeps_its_run_its_order_and_its_age(tmp_path: Path) -> None:
    came(tmp_path, "1", batch(*(track(f"m{number}", f"E{number % 3}") for number in range(9)), at=NOON + SECOND))
    make_tidy(tmp_path)

    def files() -> list[dict[str, Any]]:
        handle = lake(tmp_path).open("shop", "events")
        assert handle is not None
        return [row for row in pa.table(handle.get_add_actions(flatten=True)).to_pylist() if "/run-" in row["path"]]

    [before] = files()
    came(tmp_path, "2", batch(track("m4", "Early")))
    [after] = files()
    assert after["path"] != before["path"]
    assert after["path"].rpartition("-")[0] == before["path"].rpartition("-")[0]
    assert after["modification_time"] == before["modification_time"]
    assert (after["num_records"], after["min.event"], after["max.event"]) == (8, "E0", "E2")
    metadata = pq.read_metadata(tmp_path / "lake" / "shop" / "events" / after["path"])
    names = [metadata.schema.column(one.column_index).name for one in metadata.row_group(0).sorting_columns]
    assert tuple(names) == ORDER["events"]
    make_tidy(tmp_path)
    assert len(lake(tmp_path).files("shop", "events")) == 2  # the run, and one of the newcomer


@pytest.mark.parametrize("tidied", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_after_any_step_of_an_exchange_changes_nothing_in_the_end(tmp_path: Path, step: str, tidied: bool) -> None:
    came(tmp_path, "1", batch(track("a", "Late"), track("b", "Late"), at=NOON + SECOND))
    if tidied:
        make_tidy(tmp_path)

    def crash(done: str) -> None:
        if done == step:
            raise Crash

    with pytest.raises(Crash):
        came(tmp_path, "2", batch(track("a", "Early"), track("a", "Its copy"), track("c", "New")), at=crash)
    if tidied:
        make_tidy(tmp_path)
    came(tmp_path, "0", batch(track("c", "Later"), track("a", "Between"), at=NOON + 1))
    assert standing(tmp_path) == {"a": "Early", "b": "Late", "c": "New"}
    assert outcomes(tmp_path) == {"accepted": 3, "duplicate": 4}
    came(tmp_path, "3", batch(track("a", "Between"), track("b", "Between"), at=NOON + 2))
    assert standing(tmp_path) == {"a": "Early", "b": "Between", "c": "New"}
    assert outcomes(tmp_path) == {"accepted": 3, "duplicate": 6}


@pytest.mark.parametrize("step", ["planned", "written", "swapped", "vacuumed", "cleaned"])
def test_an_exchange_at_any_step_of_a_tidy_takes_its_row_out_and_no_other(tmp_path: Path, step: str) -> None:
    came(tmp_path, "1", batch(track("a", "Late"), track("b"), at=NOON + SECOND))
    came(tmp_path, "2", batch(track("c"), at=NOON + SECOND))
    done: list[str] = []

    def beside(name: str) -> None:
        if name == step and not done:
            done.append(name)
            came(tmp_path, "3", batch(track("a", "Early"), track("d")))

    tidy(lake(tmp_path), "shop", NOW, rules=Rules(gather=2, quiet=timedelta(0)), at=beside, safe=timedelta(0))
    if not done:
        beside(step)
    make_tidy(tmp_path)
    wanted = {"a": "Early", "b": "Task Completed", "c": "Task Completed", "d": "Task Completed"}
    assert standing(tmp_path) == wanted
    assert outcomes(tmp_path) == {"accepted": 4, "duplicate": 1}


def test_whatever_takes_the_file_away_before_the_commit_the_row_is_found_again(tmp_path: Path) -> None:
    """A tidy, then somebody who deletes another row of the file: neither comes back."""
    came(tmp_path, "1", batch(track("a", "Late"), track("b"), track("c"), at=NOON + SECOND))
    times: list[str] = []

    def beside(name: str) -> None:
        if name == "exchange written":
            times.append(name)
            if len(times) == 1:
                make_tidy(tmp_path)
            elif len(times) == 2:
                lake(tmp_path).delete("shop", "events", "event_id = 'b'")

    came(tmp_path, "2", batch(track("a", "Early"), track("d")), at=beside)
    assert len(times) == 3
    assert standing(tmp_path) == {"a": "Early", "c": "Task Completed", "d": "Task Completed"}


def test_a_row_that_leaves_before_the_commit_is_no_fault(tmp_path: Path) -> None:
    came(tmp_path, "1", batch(track("a", "Late"), at=NOON + SECOND))

    def beside(name: str) -> None:
        if name == "exchange written":
            lake(tmp_path).delete("shop", "events", "event = 'Late'")

    came(tmp_path, "2", batch(track("a", "Early")), at=beside)
    assert standing(tmp_path) == {"a": "Early"}


def test_a_table_that_never_lets_a_commit_through_loses_nothing_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_module, "_ATTEMPTS", 2)
    came(tmp_path, "1", batch(track("a", "Late"), at=NOON + SECOND))

    def beside(name: str) -> None:
        if name == "exchange written":
            number = random.randrange(1 << 30)
            table = (lake(tmp_path).dataset("shop", "events")).to_table()  # type: ignore[union-attr]
            lake(tmp_path).append("shop", "events", table.slice(0, 0), writer=f"w{number}", batch=1, partition="month")

    with pytest.raises(CommitFailedError):
        came(tmp_path, "2", batch(track("a", "Early")), at=beside)
    assert standing(tmp_path) == {"a": "Late"}
    flush(tmp_path)
    assert standing(tmp_path) == {"a": "Early"}


@pytest.mark.parametrize("tidied", [False, True])
def test_of_an_import_and_a_log_the_smaller_copy_stays_in_either_order(tmp_path: Path, tidied: bool) -> None:
    file = written(
        tmp_path / "a.jsonl", {**track("a", "Imported"), "timestamp": JANUARY}, {**track("b"), "timestamp": JANUARY}
    )
    report = bring(tmp_path, file, now=NOON + SECOND)
    assert report.reconciled and outcomes(tmp_path) == {"accepted": 2}
    if tidied:
        make_tidy(tmp_path)
    came(tmp_path, "1", batch(track("a", "Sent before", timestamp=JANUARY)))
    assert standing(tmp_path) == {"a": "Sent before", "b": "Task Completed"}
    assert outcomes(tmp_path) == {"accepted": 2, "duplicate": 1}


def test_a_chunk_that_was_handed_over_before_takes_the_place_of_what_a_log_brought(tmp_path: Path) -> None:
    """The lake's ids are asked before a chunk is handed over; this one came while it waited."""
    file = written(
        tmp_path / "a.jsonl", {**track("a", "Imported"), "timestamp": JANUARY}, {**track("b"), "timestamp": JANUARY}
    )
    times: list[str] = []

    def beside(step: str) -> None:
        if step == "handed over" and not times:
            times.append(step)
            chunk = next((tmp_path / "import").glob("*/*.chunk"))
            chunk.rename(chunk.with_suffix(".held"))
            came(tmp_path, "1", batch(track("a", "Sent", timestamp=JANUARY), at=NOON + SECOND))
            chunk.with_suffix(".held").rename(chunk)

    report = bring(tmp_path, file, at=beside, now=NOON)
    assert standing(tmp_path) == {"a": "Imported", "b": "Task Completed"}
    assert report.reconciled and outcomes(tmp_path) == {"accepted": 2, "duplicate": 1}


@pytest.mark.parametrize("seed", range(LOGS))
def test_any_logs_in_any_order_beside_a_tidy_end_with_the_smallest_copies(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    smallest: dict[str, tuple[int, str, int]] = {}
    sent = 0
    stop = threading.Event()

    def keep_tidy() -> None:
        while not stop.is_set():
            tidy(lake(tmp_path), "shop", NOW, rules=Rules(gather=2, fan_in=2, quiet=timedelta(0)))
            stop.wait(0.01)

    beside = threading.Thread(target=keep_tidy)
    if seed % 2:
        beside.start()
    try:
        for number in range(8):
            moments = sorted(NOON + chance.randrange(6) for _ in range(3))  # microseconds: many at one instant
            bodies = [[str(chance.randrange(12)) for _ in range(3)] for _ in moments]
            records = [
                batch(*(track(name, timestamp=JANUARY) for name in names), at=moment)
                for names, moment in zip(bodies, moments, strict=True)
            ]
            log = came(tmp_path, f"{number}", *records)
            offset = 1 << 24
            for names, moment in zip(bodies, moments, strict=True):
                for at, name in enumerate(names):
                    smallest[name] = min(smallest.get(name, (1 << 62, "", 0)), (moment, log, offset + at))
                offset, sent = offset + len(names), sent + len(names)
    finally:
        stop.set()
        if seed % 2:
            beside.join()
    found = rows(lake(tmp_path), "shop", "events")
    places = {str(row["event_id"]): (row["log"], row["log_offset"]) for row in found}
    assert len(places) == len(found)
    assert places == {name: place[1:] for name, place in smallest.items()}
    assert outcomes(tmp_path) == {"accepted": len(smallest), "duplicate": sent - len(smallest)}
