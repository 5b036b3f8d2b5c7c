"""A killed import, run again, ends as if nothing had happened."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.lake import Lake
from ingest.load import CannotImport
from ingest.load.plan import Request, opened
from ingest.progress import complete_until
from tests.ingest.load.world import bring, events, flush, outcomes, rejected, written
from tests.ingest.test_flush import Crash
from tests.ingest.world import NOON, batch, track, write_log

STEPS = (
    "planned",
    "staged",
    "handed over",
    "in hand",
    "claimed",
    "stored events",
    "stored rejected",
    "indexed",
    "retired",
    "stored",
)
FILE = [{"type": "track", "event": f"E{n}", "userId": "u", "timestamp": f"2025-{n:02d}-01T00:00:00Z"} for n in range(1, 9)]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_kill_after_any_step_changes_nothing_in_the_end(tmp_path: Path, step: str, nth: int) -> None:
    """Also where a server's flush goes on in between, and the same comes over HTTP."""
    files = [written(tmp_path / "a.jsonl", *FILE, FILE[0], "odd"), written(tmp_path / "b.jsonl", FILE[0], *FILE[7:], "{}")]
    times = [0]

    def kill(done: str) -> None:
        times[0] += done == step
        if done == step and times[0] == nth:
            raise Crash

    try:
        bring(tmp_path, *files, at=kill)
    except Crash:
        flush(tmp_path)
    report = bring(tmp_path, *files)
    assert [row["event"] for row in events(tmp_path)] == ["E1", "E1", *(f"E{n}" for n in range(2, 9))]
    assert len(rejected(tmp_path)) == 2
    assert report.reconciled
    counted = outcomes(tmp_path)
    assert counted["accepted"] == 9 and counted["rejected:unreadable"] == 1 and counted["rejected:missing_type"] == 1
    assert [path.name for path in (tmp_path / "import").iterdir()] == []


def test_an_id_that_came_over_http_is_a_duplicate_and_the_other_way_round(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [batch(track("m1", timestamp="2025-06-01T00:00:00Z"))]).release()
    path = written(tmp_path / "a.jsonl", *(track(f"m{n}", timestamp="2025-06-01T00:00:00Z") for n in (1, 2)))
    report = bring(tmp_path, path)  # the log has its turn before the first chunk
    assert (report.taken, report.duplicates) == (1, 1)
    write_log(tmp_path / "log", [batch(track("m2"), track("m3"))], name="0002").release()
    flush(tmp_path)
    assert sorted(str(row["event_id"]) for row in events(tmp_path)) == ["m1", "m2", "m3"]


def test_a_lake_that_is_away_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.jsonl", *FILE)
    real = Lake.append
    away = [True]

    def append(self: Lake, *arguments: object, **options: object) -> bool:
        if away and away.pop():
            raise OSError("the lake is away")
        return real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Lake, "append", append)
    with pytest.raises(OSError, match="away"):
        bring(tmp_path, path)
    assert bring(tmp_path, path).taken == 8
    assert outcomes(tmp_path) == {"accepted": 8}


def test_a_chunk_that_waits_holds_the_completeness_mark_back(tmp_path: Path) -> None:
    def kill(step: str) -> None:
        if step == "handed over":
            raise Crash

    later = datetime(2026, 1, 1, 13, tzinfo=UTC)
    with pytest.raises(Crash):
        bring(tmp_path, written(tmp_path / "a.jsonl", *FILE), at=kill)
    held = complete_until(tmp_path / "log", later)
    assert held.until == datetime(2026, 1, 1, 12, tzinfo=UTC) and "import" in str(held.held_back_by)
    flush(tmp_path)
    assert complete_until(tmp_path / "log", later).until == later


def test_two_processes_do_not_import_the_same_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", *FILE)
    with opened(tmp_path / "import", Request([path], "shop"), NOON), pytest.raises(CannotImport, match="another process"):
        bring(tmp_path, path)


def test_an_import_that_cannot_begin_leaves_nothing_behind(tmp_path: Path) -> None:
    sound, broken = written(tmp_path / "a.jsonl", *FILE), tmp_path / "b.jsonl.gz"
    packed = gzip.compress(sound.read_bytes() * 50_000, compresslevel=1)
    broken.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(CannotImport, match=r"b\.jsonl\.gz: cannot be read to its end"):
        bring(tmp_path, sound, broken, format="segment")
    assert [*(tmp_path / "import").iterdir()] == []
