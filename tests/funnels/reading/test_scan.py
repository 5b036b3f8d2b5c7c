"""What is kept of files: as it is, up to its limit, and of no file but the one that is asked for."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem

from funnels.reading import scan
from funnels.reading.scan import File, Kept, Table


def kept(most: int) -> Kept[bytes]:
    return Kept(most, len)


def asked(of: Kept[bytes], *keys: str) -> list[bool]:
    """Whether each was kept, of which ten bytes are put where not."""
    found = []
    for key in keys:
        found.append(of.get(key) is not None)
        of.put(key, b"0123456789")
    return found


def test_what_is_asked_for_again_is_kept_up_to_the_limit() -> None:
    of = kept(30)
    assert asked(of, "a", "b", "c", "a", "b", "c") == [False, False, False, True, True, True]
    assert asked(of, "d", "d", "a") == [False, False, True]


def test_going_round_more_than_there_is_room_for_leaves_a_part_that_is_found_each_time() -> None:
    of = kept(30)
    rounds = [asked(of, *"abcdefgh") for _ in range(5)]
    assert [sum(one) for one in rounds] == [0, 3, 3, 3, 3]


def test_what_is_asked_for_no_longer_makes_room() -> None:
    of = kept(20)
    asked(of, "a", "b")
    assert sum(asked(of, *(["c", "d"] * 20))) > 20
    assert asked(of, "c", "d", "a") == [True, True, False]


def test_what_is_larger_than_the_limit_is_not_kept_and_leaves_the_others() -> None:
    of = kept(20)
    asked(of, "a")
    of.put("large", bytes(21))
    assert of.get("large") is None
    assert of.get("a") is not None


def written(path: Path, actors: list[int], made: str) -> Table:
    count = len(actors)
    rows = {
        "event": ["A"] * count,
        "time": pa.array(range(count), pa.timestamp("us", "UTC")),
        "actor_id": actors,
        "bot": [False] * count,
    }
    pq.write_table(pa.table(rows), path)
    return Table(LocalFileSystem(), (File(str(path), None, None, made),))


def actors_of(table: Table) -> list[int]:
    return [actor for one in table.stretches(None, 0, 10) for rows in table.read(one) for actor in rows.actors.tolist()]


def test_a_file_made_anew_at_the_same_place_is_read_anew(tmp_path: Path) -> None:
    table = written(tmp_path / "one.parquet", [1, 2, 3], "first")
    assert actors_of(table) == actors_of(table) == [1, 2, 3]
    assert actors_of(written(tmp_path / "one.parquet", [4, 5], "second")) == [4, 5]


def test_a_row_group_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    of = scan._rows

    def counted(batch: pa.RecordBatch, name: str | None, key: str) -> scan.Rows:
        decoded.append(len(batch))
        return of(batch, name, key)

    monkeypatch.setattr(scan, "_rows", counted)
    table = written(tmp_path / "one.parquet", [1, 2, 3], "once")
    assert actors_of(table) == actors_of(table) == [1, 2, 3]
    assert decoded == [3]
