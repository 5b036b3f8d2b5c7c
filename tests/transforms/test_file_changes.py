"""Rows are changed file by file, and of a file part by part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ingest.lake import Lake
from tests.transforms.world import at, call, lake_of
from transforms import file_changes
from transforms.file_changes import change_rows


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Ten events in one file, read three at a time, and two in another."""
    monkeypatch.setattr(file_changes, "_ROWS", 3)
    lake_of(tmp_path, [call(f"e{n}", at(n), user="1") for n in range(10)])
    return lake_of(tmp_path, [call(f"f{n}", at(n), user="1") for n in range(2)], batch=2)


def left(lake: Lake) -> list[list[str]]:
    """The event ids of each file, in their order."""
    dataset = lake.dataset("default", "events")
    assert dataset is not None
    files = [fragment.to_table(columns=["event_id"])["event_id"].to_pylist() for fragment in dataset.get_fragments()]
    return sorted(files)


def without(*gone: str) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        theirs = pc.is_in(rows["event_id"], value_set=pa.array(gone))
        return rows.filter(pc.invert(theirs)) if pc.any(theirs).as_py() else rows

    return change


@pytest.mark.parametrize("gone", [("e0",), ("e9",), ("e3", "e4", "e5"), ("e1", "e8")])
def test_a_file_keeps_its_other_rows_in_their_order_wherever_the_first_change_lies(
    lake: Lake, gone: tuple[str, ...]
) -> None:
    assert change_rows(lake, "default", "events", without(*gone)) == 1
    assert left(lake) == [[f"e{n}" for n in range(10) if f"e{n}" not in gone], ["f0", "f1"]]


def test_a_file_without_a_row_left_goes_and_without_a_change_there_is_no_version(lake: Lake) -> None:
    before = lake.version("default", "events")
    assert change_rows(lake, "default", "events", without("nobody's")) == 0
    assert lake.version("default", "events") == before
    assert change_rows(lake, "default", "events", without("f0", "f1")) == 1
    assert left(lake) == [[f"e{n}" for n in range(10)]]


def test_another_try_is_told_so_that_nothing_is_counted_twice(lake: Lake) -> None:
    """A writer takes the file away that was read; the second try begins to count again."""
    seen: list[str] = []

    def change(rows: pa.Table) -> pa.Table:
        if "e0" in (ids := rows["event_id"].to_pylist()) and lake.version("default", "events") == first:
            lake.delete("default", "events", "event_id = 'e9'")
        seen.extend(ids)
        return rows.slice(1) if "f0" in ids or "e0" in ids else rows

    first = lake.version("default", "events")
    assert change_rows(lake, "default", "events", change, seen.clear) == 2
    assert sorted(seen) == [*(f"e{n}" for n in range(9)), "f0", "f1"]
    assert left(lake) == [[f"e{n}" for n in range(1, 9)], ["f1"]]
