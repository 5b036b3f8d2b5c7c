"""``jcurve import`` for real: alone, beside a server, and killed."""

from __future__ import annotations

import json
import subprocess
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.api.processes import COMMAND, ENVIRONMENT, jcurve, up
from tests.api.test_up import accepted, key
from tests.api.world import track
from tests.patience import eventually

SIZE = 40_000


def history(folder: Path) -> Path:
    users = [f"u{n % 1000}" for n in range(SIZE)]
    times = pa.array([1_740_823_200 + 700 * (n * 7919 % SIZE) for n in range(SIZE)], pa.int64())
    pq.write_table(
        pa.table({"event": ["Task Completed"] * SIZE, "time": times, "user_id": users}), folder / "history.parquet"
    )
    return folder / "history.parquet"


def numbers(told: str) -> dict[str, str]:
    return {line.split()[0]: line.split()[1] for line in told.splitlines() if len(line.split()) > 1}


def test_a_history_is_imported_without_a_server_and_its_report_adds_up(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(f"{json.dumps(track('A', '1', '2026-02-01T00:00:00Z'))}\nodd\n")
    told = numbers(jcurve("import", path, data=tmp_path / "data").stdout)
    assert (told["read"], told["taken"], told["refused"], told["unreadable"], told["2026-02"]) == ("2", "1", "1", "1", "1")
    again = numbers(jcurve("import", path, data=tmp_path / "data").stdout)
    assert (again["taken"], again["duplicates"]) == ("0", "1")
    status = jcurve("status", data=tmp_path / "data").stdout
    assert ["accepted", "1"] in [line.split() for line in status.splitlines()]


def test_a_wrong_file_option_or_project_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("name\nx\n")
    assert "found CSV with the columns name" in jcurve("import", path, data=tmp_path / "data", expect=2).stderr
    assert "--types a=date" in jcurve("import", path, "--types", "a=date", data=tmp_path / "data", expect=2).stderr
    assert "--zone Nowhere" in jcurve("import", path, "--zone", "Nowhere", data=tmp_path / "data", expect=2).stderr


def test_an_import_beside_a_server_is_killed_and_run_again_while_events_come_in(tmp_path: Path) -> None:
    data, path = tmp_path / "data", history(tmp_path)
    write, read = key(data, "write"), key(data, "read")
    command = [*COMMAND, "import", str(path), "--data", str(data)]
    with up(data) as running:
        with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as importing:
            staged = partial((data / "import").glob, "*/staged/*.json")
            eventually(lambda: any(staged()) or importing.poll() is not None, "the file is staged")
            assert running.post("/v1/track", track("A", "1", "2026-02-01T00:00:00Z"), write).status_code == 200
            time.sleep(0.2)
            importing.kill()
        told = numbers(jcurve("import", path, data=data).stdout)
        assert told["read"] == f"{SIZE:,}"
        assert running.post("/v1/track", track("B", "1", "2026-02-01T00:00:00Z"), write).status_code == 200
        eventually(lambda: accepted(running, read) == SIZE + 2, "all is in the lake")
        assert list((data / "import").iterdir()) == []
        again = numbers(jcurve("import", path, data=data).stdout)
        assert (again["taken"], again["duplicates"]) == ("0", f"{SIZE:,}")
