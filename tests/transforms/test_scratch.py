"""Temporary folders that outlive nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ingest.lake import Lake
from transforms.engine import Engine, Limits
from transforms.scratch import Scratch, clear

MAKE = """
import sys, time
from pathlib import Path
from transforms.scratch import Scratch

made = Scratch(Path(sys.argv[1]))
(made.path / "spilled").write_text("x")
print(made.name, flush=True)
time.sleep(60)
"""


def test_a_folder_goes_with_its_block_and_one_in_use_stays(tmp_path: Path) -> None:
    with Scratch(tmp_path / "scratch") as one, Scratch(tmp_path / "scratch") as two:
        assert one.path.parent == tmp_path / "scratch" and one.path.is_dir() and two.path.is_dir()
        assert clear(tmp_path / "scratch") == 0
    assert list((tmp_path / "scratch").iterdir()) == []
    assert clear(tmp_path / "nowhere") == 0


def test_what_a_killed_process_left_goes_when_the_next_one_begins(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        left = Path(killed.stdout.readline().strip())
        with Scratch(tmp_path):
            assert (left / "spilled").exists()
        os.kill(killed.pid, signal.SIGKILL)
    with Scratch(tmp_path) as next_one:
        assert list(tmp_path.iterdir()) == [next_one.path]


def test_many_at_once_do_not_clear_each_other(tmp_path: Path) -> None:
    def use(number: int) -> bool:
        with Scratch(tmp_path) as own:
            (own.path / "spilled").write_text("x")
            return own.path.is_dir()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(400)))
    assert list(tmp_path.iterdir()) == []


def test_an_engine_spills_there(tmp_path: Path) -> None:
    with Engine(Lake(str(tmp_path / "lake")), "default", {}, Limits("60MB", 1, tmp_path / "scratch")) as engine:
        folder = engine.table("select current_setting('temp_directory') as folder")["folder"][0].as_py()
        assert Path(folder).parent == tmp_path / "scratch"
    assert list((tmp_path / "scratch").iterdir()) == []
