"""Two engines, the same rows: every file of sql/ on a real Spark and on DuckDB, over a demo company and random worlds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pytest

from funnels.definitions.definition import Definitions
from funnels.definitions.load import DEFAULTS, load
from funnels.models.selections import matching
from funnels.models.stages import models
from ingest.demo import Size, deliver, plan
from ingest.lake import Lake
from sql import loader
from sql.loader import names
from tests.e2e.test_planted_truth import END, into_the_lake
from tests.funnels.world import definitions_of
from tests.transforms.messy_world import ACCOUNTS, FUNNELS, STAGES, TRAFFIC, VIRALITY, messy
from tests.transforms.test_checks import BREAKS, LIMIT, sound_engine
from tests.transforms.world import Row, at, call, lake_of, undo
from transforms import days
from transforms import spark as on_spark
from transforms.core import core, who_is_who
from transforms.domains import Domains
from transforms.engine import Engine
from transforms.errors import CheckFailed, ModelFailed
from transforms.identity import View
from transforms.ledger import LEDGER, gather
from transforms.model import Model, make
from transforms.spark import SparkEngine
from transforms.tables import ID_LINKS, TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WORLDS: Final = 60
ZONE: Final = "Europe/Berlin"
METRICS: Final[Mapping[str, Sequence[Mapping[str, object]]]] = {
    "north_star": [
        {"unit": "account", "grain": "week", "zone": ZONE, "times": 1},
        {"unit": "person", "grain": "day", "zone": "America/Sao_Paulo", "times": 2},
    ],
    "viral_coefficient": [
        {
            "stage": "registered",
            "horizon": timedelta(days=3, microseconds=1),
            "start": start,
            "until": at(28),
            "as_of": at(29),
            "grain": "month",
            "zone": ZONE,
        }
        for start in (None, at(3))
    ],
}
Pairs = dict[str, tuple[pa.Table, pa.Table]]  # by relation: its rows in DuckDB and in Spark

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # pyspark leaves sockets to the collector


def both(
    spark: SparkSession, lake: Lake, definitions: Definitions, made: Sequence[Model], undos: Sequence[Row] = ()
) -> Pairs:
    """Every relation of a build and the answers of every metric, by both engines."""
    versions = {
        "events": lake.version("default", "events"),
        LEDGER: gather(lake, "default", lake.version("default", "events")),
    }
    if undos:
        ledger = pa.Table.from_pylist(list(undos), ID_LINKS)
        lake.append("default", LEDGER, ledger, writer="undos", batch=1, partition=None)
        versions[LEDGER] = lake.version("default", LEDGER)
    with Engine(lake, "default", versions) as duck, SparkEngine(spark, lake, "default", versions) as other:
        for one in made:
            make(duck, one)
            on_spark.make(other, one)
        for engine in (duck, other):
            engine.bind("matches", matching(engine, [definitions.north_star.selections], definitions.internal))
            for name, variants in METRICS.items():
                for number, params in enumerate(variants):
                    engine.bind(f"{name}_{number}", engine.table(loader.load("metrics", name).text, params))
            engine.bind(LEDGER, ID_LINKS.empty_table())
            engine.bind("links_found", engine.table(loader.load("models", "links_found").text))
        found = duck.relations - {"events", LEDGER, "fresh_links", "free_domains"}
        return {name: (duck.table(f'from "{name}"'), other.table(f'from "{name}"')) for name in sorted(found)}


@pytest.fixture(scope="module")
def company(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    folder = tmp_path_factory.mktemp("company")
    lake, definitions = Lake(str(folder / "lake")), load(DEFAULTS)
    into_the_lake(folder, lake, deliver(plan(Size(people=60, accounts=12, days=45, seed=5), END)))
    made = (*core(zone=ZONE), *days.models(ZONE), *models(definitions))
    return both(spark, lake, definitions, made)


@pytest.fixture(scope="module")
def chance(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    folder, seeded = tmp_path_factory.mktemp("chance"), random.Random(5)
    rows = [row for world in range(WORLDS) for row in messy(seeded, world)]
    definitions = definitions_of(
        folder, stages=STAGES, funnels=FUNNELS, virality=VIRALITY, traffic=TRAFFIC, accounts=ACCOUNTS
    )
    made = (*core(View(runaway_links=4), Domains(on=True), ZONE), *days.models(ZONE), *models(definitions))
    undos = [
        undo(f"u{world}", at(30), f"anonymous:w{world}d0", f"user:w{world}u{n}") for world in range(WORLDS) for n in (0, 1)
    ]
    return both(spark, lake_of(folder, rows), definitions, made, undos)


@pytest.fixture(scope="module")
def sound(spark: SparkSession) -> Iterator[tuple[Engine, SparkEngine]]:
    """Both engines with every table of a sound world."""
    with sound_engine() as duck, SparkEngine(spark, duck.lake, duck.project, {}) as other:
        for name in duck.relations:
            other.bind(name, duck.table(f'from "{name}"'))
        yield duck, other


@pytest.mark.parametrize("name", names("models"))
def test_a_model_makes_the_same_rows_of_a_company(company: Pairs, name: str) -> None:
    assert_same(*company[name])


@pytest.mark.parametrize("name", names("models"))
def test_a_model_makes_the_same_rows_of_random_worlds(chance: Pairs, name: str) -> None:
    assert_same(*chance[name])
    assert chance[name][0].num_rows > 2


@pytest.mark.parametrize("name", names("metrics"))
def test_a_metric_has_the_same_answer(company: Pairs, chance: Pairs, name: str) -> None:
    for number in range(len(METRICS[name])):
        assert_same(*company[f"{name}_{number}"])
        assert_same(*chance[f"{name}_{number}"])
        assert chance[f"{name}_{number}"][0].num_rows > 2


@pytest.mark.parametrize("name", names("checks"))
def test_a_check_finds_the_same_fault(sound: tuple[Engine, SparkEngine], name: str) -> None:
    duck, other = sound
    relation, text = BREAKS[name]
    query = loader.load("checks", name)
    params = {key: value for key, value in LIMIT.items() if key in query.parameters}
    whole, broken = duck.table(f"from {relation}"), duck.table(text)
    try:
        duck.bind(relation, broken)
        other.bind(relation, broken)
        expected, found = duck.table(query.text, params), other.table(query.text, params)
    finally:
        duck.bind(relation, whole)
        other.bind(relation, whole)
    assert expected.num_rows >= 1
    assert_same(expected, found)


def test_what_is_handed_over_between_models_is_the_same(chance: Pairs) -> None:
    for name in ("user_roots", "undone_links", "internal_events", "stage_leavings", "settled"):
        assert_same(*chance[name])
        assert chance[name][0].num_rows > 2, name


def test_a_run_gives_the_tables_as_they_are_stored_once_every_check_holds(spark: SparkSession, tmp_path: Path) -> None:
    rows = [call("e1", at(0), anonymous="x"), call("e2", at(1), kind="identify", user="1", anonymous="x")]
    lake = lake_of(tmp_path, rows)
    tables = on_spark.run(spark, lake, "default", who_is_who(), 1, gather(lake, "default", 1))
    assert sorted(tables) == sorted(model.query.name for model in who_is_who() if model.query.name in TABLES)
    assert tables["actors"].schema == TABLES["actors"]
    assert set(tables["actors"]["person"].to_pylist()) == {"anonymous:x"}
    lake_of(tmp_path, [call("e1", at(2), user="2")], batch=2)  # in the month of the first
    with pytest.raises(CheckFailed, match="event_ids_are_unique: 1 rows"):
        on_spark.run(spark, lake, "default", (), 2, None)


def test_a_model_that_spark_refuses_is_named(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(ModelFailed, match=r"sql/models/links.sql could not be built: KeyError: 'known_at'"):
        on_spark.run(spark, lake_of(tmp_path, []), "default", [Model(loader.load("models", "links"))], None, None)


def assert_same(one: pa.Table, other: pa.Table) -> None:
    """The same rows in any order, under the same names, of the same kinds of type."""
    assert one.column_names == other.column_names
    assert [kind(field.type) for field in one.schema] == [kind(field.type) for field in other.schema]
    assert plain(one) == plain(other)


def kind(of: pa.DataType) -> str:
    """Engines count in integers of different width; a stored table's are cast to its own."""
    if pa.types.is_integer(of) or (pa.types.is_decimal(of) and of.scale == 0):
        return "integer"
    return f"list of {kind(of.value_type)}" if pa.types.is_list(of) else str(of)


def plain(rows: pa.Table) -> list[str]:
    return sorted(repr([_plain(value) for value in row.values()]) for row in rows.to_pylist())


def _plain(value: object) -> object:
    if isinstance(value, list):
        return sorted(value)
    return int(value) if type(value).__name__ == "Decimal" else value  # type: ignore[call-overload]
