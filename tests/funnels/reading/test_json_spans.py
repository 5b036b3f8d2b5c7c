"""A member of a JSON text is found where DuckDB finds it, or said to be unsure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from funnels.filter_sql import pointer
from funnels.reading.json_spans import members


def found(texts: Sequence[str | None], path: str) -> list[str | None]:
    """Each member as it is written; ``?`` where it is unsure."""
    values, unsure = members(pa.array(texts, pa.string()), path.split("."))
    told: list[str | None] = values.to_pylist()
    for row in unsure.tolist():
        assert told[row] is None
        told[row] = "?"
    return told


def test_a_member_is_told_as_it_is_written() -> None:
    texts = [
        '{"a": 1, "b": "x"}',
        '{"b":{"a":[1, "}"]},"a":{"b" : 2.50}}',
        "{}",
        '{"a": null}',
        None,
        '{"ab": 1, "a" : true }',
    ]
    assert found(texts, "a") == ["1", '{"b" : 2.50}', None, None, None, "true"]
    assert found(texts, "a.b") == [None, "2.50", None, None, None, None]
    assert found(texts, "b") == ['"x"', '{"a":[1, "}"]}', None, None, None, None]


def test_the_first_of_several_of_one_name_counts() -> None:
    assert found(['{"a": 1, "a": 2}', '{"a": null, "a": 2}'], "a") == ["1", None]


def test_what_the_walk_cannot_tell_it_says() -> None:
    texts = ['{"\\u0061": 1}', '{"b": "\\"", "a": 1}', '{"a": [1]}', '{"a": {', '{"a"', " {}", ""]
    assert found(texts, "a.0") == ["?", None, "?", "?", "?", "?", "?"]


def test_a_slice_of_a_column_is_read_at_its_place() -> None:
    texts = pa.array(['{"a": 1}', '{"a": 2}', '{"a": 3}']).slice(1, 2)
    assert members(texts, ["a"])[0].to_pylist() == ["2", "3"]


def random_value(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(8 if depth < 3 else 6)
    if kind == 6:
        return [random_value(random, depth + 1) for _ in range(random.randrange(3))]
    if kind == 7:
        return random_object(random, depth + 1)
    return random.choice(["x", 'a"b', "\\", "é", "{", "}", "[,]", '"a"', "", 0, -1, 5, 5.0, 1e300, 0.1, True, False, None])


def random_object(random: Random, depth: int = 0) -> dict[str, Any]:
    names = ["a", "b", "aa", "ä", 'q"', ""]
    return {random.choice(names): random_value(random, depth) for _ in range(random.randrange(5))}


@pytest.mark.parametrize("path", ["a", "b", "a.b", "b.b", "ä"])
def test_random_objects_are_read_as_duckdb_reads_them(path: str) -> None:
    random = Random(f"spans {path}")
    texts = []
    for _ in range(3_000):
        separators = random.choice([(",", ":"), (", ", ": "), (" ,\n", " : ")])
        texts.append(json.dumps(random_object(random), ensure_ascii=random.random() < 0.3, separators=separators))
    value = "case when json_type(t, $p) <> 'NULL' then cast(json_extract(t, $p) as varchar) end"
    query = f"select {value} from (select unnest($d) as t)"
    expected = [row[0] for row in duckdb.execute(query, {"p": pointer(path), "d": texts}).fetchall()]
    told = found(texts, path)
    sure = [(mine, theirs) for mine, theirs in zip(told, expected, strict=True) if mine != "?"]
    assert [read(mine) for mine, _ in sure] == [read(theirs) for _, theirs in sure]
    assert len(sure) > 1_500 and len({mine for mine, _ in sure}) > 5


def read(text: str | None) -> str:
    """The same text for the same value."""
    return "missing" if text is None else json.dumps(json.loads(text))
