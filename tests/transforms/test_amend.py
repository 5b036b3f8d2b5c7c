"""Whichever copy of an event was stored first, people and their ledger are those of the copy that came first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.contest import Place
from ingest.copies import Displaced, month_number
from ingest.exchange import exchange
from ingest.lake import Lake
from tests.transforms.test_incremental import Killed
from tests.transforms.world import Row, at, call, lake_of, rows_of, table
from transforms import build as build_module
from transforms.build import BuildResult, build
from transforms.core import CORE
from transforms.engine import Engine
from transforms.ledger import LEDGER
from transforms.undo import Hand, undo

OTHERS = [
    call("e2", at(1, minutes=5), kind="identify", user="2", anonymous="x"),
    call("e3", at(1, minutes=20), kind="identify", user="1", anonymous="x"),
    call("e4", at(2), event="Opened", anonymous="x"),
]
EARLY = call("e1", at(1), kind="identify", user="1", anonymous="x", received_at=at(1, minutes=7), log="log-0")
LATE = EARLY | {"time": at(1, minutes=9), "received_at": at(1, minutes=10), "log": "log-9", "log_offset": 7}


def make(lake: Lake) -> BuildResult:
    return build(lake, "default", CORE, until=at(9), definition_version="aaaa", now=at(9))


def give_way(lake: Lake, old: Row, new: Row, batch: int) -> None:
    """``new`` is stored in the place of ``old``."""
    when = old["received_at"]
    micros = int((when - at()) / timedelta(microseconds=1)) + int(at().timestamp()) * 1_000_000  # type: ignore[operator]
    place = Place(micros, str(old["log"]), int(str(old["log_offset"])), month_number(str(old["month"])))
    exchange(lake, "default", table([new]), [Displaced(str(old["event_id"]), place)], writer="test", batch=batch)


def known(lake: Lake, result: BuildResult) -> dict[str, pa.Table]:
    names = ("actors", "people", LEDGER)
    with Engine(lake, "default", {name: result.manifest.tables[name] for name in names}) as engine:
        return {name: engine.table(f"from {name} order by all") for name in names}


def test_a_link_is_told_by_the_copy_that_came_first_and_a_build_after_it_is_one_from_scratch(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "mended", [LATE, *OTHERS])
    first = make(lake)
    assert owner(lake, first) == "user:2"  # at the time of the later copy it is the second link
    give_way(lake, LATE, EARLY, 2)
    mended = make(lake)
    assert owner(lake, mended) == "user:1"
    fresh = lake_of(tmp_path / "fresh", [EARLY, *OTHERS])
    wanted, found = known(fresh, make(fresh)), known(lake, mended)
    assert {name: rows for name, rows in found.items() if name != LEDGER} == {
        name: rows for name, rows in wanted.items() if name != LEDGER
    }
    with Engine(lake, "default", {}) as engine:
        engine.bind("ledger", found[LEDGER])
        links = rows_of(engine.table("from ledger where entry = 'e1'"), "time", "known_at", "owner")
    assert links == [(EARLY["time"], EARLY["received_at"], "user:1")]
    assert not make(lake).changed


def test_a_link_that_was_left_out_as_later_than_the_displaced_copy_is_found(tmp_path: Path) -> None:
    """The copy that came first has the later time of the two: now another call of the pair is its first link."""
    early = EARLY | {"time": at(1, minutes=30)}
    lake = lake_of(tmp_path / "mended", [LATE, *OTHERS])
    make(lake)
    give_way(lake, LATE, early, 2)
    found = known(lake, make(lake))
    fresh = lake_of(tmp_path / "fresh", [early, *OTHERS])
    wanted = known(fresh, make(fresh))
    assert found == wanted


def test_an_undo_of_the_link_holds(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [LATE, *OTHERS])
    make(lake)
    undo(lake, "default", "e1", Hand("me", "why", at(9)))
    give_way(lake, LATE, EARLY, 2)
    assert owner(lake, make(lake)) == "user:2"


def test_a_build_that_dies_after_the_ledger_was_amended_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(tmp_path / "mended", [LATE, *OTHERS])
    make(lake)
    give_way(lake, LATE, EARLY, 2)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(build_module, "gather", die)
        with pytest.raises(Killed):
            make(lake)
    version = lake.version("default", LEDGER)
    assert owner(lake, make(lake)) == "user:1"
    assert lake.version("default", LEDGER) == version


def owner(lake: Lake, result: BuildResult) -> str:
    """Whose the device is."""
    with Engine(lake, "default", {"actors": result.manifest.tables["actors"]}) as engine:
        found: str = engine.table(
            "select min(owner.id) as id from actors join actors owner using (person_id) "
            "where actors.id = 'anonymous:x' and owner.id like 'user:%'"
        )["id"][0].as_py()
    return found
