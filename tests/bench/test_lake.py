"""The lake of the bench is what it says, and the bench's steps run over it: its curve is for ``make bench-lake``."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.actor import actor_id
from ingest.event import EVENTS
from ingest.lake import Lake
from tests.bench import year
from tests.bench.lake import NOW, PREPARED, PROJECT, STEPS, Found, markdown, prepare, run
from transforms.engine import Engine
from transforms.layout import Rules
from transforms.manifest import current
from transforms.tidy import wanted


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    assert 15_000 < year.write(folder, 20_000, processes=1) < 25_000
    return folder


def test_a_year_lies_in_the_lake_as_tidy_leaves_it(made: Path) -> None:
    lake = Lake(str(made / "lake"))
    handle = lake.open(PROJECT, "events")
    assert handle is not None
    assert not wanted(lake, PROJECT, NOW, Rules())
    rows = handle.to_pyarrow_dataset().to_table()
    assert rows.schema.names == EVENTS.names
    assert len(set(rows["event_id"].to_pylist())) == len(rows)
    for file in handle.file_uris():
        with Engine(lake, PROJECT, {}) as engine:
            engine.read("part", "events", [file])
            order = engine.table("select event, time from part").to_pylist()
        assert order == sorted(order, key=lambda row: (row["event"], row["time"]))
    for row in rows.slice(0, 2_000).to_pylist():
        kind, own = ("user", row["user_id"]) if row["user_id"] is not None else ("anonymous", row["anonymous_id"])
        assert row["actor_id"] == actor_id(kind, own)
        assert row["month"] == f"{row['time']:%Y-%m}"


def test_the_same_seed_makes_the_same_year(made: Path, tmp_path: Path) -> None:
    year.write(tmp_path, 20_000, processes=1)
    one, other = (sorted((folder / "lake").rglob("month=*/*.parquet")) for folder in (made, tmp_path))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_every_step_runs_and_has_its_row(made: Path) -> None:
    """In the order of the bench, over a company whose people reach every stage."""
    found: dict[str, Found] = {}
    for step in STEPS:
        if step.name in PREPARED:
            prepare(step.name, made)
        found[step.name] = run(step.name, made)
        if step.name == "whole":
            lake = Lake(str(made / "lake"))
            in_force = current(lake, PROJECT)
            assert in_force is not None
            with Engine(lake, PROJECT, {name: in_force.tables[name] for name in ("stages", "invites")}) as engine:
                reached = engine.table("select distinct subject, stage from stages").num_rows
                credited = engine.table("select 1 from invites where scope is not null").num_rows
            assert (reached, credited > 0) == (8, True)
    table = markdown({20_000: found}, "2026-03-16")
    assert all(f"| {step.title} | " in table for step in STEPS)
