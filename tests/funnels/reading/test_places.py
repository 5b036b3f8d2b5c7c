"""Rows are numbered as they are read, and what is read of them by number is theirs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem

from funnels.kernel import Ints
from funnels.reading import places
from funnels.reading.places import Places
from funnels.reading.scan import File, Table
from funnels.reading.valued import OfEvents, Which
from ingest.lake import Lake
from transforms.engine import Engine

NAMES = ("A", "B", "C")


def table_of(folder: Path, groups: list[dict[str, list[Any]]], own: int = 1) -> Table:
    """Files of ``own`` row groups each."""
    files = []
    for since in range(0, len(groups), own):
        path = str(folder / f"{since}.parquet")
        schema = pa.table(groups[since]).schema
        with pq.ParquetWriter(path, schema) as writer:
            for group in groups[since : since + own]:
                writer.write_table(pa.table(group, schema=schema))
        files.append(File(path, None, None))
    return Table(LocalFileSystem(), tuple(files))


def group(name: str, values: list[Any], column: str = "browser") -> dict[str, list[Any]]:
    count = len(values)
    times = pa.array(range(count), pa.timestamp("us", "UTC"))
    return {
        "event": [name] * count, "time": times, "actor_id": list(range(count)), "bot": [False] * count, column: values,
    }  # fmt: skip


def told(place: Places, numbers: Ints, name: str) -> list[str | None]:
    found: list[str | None] = ["unread"] * numbers.size
    with ThreadPoolExecutor(2) as threads:
        for there, one, codes in place.encoded(numbers, name, threads):
            texts = [*one.texts.to_pylist(), None, *(f"?{text}" for text in one.documents.to_pylist())]
            for at, code in zip(there.tolist(), codes.tolist() or [len(one.texts)] * len(there), strict=True):
                found[at] = texts[code]
    return found


def test_values_of_rows_by_their_numbers_in_any_order(tmp_path: Path) -> None:
    texts = [['{"a": 1}', '{"a": "x"}', "{}"], ["{}", "{}"], ['{"\\u0061": 2}', '{"a": 1}']]
    table = table_of(tmp_path, [group(name, one, "properties") for name, one in zip(NAMES, texts, strict=True)])
    place = Places(table.store, table.stretches(None, 0, 10))
    assert (place.rows, place.bases) == (7, [0, 3, 5])
    for _ in range(2):  # read, and kept
        numbers = np.array([6, 0, 3, 5, 1, 2, 4, 0])
        assert told(place, numbers, "properties.a") == ["1", "1", None, '?{"\\u0061": 2}', '"x"', None, None, "1"]
    assert told(place, np.array([6, 2]), "event") == ["C", "A"]
    assert told(place, np.array([5, 1]), "country") == [None, None]  # a column that came later


def test_a_column_is_read_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    table = table_of(tmp_path, [group("A", ["p", "q"]), group("B", ["r"]), group("C", [None, "s"])], own=2)
    place = Places(table.store, table.stretches(None, 0, 10))
    with ThreadPoolExecutor(2) as threads:
        assert place.column(np.array([4, 0, 2, 3, 0]), "browser", threads).to_pylist() == ["s", "p", "r", None, "p"]


def test_what_has_many_values_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_FEW", 2)
    table = table_of(tmp_path, [group("A", ["p", "q", "r"]), group("B", ["s", "s", "t"])])
    place = Places(table.store, table.stretches(None, 0, 10))
    assert told(place, np.arange(6), "browser") == ["p", "q", "r", "s", "s", "t"]
    kept = [places._KEPT.get(f"{file.key}\n0\nbrowser") for file in table.files]
    assert [one is not None for one in kept] == [False, True]


def test_a_row_group_is_read_whole(tmp_path: Path) -> None:
    table = table_of(tmp_path, [group("A", ["p", "q"]), group("B", ["r", None])], own=2)
    place = Places(table.store, table.stretches(frozenset({"A", "B"}), 0, 10))
    assert (place.count, [place.name(0), place.name(1)]) == (2, ["A", "B"])
    assert place.place(3) == (1, 1)
    whole = place.whole(1, "browser")
    assert whole.codes is not None
    assert (whole.texts.to_pylist(), whole.codes.tolist()) == (["r"], [0, 1])


@pytest.mark.parametrize("small", [0, 2, 64])
def test_values_are_the_same_whether_a_dictionary_is_listed_or_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(places, "_SMALL", small)
    texts = [['{"a": 1}', '{"a": "x"}', "{}", '{"a": "y"}'], ["{}"], ['{"\\u0061": 2}', '{"a": 1.0}', '{"a": [1]}']]
    table = table_of(tmp_path, [group(name, one, "properties") for name, one in zip(NAMES, texts, strict=True)])
    place, numbers = Places(table.store, table.stretches(None, 0, 10)), np.array([7, 0, 2, 3, 6, 4, 0, 5], np.int32)
    which = Which(numbers, np.zeros(8, np.int32), np.zeros(8, np.int64))
    with Engine(Lake(str(tmp_path / "lake")), "p", {}) as engine, ThreadPoolExecutor(2) as threads:
        column = OfEvents(engine, place, threads, "properties.a")
        for _ in range(2):  # read, and kept
            codes = column.of(which).tolist()
            assert [None if code < 0 else column.values[code] for code in codes] == ["[1]", 1, None, "y", 1, None, 1, 2]
