"""The status: the disk's warning comes well before the collector must refuse."""

from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api import status
from api.commands.status import lines
from transforms.runs import Run

Usage = namedtuple("Usage", "total used free")
GIB = 1 << 30


@pytest.mark.parametrize(
    ("total", "free", "low"),
    [(100 * GIB, 6 * GIB, False), (100 * GIB, 4 * GIB, True), (10 * GIB, GIB, False), (10 * GIB, GIB - 1, True)],
)
def test_the_disk_is_low_below_a_gigabyte_or_five_per_cent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, free: int, low: bool
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(total, total - free, free))
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    found = status.disk(tmp_path, GIB)
    assert (found["free_bytes"], found["low"]) == (free, low)
    assert 10_000 <= found["data_bytes"] <= 16_384


def test_a_job_that_runs_often_does_not_hide_the_others() -> None:
    when = datetime(2026, 2, 20, tzinfo=UTC)
    found = [Run("tidy", "default", when) for _ in range(30)] + [Run("hourly build", "default", when)]
    assert [run.job for run in status.last_of_each_job(found)] == ["tidy"] * 5 + ["hourly build"]


def test_the_terminal_shows_warnings_in_words() -> None:
    told = {
        "project": "default",
        "received": {"last_hour": 1200, "total": 5000},
        "outcomes": {"accepted": 4990, "duplicate": 10},
        "lag": {"log_to_lake_seconds": 3.2, "lake_to_build_seconds": 1800.0},
        "complete_until": datetime(2026, 2, 20, 9, 59, 56, tzinfo=UTC),
        "held_back_by": "log 0001 is silent; is its collector running?",
        "runs": [],
        "runaway_ids": [{"id": "anonymous:0", "others": 1200}],
        "disk": {"data_bytes": 123_456_789, "free_bytes": 900_000_000, "low": True},
    }
    assert lines(told) == [
        "project      default",
        "received     5,000, 1,200 of them in the last hour",
        "  accepted   4,990",
        "  duplicate  10",
        "in the lake  up to 2026-02-20 09:59:56 UTC",
        "tables       1,800 s behind the lake",
        "disk         123.5 MB used, 0.9 GB free",
        "warning      log 0001 is silent; is its collector running?",
        "warning      the disk is nearly full: collectors will soon refuse events",
        "warning      anonymous:0 is linked to 1,200 ids and joins none: no sender should share it",
    ]
