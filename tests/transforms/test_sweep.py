"""The nightly sweep removes what no manifest of the last week reads, and nothing else."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from ingest.lake import Lake
from tests.transforms.world import at, call, lake_of
from transforms.build import build
from transforms.core import CORE
from transforms.engine import Engine
from transforms.manifest import published
from transforms.sweep import sweep


def built_three_times(folder: Path) -> Lake:
    """Builds on day 1, 2 and 20, each with one more event, so that people has three versions."""
    lake = Lake(str(folder / "lake"))
    for batch, day in enumerate((1, 2, 20), start=1):
        lake_of(folder, [call(f"e{batch}", at(day), user="1")], batch)
        build(lake, "default", CORE, until=at(day), definition_version="aaaa", now=at(day))
    return lake


def age(folder: Path, when: datetime) -> None:
    """Makes the files of a folder look as old as that to whoever asks the file system."""
    for path in folder.rglob("*.parquet"):
        os.utime(path, (when.timestamp(), when.timestamp()))


def readable(lake: Lake) -> list[int]:
    versions = [manifest.tables["people"] for manifest in published(lake, "default")]
    for version in versions:
        with Engine(lake, "default", {"people": version}) as engine:
            assert engine.table("from people").num_rows == 1
    return versions


def test_manifests_older_than_a_week_go_except_the_one_in_force(tmp_path: Path) -> None:
    lake = built_three_times(tmp_path)
    assert readable(lake) == [1, 2, 3]
    sweep(lake, "default", now=at(9, 1))
    assert readable(lake) == [3]
    sweep(lake, "default", now=at(90))
    assert readable(lake) == [3]


def test_every_version_that_a_kept_manifest_names_stays_readable(tmp_path: Path) -> None:
    lake = built_three_times(tmp_path)
    age(tmp_path / "lake" / "default" / "people", at(0) - timedelta(days=400))
    assert sweep(lake, "default", now=at(8)) == 0
    assert readable(lake) == [1, 2, 3]


def test_a_sweep_of_nothing_writes_no_version(tmp_path: Path) -> None:
    lake = built_three_times(tmp_path)
    sweep(lake, "default", now=at(20))
    assert lake.version("default", "people") == 3


def test_a_project_that_was_never_built_is_left_alone(tmp_path: Path) -> None:
    assert sweep(Lake(str(tmp_path)), "default", now=at(1)) == 0
