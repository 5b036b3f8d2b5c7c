"""A query in Spark's SQL: its values, and what sqlglot alone would leave different. Whether rows are equal, Spark tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sql.spark import spark_text


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, "NULL"),
        (True, "TRUE"),
        (-7, "-7"),
        (0.1, "CAST('0.1' AS DOUBLE)"),
        ("it's a \\ and\na line", r"'it\'s a \\ and\na line'"),
        (datetime(2026, 3, 2, 1, 0, 0, 5, tzinfo=UTC), "TIMESTAMP_MICROS(1772413200000005)"),
        (timedelta(days=30, microseconds=1), "MAKE_DT_INTERVAL(0, 0, 0, 2592000.000001)"),
        (-timedelta(microseconds=1), "MAKE_DT_INTERVAL(0, 0, 0, -0.000001)"),
    ],
)
def test_a_value_becomes_a_literal(value: object, literal: str) -> None:
    assert spark_text("select $it as it", {"it": value}) == f"SELECT {literal} AS it"


def test_a_value_of_another_type_or_none_at_all_is_refused() -> None:
    with pytest.raises(TypeError, match="list has no literal in Spark's SQL"):
        spark_text("select $it as it", {"it": []})
    with pytest.raises(KeyError, match="it"):
        spark_text("select $it as it")


@pytest.mark.parametrize(
    ("duckdb", "spark"),
    [
        ("""a ->> '$."b c"'""", """JSON_TEXT(a, '$."b c"')"""),
        ("json_extract(a, '/b') ->> '$'", "JSON_TEXT(JSON_VALUE(a, '/b'), '$')"),
        ("timezone('UTC', a)", "FROM_UTC_TIMESTAMP(a, 'UTC')"),
        ("timezone('UTC', try_cast(a as timestamp))", "TO_UTC_TIMESTAMP(TRY_CAST(a AS TIMESTAMP), 'UTC')"),
        ("epoch(a)", "(UNIX_MICROS(a) / 1e6)"),
        ("try_cast(a as hugeint)", "TRY_CAST(a AS DECIMAL(38, 0))"),
        ("lower(a)", "LOWER(TRANSLATE(a, '\u0130\u03a3', 'i\u03c3'))"),
        ("min_by(a, b)", "MIN_BY(a, CASE WHEN NOT a IS NULL THEN b END)"),
        ("a like '%.' || b", r"a LIKE REPLACE('%.' || b, '\\', '\\\\')"),
        ("regexp_matches(a, '^[$]x[.]$')", r"a RLIKE '(?d)^[$]x[.]\\z'"),
        ("regexp_full_match(a, 'x|y')", r"a RLIKE '(?d)^(?:x|y)\\z'"),
        (
            "len(list_filter(case when b then a -> '$[*]' end, lambda i: json_type(i) = 'NULL' or i ->> '$' = 'b')) > 0",
            "SIZE(FILTER(CASE WHEN b THEN JSON_ITEMS(a) END, i -> i.kind = 'NULL' OR i.text = 'b')) > 0",
        ),
    ],
)
def test_what_the_engines_do_differently_is_written_out(duckdb: str, spark: str) -> None:
    assert spark_text(f"select {duckdb} as x from t") == f"SELECT {spark} AS x FROM t"


def test_an_object_is_taken_apart_in_a_lateral_view() -> None:
    text = "select pair.key, pair.value from t, json_each(t.a) as pair"
    assert spark_text(text) == "SELECT pair.key, pair.value FROM t LATERAL VIEW INLINE(JSON_PAIRS(t.a)) pair AS key, value"
