"""The SQL is written in the subset DuckDB and Spark share: sqlglot turns each file into Spark SQL without an objection."""

import pytest
import sqlglot
from sqlglot import ErrorLevel, exp

from sql.loader import Folder, load, names

FILES: list[tuple[Folder, str]] = [(folder, name) for folder in ("models", "metrics", "checks") for name in names(folder)]

# Silently different in Spark, or refused by it (measured on Spark 4.3).
AVOIDED = {"epoch", "epoch_us", "date_sub", "quantile_cont", "date_diff", "datediff", "struct_extract", "to_timestamp"}


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_a_portable_file_becomes_spark_sql(folder: Folder, name: str) -> None:
    query = load(folder, name)
    if query.dialect != "portable":
        return
    spark = sqlglot.transpile(query.text, read="duckdb", write="spark", unsupported_level=ErrorLevel.RAISE)
    assert len(spark) == 1
    sqlglot.parse_one(spark[0], read="spark")


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_a_portable_file_avoids_what_the_engines_do_differently(folder: Folder, name: str) -> None:
    query = load(folder, name)
    if query.dialect != "portable":
        return
    tree = sqlglot.parse_one(query.text, read="duckdb")
    called = {call.sql_name().lower() for call in tree.find_all(exp.Func)} | {
        call.name.lower() for call in tree.find_all(exp.Anonymous)
    }
    assert called & AVOIDED == set()
    assert not list(tree.find_all(exp.Qualify))


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_the_outermost_select_names_its_columns(folder: Folder, name: str) -> None:
    tree = sqlglot.parse_one(load(folder, name).text, read="duckdb")
    assert isinstance(tree, exp.Query)
    assert not any(isinstance(column, exp.Star) for column in tree.selects)


def test_only_the_files_that_must_are_for_duckdb_alone() -> None:
    assert [(folder, name) for folder, name in FILES if load(folder, name).dialect != "portable"] == [("models", "traits")]
