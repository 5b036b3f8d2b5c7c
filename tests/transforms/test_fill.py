"""Tables by day that are filled a month after another have the rows of tables that are made at once."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.lake import Lake
from sql.loader import load
from tests.transforms.world import Row, built, call, lake_of
from transforms import days
from transforms.build import build
from transforms.core import core
from transforms.engine import Engine
from transforms.fill import Filling
from transforms.manifest import current
from transforms.model import Model
from transforms.tables import TABLES

BY_DAY = ("sessions", "activity", "person_days", "account_days")
BORDERS = [datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 4, 6)]  # nothing happens in all of May
NOW = datetime(2026, 7, 1, tzinfo=UTC)


def filled(folder: Path, rows: list[Row], models: tuple[Model, ...], leaf_rows: int) -> dict[str, pa.Table]:
    """The tables of a first build, as the version in force has them."""
    lake = lake_of(folder, rows)
    build(lake, "default", models, until=NOW, definition_version="v1", now=NOW, leaf_rows=leaf_rows)
    manifest = current(lake, "default")
    assert manifest is not None
    with Engine(lake, "default", manifest.tables) as engine:
        return {name: in_order(engine.table(f"from {name}")) for name in BY_DAY}


def in_order(rows: pa.Table) -> pa.Table:
    return rows.sort_by([(name, "ascending") for name in rows.column_names])


def around(border: datetime, choose: random.Random) -> datetime:
    return border + choose.choice([timedelta(minutes=20), timedelta(hours=5), timedelta(days=9)]) * choose.uniform(-1, 1)


@pytest.mark.parametrize(
    ("zone", "leaf_rows"),
    [("UTC", 65_536), ("Asia/Kathmandu", 4), ("America/Los_Angeles", 4), ("Pacific/Kiritimati", 65_536)],
)
def test_months_after_one_another_make_what_all_at_once_make(zone: str, leaf_rows: int, tmp_path: Path) -> None:
    choose = random.Random(zone)
    rows = [
        call(
            f"e{number}",
            around(choose.choice(BORDERS), choose),
            kind=choose.choice(["page", "track"]),
            user=str(choose.randint(1, 12)),
            account_id=choose.choice([None, "a", "b"]),
            source=choose.choice(["web", "app"]),
        )
        for number in range(400)
    ]
    models = (*core(zone=zone), *days.models(zone))
    wanted = built(rows, models=models)
    found = filled(tmp_path, rows, models, leaf_rows)
    assert {name: rows.num_rows for name, rows in found.items()} == {name: wanted[name].num_rows for name in BY_DAY}
    for name in BY_DAY:
        assert found[name].to_pylist() == in_order(wanted[name]).to_pylist(), name


def test_only_the_last_month_is_kept_while_the_next_one_is_made(tmp_path: Path) -> None:
    query = load("models", "account_days")
    with Engine(Lake(str(tmp_path)), "default", {}) as engine:
        engine.bind("gone", TABLES[query.name].empty_table())
        filling = Filling(engine, query, leaf_rows=4)
        for number in range(1, 5):
            row = f"select 'a' as account_id, date '2026-{number:02d}-09' as day, 1 as events, 1 as tracks, 0 as pages"
            filling.fill("gone", f"{row}, 0 as bots, 1 as people", {}, f"2026-{number:02d}")
            assert len([name for name in engine.relations if name.startswith("fresh_account_days")]) == 1
        assert engine.table("select count(*) as n from account_days")["n"].to_pylist() == [4]
        filling.discard()


def test_a_session_of_months_is_one(tmp_path: Path) -> None:
    """Something sends every 29 minutes: each month takes back a row of the first one, which is written long since."""
    first, every = datetime(2026, 1, 31, 23, tzinfo=UTC), timedelta(minutes=29)
    rows = [call(f"e{number:05d}", first + number * every, user="1") for number in range(60 * 24 * 62 // 29)]
    rows.append(call("f", datetime(2026, 1, 5, tzinfo=UTC), user="2"))
    found = filled(tmp_path, rows, (*core(), *days.models()), 4)
    assert found["sessions"].select(["session_id", "started", "ended", "events"]).to_pylist() == [
        {"session_id": "e00000", "started": first, "ended": rows[-2]["time"], "events": len(rows) - 1},
        {"session_id": "f", "started": rows[-1]["time"], "ended": rows[-1]["time"], "events": 1},
    ]
    assert sum(found["person_days"]["sessions"].to_pylist()) == 2
    assert sum(found["activity"]["events"].to_pylist()) == len(rows)
