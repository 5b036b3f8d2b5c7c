from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake.exceptions import TableNotFoundError

from ingest.lake import Lake
from tests.ingest.world import read
from tests.patience import PATIENCE


def table(*numbers: int) -> pa.Table:
    return pa.table({"number": pa.array(numbers, pa.int64()), "month": pa.array(["2026-01"] * len(numbers), pa.string())})


def numbers(lake: Lake) -> list[int]:
    handle = lake.open("shop", "events")
    return sorted(read(handle).column("number").to_pylist()) if handle else []


def test_a_batch_is_stored_once_however_often_it_is_sent(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert lake.append("shop", "events", table(1, 2), writer="log:a", batch=7, partition="month")
    assert not lake.append("shop", "events", table(1, 2), writer="log:a", batch=7, partition="month")
    assert not lake.append("shop", "events", table(0), writer="log:a", batch=6, partition="month")
    assert lake.append("shop", "events", table(3), writer="log:b", batch=7, partition="month")
    assert lake.append("shop", "events", table(4), writer="log:a", batch=8, partition="month")
    assert numbers(lake) == [1, 2, 3, 4]


def test_two_writers_of_one_batch_from_handles_of_one_version_store_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path))
    lake.append("shop", "events", table(0), writer="log:a", batch=1, partition="month")
    both_have_looked = threading.Barrier(2, timeout=PATIENCE)
    looks = threading.local()
    real = Lake.open

    def open_together(self: Lake, *arguments: object) -> object:
        handle = real(self, *arguments)  # type: ignore[arg-type]
        if not getattr(looks, "done", False):
            looks.done = True
            both_have_looked.wait()
        return handle

    monkeypatch.setattr(Lake, "open", open_together)
    stored = []

    def write() -> None:
        stored.append(lake.append("shop", "events", table(1), writer="log:a", batch=2, partition="month"))

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    looks.done = True
    assert sorted(stored) == [False, True]
    assert numbers(lake) == [0, 1]


def test_writers_of_different_logs_do_not_lose_each_others_rows(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))

    def write(log: int) -> None:
        for batch in range(5):
            lake.append("shop", "events", table(10 * log + batch), writer=f"log:{log}", batch=batch, partition="month")

    writers = [threading.Thread(target=write, args=(log,)) for log in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert numbers(lake) == [10 * log + batch for log in range(3) for batch in range(5)]


def test_replace_makes_a_new_version_and_the_old_one_stays_readable(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    first = lake.replace("shop", "people", pa.table({"id": ["a"]}))
    second = lake.replace("shop", "people", pa.table({"id": ["b"], "name": ["Bo"]}))
    assert second > first
    old, new = lake.open("shop", "people", first), lake.open("shop", "people", second)
    assert old and new
    assert read(old).to_pylist() == [{"id": "a"}]
    assert read(new).to_pylist() == [{"id": "b", "name": "Bo"}]


def test_a_table_that_does_not_exist_has_no_version_and_no_files(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert lake.open("shop", "events") is None
    assert lake.version("shop", "events") is None
    assert lake.files("shop", "events") == []


def test_a_version_that_is_no_longer_kept_is_an_error_and_not_an_empty_table(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    for batch in range(3):
        lake.append("shop", "events", table(batch), writer="log:a", batch=batch, partition="month")
    handle = lake.open("shop", "events")
    assert handle
    handle.create_checkpoint()
    for version in range(handle.version()):
        (tmp_path / f"shop/events/_delta_log/{version:020d}.json").unlink()
    assert numbers(lake) == [0, 1, 2]
    with pytest.raises(TableNotFoundError):
        lake.open("shop", "events", 1)


def test_partitions_are_folders_named_by_month(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.append("shop", "events", table(1), writer="log:a", batch=1, partition="month")
    [file] = lake.files("shop", "events")
    assert "/shop/events/month=2026-01/" in file
