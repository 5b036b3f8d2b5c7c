"""The SQL is written in the subset DuckDB and Spark share: it becomes Spark SQL, and calls nothing that was not compared."""

import pytest
import sqlglot
from sqlglot import exp

from sql.loader import Folder, load, names
from sql.spark import spark_text

FILES: list[tuple[Folder, str]] = [(folder, name) for folder in ("models", "metrics", "checks") for name in names(folder)]

# What the files call, as sqlglot names it, and both engines were seen to do alike (tests/transforms/test_spark.py). Their
# hashes differ; only whether two are equal is asked.
ALIKE = """
    and any_value arg_max arg_min array array_agg case cast coalesce concat_ws count date_trunc epoch epoch_us exists
    flatten greatest group_concat hash if json_each json_extract json_extract_scalar json_keys json_object_keys json_type
    lag lead like list lower max min nullif or regexp_extract regexp_like row_number struct string_agg sum time_to_unix
    timestamp_trunc timezone to_json trim
"""


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_a_file_becomes_spark_sql(folder: Folder, name: str) -> None:
    query = load(folder, name)
    spark = spark_text(query.text, dict.fromkeys(query.parameters, 1))
    tree, told = sqlglot.parse_one(spark, read="spark"), sqlglot.parse_one(query.text, read="duckdb")
    assert not list(tree.find_all(exp.Placeholder))
    assert isinstance(tree, exp.Query) and isinstance(told, exp.Query)
    assert [column.alias_or_name for column in tree.selects] == [column.alias_or_name for column in told.selects]


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_a_file_calls_what_both_engines_do_alike(folder: Folder, name: str) -> None:
    tree = sqlglot.parse_one(load(folder, name).text, read="duckdb")
    called = {call.sql_name().lower() for call in tree.find_all(exp.Func)} | {
        call.name.lower() for call in tree.find_all(exp.Anonymous)
    }
    assert called - {"anonymous"} - set(ALIKE.split()) == set(), "run it on Spark, compare, and add it to ALIKE"
    assert not list(tree.find_all(exp.Qualify))


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_the_outermost_select_names_its_columns(folder: Folder, name: str) -> None:
    tree = sqlglot.parse_one(load(folder, name).text, read="duckdb")
    assert isinstance(tree, exp.Query)
    assert not any(isinstance(column, exp.Star) for column in tree.selects)
