"""Turns a query from DuckDB's SQL into Spark's, so that both give the same rows; values become literals.

sqlglot knows most of the differences. What it leaves different, or gets wrong for our purpose, is rewritten here; each rewrite
says why. Measured on DuckDB 2.0 and Spark 4.1, whose session must stand at the zone UTC.

Constraints
- Values are literals of the syntax tree, never text put into text: with Delta's extension Spark 4.1 knows no parameters.
- Three functions are called that Spark does not have and its session must (``FUNCTIONS``; ``transforms/spark_json.py``):
  engines write the same JSON value differently, so a second engine has to copy DuckDB's way of it.
- What is left: ``lower`` knows 27 letters of Unicode 16 that DuckDB's does not; ``list`` leaves nulls out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import sqlglot
from sqlglot import ErrorLevel, exp

JSON_TEXT: Final = "json_text"  # (json, path) -> string: DuckDB's json ->> path
JSON_PAIRS: Final = "json_pairs"  # (json) -> array<struct<key: string, value: string>>: DuckDB's json_each(json)
JSON_QUOTED: Final = "json_quoted"  # (string) -> string: DuckDB's to_json(string)
FUNCTIONS: Final = (JSON_TEXT, JSON_PAIRS, JSON_QUOTED)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# What DuckDB's trim removes, Unicode's category Zs; Spark's removes the plain space alone.
_SPACES: Final = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


def spark_text(text: str, params: Mapping[str, object] | None = None) -> str:
    """The Spark SQL of a DuckDB query with ``params`` in place of its ``$names``.

    Raises ``KeyError`` for a name without a value, ``TypeError`` for a value of a type that has no literal, and sqlglot's
    ``UnsupportedError`` where Spark cannot say what the query says.
    """
    given = params or {}

    def value(node: exp.Expression) -> exp.Expression:
        return _literal(given[node.name]) if isinstance(node, exp.Placeholder) else node

    filled = _tree(text).transform(value)
    return str(filled.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE, comments=False))


@cache
def _tree(text: str) -> exp.Expression:
    return sqlglot.parse_one(text, read="duckdb").transform(_rewritten)


def _rewritten(node: exp.Expression) -> exp.Expression:  # noqa: PLR0911 - a table of cases
    match node:
        case exp.JSONExtractScalar():  # get_json_object writes 12345678.9 as 1.23456789E7 and knows no path $."invite id"
            path = node.expression
            if isinstance(path, exp.JSONPath):
                path = exp.Literal.string(path.sql(dialect="duckdb")[1:-1].replace("''", "'"))
            return exp.Anonymous(this=JSON_TEXT, expressions=[node.this, path])
        case exp.Anonymous() if node.name.lower() == "to_json":  # Spark's takes no string
            return exp.Anonymous(this=JSON_QUOTED, expressions=node.expressions)
        case exp.Anonymous() if node.name.lower() == "timezone":  # timezone(zone, moment): local time at a moment
            zone, moment = node.expressions
            return exp.Anonymous(this="from_utc_timestamp", expressions=[moment, zone])
        case exp.TimeToUnix():  # Spark's unix_timestamp drops what is below a second
            micros = exp.Anonymous(this="unix_micros", expressions=[node.this])
            return exp.Paren(this=exp.Div(this=micros, expression=exp.Literal.number("1e6")))
        case exp.Trim() if node.expression is None:
            return exp.Trim(this=node.this, expression=exp.Literal.string(_SPACES), position="BOTH")
        case exp.Lower():  # Java's looks at neighbours (final sigma), and makes two letters of a dotted capital i
            plain = [node.this, exp.Literal.string("\u0130\u03a3"), exp.Literal.string("i\u03c3")]
            return exp.Lower(this=exp.Anonymous(this="translate", expressions=plain))
        case exp.ArgMin() | exp.ArgMax():  # DuckDB leaves out the rows whose value is null
            known = exp.Is(this=node.this.copy(), expression=exp.Null()).not_()
            node.set("expression", exp.Case().when(known, node.expression))
            return node
        case exp.Like() if not isinstance(node.expression, exp.Literal):  # a backslash means itself in DuckDB
            pair = [exp.Literal.string("\\"), exp.Literal.string("\\\\")]
            node.set("expression", exp.Anonymous(this="replace", expressions=[node.expression, *pair]))
            return node
        case exp.RegexpExtract() | exp.RegexpLike() if isinstance(node.expression, exp.Literal):
            node.set("expression", exp.Literal.string(_java(node.expression.name)))
            return node
        case exp.Select() if any(map(_is_json_each, node.args.get("joins") or [])):
            return _with_lateral_views(node)
    return node


def _java(pattern: str) -> str:
    """An RE2 pattern for Java: its ``$`` also fits before a last newline, and its ``.`` leaves out more than newlines."""
    changed, inside, escaped = "(?d)", False, False
    for sign in pattern:
        changed += "\\z" if sign == "$" and not inside and not escaped else sign
        if not escaped:
            inside = sign == "[" or (inside and sign != "]")
        escaped = sign == "\\" and not escaped
    return changed


def _is_json_each(join: exp.Expression) -> bool:
    table = join.this
    return isinstance(table, exp.Table) and isinstance(table.this, exp.Anonymous) and table.this.name.lower() == "json_each"


def _with_lateral_views(select: exp.Select) -> exp.Select:
    """``from t, json_each(t.x) as pair``: Spark takes no column of ``t`` there, except as a lateral view."""
    for join in [join for join in select.args["joins"] if _is_json_each(join)]:
        pairs = exp.Anonymous(this=JSON_PAIRS, expressions=join.this.this.expressions)
        columns = [exp.to_identifier(name) for name in ("key", "value")]
        alias = exp.TableAlias(this=exp.to_identifier(join.this.alias), columns=columns)
        select.args["joins"].remove(join)
        select.append("laterals", exp.Lateral(this=exp.Anonymous(this="inline", expressions=[pairs]), view=True, alias=alias))
    return select


def _literal(value: object) -> exp.Expression:
    match value:
        case None:
            return exp.Null()
        case bool():
            return exp.Boolean(this=value)
        case int():
            return exp.Literal.number(value)
        case float():
            return exp.cast(exp.Literal.string(repr(value)), exp.DataType.Type.DOUBLE)
        case str():
            return exp.Literal.string(value)
        case datetime():
            micros = exp.Literal.number((value - _EPOCH) // _MICROSECOND)
            return exp.Anonymous(this="timestamp_micros", expressions=[micros])
        case timedelta():
            micros = value // _MICROSECOND
            sign, (seconds, rest) = "-" if micros < 0 else "", divmod(abs(micros), 1_000_000)
            parts = [*map(exp.Literal.number, (0, 0, 0)), exp.Literal.number(f"{sign}{seconds}.{rest:06}")]
            return exp.Anonymous(this="make_dt_interval", expressions=parts)
    raise TypeError(f"{type(value).__name__} has no literal in Spark's SQL")
