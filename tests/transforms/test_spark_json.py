"""JSON for Spark is what DuckDB makes of it."""

from __future__ import annotations

import random

import duckdb
import pytest

from transforms.spark_json import json_items, json_kind, json_pairs, json_quoted, json_text, json_value

VALUES = [
    *(
        "1e3",
        "1.50",
        "1e16",
        "1e20",
        "1e21",
        "1e22",
        "0.000001",
        "1e-7",
        "-0.0",
        "-0",
        "0e5",
        "5e-324",
        "1.7976931348623157e308",
    ),
    *(
        "1E400",
        "9223372036854775808",
        "-9223372036854775809",
        "123456789012345678901",
        "12345678.9",
        "100000000000000000000.5",
    ),
    *('"a\\u00e9\\/b\\n\\u0001\\u001f\\u2028\\ud83d\\ude00\\\\u001f"', '{"b":1,"a":[1, 2.50,{"x":null}],"b":2}', "[]", "{}"),
    *("null", "true", "false", '""'),
]
PATHS = [
    "$",
    "$.a",
    "$.a[0]",
    "$.a[6].b",
    "$.a[9]",
    '$."b c"',
    "$.n.x",
    "$.x",
    "/a/3",
    "/0",
    "/a/x",
    "/b c",
    "/a/6/b",
    "/~1~0",
]
DOCUMENT = '{"a":[1,-2,3.5,"x",null,true,{"b":[]}],"b c":{"d":1e7},"n":null,"/~":5,"0":7,"k":18446744073709551615}'


def said(text: str, values: list[str]) -> tuple[object, ...]:
    """The one row that DuckDB answers."""
    with duckdb.connect() as connection:
        return connection.execute(text, values).fetchall()[0]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_written_as_duckdb_writes_it(value: str) -> None:
    document = f'{{"k":{value}}}'
    asked = "select ?::json ->> '$.k', (select value::varchar from json_each(?::json))"
    assert (json_text(document, "$.k"), *[held for _, held in json_pairs(document)]) == said(asked, [document] * 2)


def test_random_numbers_are_written_as_duckdb_writes_them() -> None:
    seeded = random.Random(3)
    numbers = [repr(seeded.uniform(-1, 1) * 10.0 ** seeded.randint(-30, 30)) for _ in range(1000)]
    numbers += [f"{seeded.randint(-9999, 9999)}.{seeded.randint(0, 999)}E{seeded.randint(-25, 25)}" for _ in range(1000)]
    document = f"[{','.join(numbers)}]"
    assert json_value(document, "$") == said("select json_extract(?, '$')::varchar", [document])[0]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_leads_where_it_leads_in_duckdb(path: str) -> None:
    asked = "select ?::json ->> ?, json_extract(?, ?)::varchar, json_type(?, ?)"
    found = (json_text(DOCUMENT, path), json_value(DOCUMENT, path), json_kind(DOCUMENT, path))
    assert found == said(asked, [DOCUMENT, path] * 3)


def test_what_is_no_path_is_refused() -> None:
    with pytest.raises(ValueError, match="'name' is no path"):
        json_text("{}", "name")


def test_a_list_has_its_items_and_what_is_none_has_none() -> None:
    assert json_items('[1,"x",null]') == [("UBIGINT", "1", "1"), ("VARCHAR", "x", '"x"'), ("NULL", None, "null")]
    assert json_items('{"a":1}') == []
    assert (json_items(None), json_text(None, "$"), json_pairs(None), json_quoted(None)) == (None, None, [], None)


def test_a_text_is_quoted_as_duckdb_quotes_it() -> None:
    for text in ('/"\u00e9\u2028\u0001\u001f\u007f\n\\u001f', "", "\b\f\r\t'"):
        assert (json_quoted(text),) == said("select to_json(?::varchar)::varchar", [text])
