"""A repair of ``stages`` over random changes gives the rows of a whole run, and leaves whom nothing touched alone."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import pyarrow as pa
import pytest

from funnels.definitions.definition import Definitions
from funnels.models.stages import models
from ingest.lake import Lake
from sql.loader import Query
from tests.funnels.models.test_stage_walk import FUNNELS, STAGES, history
from tests.funnels.world import definitions_of, did, joined
from tests.transforms.world import Row, at, call, table
from transforms.core import core
from transforms.domains import LEFT_BY
from transforms.draft import Draft
from transforms.engine import Engine
from transforms.model import Model, make
from transforms.repair import Repair
from transforms.tables import ID_LINKS, TABLES

WORLDS: Final = 120
TRAFFIC: Final = "[internal]\nids = ['anonymous:ours']\ndomains = ['ours.io']\n"
Tables = Mapping[str, pa.Table]


class Kept:
    """Stands for a draft: what the table is after the repair, and how many keys were made again."""

    def __init__(self, engine: Engine, query: Query) -> None:
        self._engine, self._query = engine, query
        self.rows = self.stale = pa.table({})

    def repair(self, old: str, made: str) -> int:
        columns = ", ".join(f'"{name}"' for name in TABLES[self._query.name].names)
        self.rows = self._engine.table(
            f"select {columns} from (from base.{self._query.name} except all from {old}) "
            f"union all select {columns} from {made} order by {', '.join(self._query.grain)}"
        )
        self.stale = self._engine.table("from stale")
        return len(self.stale)


def whole(rows: Sequence[Row], definitions: Definitions) -> dict[str, pa.Table]:
    """Every table made of these events."""
    with Engine(Lake("unused"), "default", {}) as engine:
        engine.bind("events", table(rows))
        engine.bind("id_links", ID_LINKS.empty_table())
        own = [model for model in models(definitions) if not model.query.name.startswith("invite")]
        return {model.query.name: make(engine, model) for model in (*core(), *own)} | {"events": table(rows)}


def repaired(before: Tables, after: Tables, moved: Sequence[Row], came: set[str], definitions: Definitions) -> Kept:
    """``stages`` as of ``before``, repaired for what moved."""
    own: Sequence[Model] = models(definitions)
    with Engine(Lake("unused"), "default", {}) as engine:
        stages = next(model for model in own if model.query.name == "stages")
        kept = Kept(engine, stages.query)
        repair = Repair(engine, own, {"stages": cast(Draft, kept)})
        for name in (*TABLES, "events"):
            if name in after:
                engine.bind(name, before[name] if name == "stages" else after[name])
        for name in TABLES:
            if name in after and name != "stages":
                engine.bind(f"old_{name}", before[name])
                engine.make(f"went_{name}", f"from old_{name} except all from {name}")
                engine.make(f"came_{name}", f"from {name} except all from old_{name}")
                engine.make(f"changed_{name}", f"from went_{name} union all from came_{name}")
        flags = pa.array([row["event_id"] in came for row in moved], pa.bool_())
        engine.bind("moved_events", table(moved).append_column("came", flags))
        repair.bind_moved()
        repair.make(stages, "repair")
    return kept


def changed(seeded: random.Random, world: int, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """What a world loses, and what it gains: work, members, ids of one more device, internal traffic, aliases."""
    lost = [row for row in rows if seeded.random() < 0.04]
    people = [f"w{world}p{n}" for n in range(4)]
    person, other = seeded.sample(people, 2)
    device = f"w{world}device"
    time = at(seeded.randrange(12))
    gains: list[list[Row]] = [
        [did(person, seeded.choice(("Signed Up", "Signed In", "Task Completed", "Project Created")), time, f"w{world}late")],
        [did(person, "Task Completed", time, f"w{world}named", account_id=f"w{world}a{seeded.randrange(3)}")],
        [joined(person, f"w{world}a{seeded.randrange(3)}", time) | {"event_id": f"w{world}joins"}],
        [did(person, LEFT_BY, time, f"w{world}leaves", account_id=seeded.choice((None, f"w{world}a0", f"w{world}a1")))],
        [call(f"w{world}device is {person}", time, kind="identify", user=person, anonymous=device)],
        [call(f"w{world}alias", time, kind="alias", user=person, previous_id=other)],
        [call(f"w{world}internal", time, kind="identify", user=person, traits={"email": f"{person}@ours.io"})],
    ]
    return lost, [row for gain in seeded.sample(gains, seeded.choice((0, 1, 1, 2))) for row in gain]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_repair_gives_the_rows_of_a_whole_run(tmp_path: Path, seed: int) -> None:
    seeded = random.Random(seed)
    definitions = definitions_of(tmp_path, stages=STAGES, funnels=FUNNELS, traffic=TRAFFIC)
    first: list[Row] = []
    lost: list[Row] = []
    gained: list[Row] = []
    moving: set[int] = set()
    for world in range(WORLDS):
        rows = history(seeded, world)[0]
        rows += [
            call(f"w{world} on a device {n}", at(seeded.randrange(9)), anonymous=f"w{world}device", event="Task Completed")
            for n in range(seeded.randrange(3))
        ]
        first += rows
        if seeded.random() < 0.6:
            goes, comes = changed(seeded, world, rows)
            lost, gained = lost + goes, gained + comes
            moving |= {world} if goes or comes else set()
    gone = {str(row["event_id"]) for row in lost}
    second = [row for row in first if row["event_id"] not in gone] + gained
    before, after = whole(first, definitions), whole(second, definitions)
    kept = repaired(before, after, [*lost, *gained], {str(row["event_id"]) for row in gained}, definitions)
    assert kept.rows.cast(TABLES["stages"]).to_pylist() == after["stages"].to_pylist()
    assert before["stages"].to_pylist() != after["stages"].to_pylist()
    stale = [re.search(r"w(\d+)", key) for key in kept.stale["subject_id"].to_pylist()]
    assert {int(found[1]) for found in stale if found} <= moving
    assert 0 < len(stale) < WORLDS * 4


def test_work_that_opens_nothing_makes_nobody_stale(tmp_path: Path) -> None:
    """What a person does after having entered all that it could open is told by one look at the moved events."""
    definitions = definitions_of(tmp_path)
    rows = [did("a", "Signed Up", at(0)), joined("a", "acme", at(0)), did("b", "Signed Up", at(0))]
    again = [did("a", "Signed Up", at(5), "again"), did("b", "Page Nobody Reads", at(5), "unread")]
    before, after = whole(rows, definitions), whole(rows + again, definitions)
    kept = repaired(before, after, again, {"again", "unread"}, definitions)
    assert kept.stale.num_rows == 0
