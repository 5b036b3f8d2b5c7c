"""One Spark for all tests that need one: small, without a network, with Delta's connector that `make spark` put down."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MAVEN: Final = Path.home() / ".m2" / "repository"
JARS: Final = [
    MAVEN / "io/delta/delta-spark_4.1_2.13/4.2.0/delta-spark_4.1_2.13-4.2.0.jar",
    MAVEN / "io/delta/delta-storage/4.2.0/delta-storage-4.2.0.jar",
    MAVEN / "org/antlr/antlr4-runtime/4.13.1/antlr4-runtime-4.13.1.jar",
]
_SETTINGS: Final = {
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "OFF",
    "spark.pyspark.python": sys.executable,
    "spark.jars": ",".join(map(str, JARS)),
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # For a few rows a plan that is interpreted is done before one that is compiled has been; so it is with Java's own code.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def missing() -> str | None:
    """Why there can be no Spark here, None where there can."""
    if find_spec("pyspark") is None:
        return "pyspark is missing: make spark"
    if shutil.which("java") is None:
        return "Java is missing: install Java 17"
    if not all(jar.exists() for jar in JARS):
        return "Spark's Delta connector is missing: make spark"
    return None


def session() -> SparkSession:
    """The caller stops it."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("jcurve's tests")
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
