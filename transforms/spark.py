"""The build's models and checks on Spark: the same SQL files, the same rows.

``run`` makes every table whole, from all events, and stores none. It needs pyspark (``pip install jcurve[spark]``) and
Java 17, and no connector: which files hold a version of a table is read from its log, as the DuckDB engine does it. So the
lake must be one that Spark's machines can read at the same path.

    from transforms import ledger, spark
    events = lake.version(project, "events")
    links = ledger.gather(lake, project, events)  # or the version that a manifest names
    tables = spark.run(spark.local_session(), lake, project, models, events, links)  # models as in api/building.py

Constraints
- A model's rows go to Parquet in a scratch folder and are read again from there, so that the models after it start from
  rows and not from an ever longer plan. The driver gets what Python hands over (``Model.inputs``) and what ``run`` returns.
- A session of our own on the given one's context: its zone is UTC, its views and settings touch nobody else's.
- The links of new events are gathered by DuckDB (``ledger.py``); their model runs on Spark as well as any other.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import pyarrow as pa

from ingest.lake import Lake
from sql.spark import JSON_ITEMS, JSON_PAIRS, JSON_QUOTED, JSON_TEXT, JSON_TYPE, JSON_VALUE, spark_text
from transforms import checks, spark_json
from transforms.engine import Engine, folder_of
from transforms.errors import ModelFailed
from transforms.ledger import LEDGER
from transforms.model import Model
from transforms.tables import ID_LINKS, SCHEMAS, TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # the default is a type that only Spark reads as UTC
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",  # a month is a text
    "spark.sql.ansi.enabled": "true",
}


def local_session(memory: str = "2g", cores: int = 2) -> SparkSession:
    """A Spark in this process, reachable by nobody else; the caller stops it. Raises ``ImportError`` without pyspark."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{cores}]").appName("jcurve")
    settings = {
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.pyspark.python": sys.executable,
        "spark.sql.shuffle.partitions": str(2 * cores),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


class SparkEngine(Engine):
    """An ``Engine`` to whoever binds relations and asks: queries come in DuckDB's SQL and run on Spark.

    A name has one relation, there are no ``base`` and ``narrow`` to tell apart: it makes tables whole and repairs none. It
    reads local lakes, and does nothing with files (``bind_files``, ``batches``, ``copy``).
    """

    def __init__(self, session: SparkSession, lake: Lake, project: str, versions: Mapping[str, int | None]) -> None:
        self.versions = dict(versions)
        self.interrupted = False
        self._lake, self._project = lake, project
        self._bound: set[str] = set()
        self._made = 0
        self._scratch = TemporaryDirectory(prefix="jcurve-spark-")
        self._session = session.newSession()
        for name, value in _SETTINGS.items():
            self._session.conf.set(name, value)
        _register(self._session)
        for name, version in versions.items():
            self._open(name, version)

    def bind(self, name: str, rows: pa.Table) -> None:
        self._session.createDataFrame(rows).createOrReplaceTempView(name)
        self._bound.add(name)

    def read(self, name: str, table: str, files: Sequence[str], root: str | None = None) -> None:
        """Makes Parquet files of a lake table a relation; ``root`` is the table's folder, under which its partitions lie."""
        empty = self._session.createDataFrame(SCHEMAS[table].empty_table())
        reader = self._session.read.schema(empty.schema)
        rows = (reader.option("basePath", root) if root else reader).parquet(*files) if files else empty
        rows.createOrReplaceTempView(name)
        self._bound.add(name)

    def table(self, text: str, params: Mapping[str, object] | None = None) -> pa.Table:
        return self._session.sql(spark_text(text, params)).toArrow()

    def make(self, name: str, text: str, params: Mapping[str, object] | None = None) -> int:
        """Keeps the rows of a query, worked out once and now, as a relation of that name; returns how many there are."""
        self._made += 1
        path = str(Path(self._scratch.name) / f"{self._made}-{name}")
        rows = self._session.sql(spark_text(text, params))
        rows.write.parquet(path)
        kept = self._session.read.schema(rows.schema).parquet(path)
        kept.createOrReplaceTempView(name)
        self._bound.add(name)
        return kept.count()

    def view(self, name: str, text: str) -> None:
        self._session.sql(spark_text(text)).createOrReplaceTempView(name)
        self._bound.add(name)

    def drop(self, name: str) -> None:
        """Forgets a relation of that name, if there is one."""
        self._session.catalog.dropTempView(name)
        self._bound.discard(name)

    def close(self) -> None:
        for name in self._bound:
            self._session.catalog.dropTempView(name)
        self._scratch.cleanup()

    def _open(self, name: str, version: int | None) -> None:
        handle = None if version is None else self._lake.open(self._project, name, version)
        if handle is None:
            self.read(name, name, [])
        else:
            self.read(name, name, [unquote(uri) for uri in handle.file_uris()], str(folder_of(handle)))


def run(
    session: SparkSession, lake: Lake, project: str, models: Sequence[Model], events: int | None, ledger: int | None
) -> dict[str, pa.Table]:
    """The tables the models make of one version of the events and a ledger that has their links (``ledger.gather``).

    Checked, and not stored; rows come in the order of each table's grain. Raises ``ModelFailed`` and ``CheckFailed``.
    """
    with SparkEngine(session, lake, project, {"events": events, LEDGER: ledger}) as engine:
        engine.bind("fresh_links", ID_LINKS.empty_table())
        for model in models:
            make(engine, model)
        checks.run(engine)
        return {model.query.name: rows_of(engine, model) for model in models if model.query.name in TABLES}


def make(engine: SparkEngine, model: Model) -> None:
    """Makes one model's rows a relation of its name. Raises ``ModelFailed``."""
    try:
        for name, relation in (model.inputs(engine) if model.inputs else {}).items():
            engine.bind(name, relation)
        engine.make(model.query.name, model.query.text, model.params)
    except Exception as error:
        raise ModelFailed(model.query.name, error) from error


def rows_of(engine: SparkEngine, model: Model) -> pa.Table:
    """A made model's rows in the order of its grain, typed as the table of its name is."""
    query = model.query
    rows = engine.table(f"from {query.name}").sort_by([(column, "ascending") for column in query.grain])
    return rows.select(TABLES[query.name].names).cast(TABLES[query.name])


def _register(session: SparkSession) -> None:
    """Gives a session the functions on JSON that ``sql.spark`` calls; the workers get the module itself, not its name."""
    from pyspark import cloudpickle
    from pyspark.sql.types import ArrayType, StringType, StructField, StructType

    send_whole: Callable[[ModuleType], None] = cloudpickle.register_pickle_by_value
    send_whole(spark_json)
    text = StringType()
    pair = StructType([StructField(name, text) for name in ("key", "value")])
    item = StructType([StructField(name, text) for name in ("kind", "text", "value")])
    session.udf.register(JSON_TEXT, spark_json.json_text, text)
    session.udf.register(JSON_VALUE, spark_json.json_value, text)
    session.udf.register(JSON_TYPE, spark_json.json_kind, text)
    session.udf.register(JSON_PAIRS, spark_json.json_pairs, ArrayType(pair))
    session.udf.register(JSON_ITEMS, spark_json.json_items, ArrayType(item))
    session.udf.register(JSON_QUOTED, spark_json.json_quoted, text)
