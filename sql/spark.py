"""Turns a query from DuckDB's SQL into Spark's, so that both give the same rows; values become literals.

sqlglot knows most of the differences. What it leaves different, or gets wrong for our purpose, is rewritten here, and each
rewrite says why. Measured on DuckDB 2.0 and Spark 4.1, whose session must stand at the zone UTC.

Constraints
- Values are literals of the syntax tree, never text put into text: with Delta's extension Spark 4.1 knows no parameters.
- Functions on JSON are called that Spark does not have and its session must (``transforms/spark_json.py``): engines write
  the same JSON value differently, so a second engine has to copy DuckDB's way of it.
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
JSON_VALUE: Final = "json_value"  # (json, path) -> string: its json_extract
JSON_TYPE: Final = "json_kind"  # (json, path) -> string: its json_type
JSON_PAIRS: Final = "json_pairs"  # (json) -> array<struct<key: string, value: string>>: its json_each
JSON_ITEMS: Final = "json_items"  # (json) -> array<struct<kind: string, text: string, value: string>>: its json -> '$[*]'
JSON_QUOTED: Final = "json_quoted"  # (string) -> string: its to_json

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# What DuckDB's trim removes, Unicode's category Zs; Spark's removes the plain space alone.
_SPACES: Final = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


def spark_text(text: str, params: Mapping[str, object] | None = None) -> str:
    """The Spark SQL of a DuckDB query with ``params`` in place of its ``$names``.

    Raises ``KeyError`` for a name without a value, ``TypeError`` for a value of a type that has no literal, and sqlglot's
    ``UnsupportedError`` where Spark cannot say what the query says.
    """
    tree = _tree(text).copy()
    for placeholder in list(tree.find_all(exp.Placeholder)):
        placeholder.replace(_literal((params or {})[placeholder.name]))
    for chosen in tree.find_all(exp.ArrayFilter):
        _open_items(chosen.expression)
    for node in reversed(list(tree.dfs())):  # what is inside comes first
        if (changed := _rewritten(node)) is not node:
            node.replace(changed)
    return str(tree.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE, comments=False))


@cache
def _tree(text: str) -> exp.Expr:
    return sqlglot.parse_one(text, read="duckdb")


def _rewritten(node: exp.Expr) -> exp.Expr:
    match node:
        # get_json_object writes 12345678.9 as 1.23456789E7 and knows no path $."invite id"
        case exp.JSONExtractScalar():
            return _call(JSON_TEXT, node.this, _path(node.expression))
        case exp.JSONExtract() if isinstance(node.expression, exp.JSONPath) and node.expression.find(exp.JSONPathWildcard):
            return _call(JSON_ITEMS, node.this)
        case exp.JSONExtract():
            return _call(JSON_VALUE, node.this, _path(node.expression))
        case exp.JSONType():
            return _call(JSON_TYPE, node.this, _path(node.expression))
        case exp.Anonymous() if node.name.lower() == "to_json":  # Spark's takes no string
            return _call(JSON_QUOTED, *node.expressions)
        case exp.Select():
            return _with_lateral_views(node)
        case exp.Anonymous() if node.name.lower() == "timezone":  # of a moment the local time, of a local time the moment
            zone, time = node.expressions
            if isinstance(time, exp.TryCast):
                return _call(
                    "to_utc_timestamp", exp.TryCast(this=time.this, to=exp.DataType.build("timestamptz"), safe=True), zone
                )
            return _call("from_utc_timestamp", time, zone)
        case exp.Anonymous() if node.name.lower() == "epoch_us":
            return _call("unix_micros", *node.expressions)
        case exp.TimeToUnix():  # Spark's unix_timestamp drops what is below a second
            return exp.Paren(this=exp.Div(this=_call("unix_micros", node.this), expression=exp.Literal.number("1e6")))
        case exp.DataType() if node.this == exp.DataType.Type.INT128:  # an integer of DuckDB's alone
            return exp.DataType.build("decimal(38, 0)")
        case exp.Length() if isinstance(node.this, exp.ArrayFilter):
            return _call("size", node.this)
        case exp.Trim() if node.expression is None:
            return exp.Trim(this=node.this, expression=exp.Literal.string(_SPACES), position="BOTH")
        case exp.Lower():  # Java's looks at neighbours (final sigma), and makes two letters of a dotted capital i
            plain = [exp.Literal.string("\u0130\u03a3"), exp.Literal.string("i\u03c3")]
            return exp.Lower(this=_call("translate", node.this, *plain))
        case exp.ArgMin() | exp.ArgMax():  # DuckDB leaves out the rows whose value is null
            known = exp.Is(this=node.this.copy(), expression=exp.Null()).not_()
            node.set("expression", exp.Case().when(known, node.expression))
        case exp.Like() if not isinstance(node.expression, exp.Literal):  # a backslash means itself in DuckDB
            pair = [exp.Literal.string("\\"), exp.Literal.string("\\\\")]
            node.set("expression", _call("replace", node.expression, *pair))
        case exp.RegexpExtract() | exp.RegexpLike() if isinstance(node.expression, exp.Literal):
            node.set("expression", exp.Literal.string(_java(node.expression.name)))
        case exp.RegexpFullMatch() if isinstance(node.expression, exp.Literal):  # Spark has none
            return exp.RegexpLike(this=node.this, expression=exp.Literal.string(_java(f"^(?:{node.expression.name})$")))
    return node


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _path(path: exp.Expr | None) -> exp.Expr:
    if isinstance(path, exp.JSONPath):  # sqlglot took a written one apart
        return exp.Literal.string(path.sql(dialect="duckdb")[1:-1].replace("''", "'"))
    return path or exp.Literal.string("$")


def _open_items(function: exp.Lambda) -> None:
    """``lambda item: ...`` over a JSON list: Spark calls no function of ours in there, so each item comes with its parts."""
    (name,) = (parameter.name for parameter in function.expressions)
    for node in reversed(list(function.this.dfs())):
        if isinstance(node, exp.Identifier) and node.name == name:
            whole = node.parent if isinstance(node.parent, exp.Column) else node
            outer = whole.parent
            if isinstance(outer, exp.JSONType | exp.JSONExtractScalar):
                part = "kind" if isinstance(outer, exp.JSONType) else "text"
                outer.replace(exp.column(part, table=name))
            else:
                whole.replace(exp.column("value", table=name))


def _java(pattern: str) -> str:
    """An RE2 pattern for Java: its ``$`` also fits before a last newline, and its ``.`` leaves out more than newlines."""
    changed, inside, escaped = "(?d)", False, False
    for sign in pattern:
        changed += "\\z" if sign == "$" and not inside and not escaped else sign
        if not escaped:
            inside = sign == "[" or (inside and sign != "]")
        escaped = sign == "\\" and not escaped
    return changed


def _is_json_each(join: exp.Expr) -> bool:
    table = join.this
    return isinstance(table, exp.Table) and isinstance(table.this, exp.Anonymous) and table.this.name.lower() == "json_each"


def _with_lateral_views(select: exp.Select) -> exp.Select:
    """``from t, json_each(t.x) as pair``: Spark takes no column of ``t`` there, except in a lateral view."""
    for join in [join for join in select.args.get("joins") or [] if _is_json_each(join)]:
        pairs = _call(JSON_PAIRS, *join.this.this.expressions)
        columns = [exp.to_identifier(name) for name in ("key", "value")]
        alias = exp.TableAlias(this=exp.to_identifier(join.this.alias), columns=columns)
        select.args["joins"].remove(join)
        select.append("laterals", exp.Lateral(this=_call("inline", pairs), view=True, alias=alias))
    return select


def _literal(value: object) -> exp.Expr:
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
            return _call("timestamp_micros", exp.Literal.number((value - _EPOCH) // _MICROSECOND))
        case timedelta():
            micros = value // _MICROSECOND
            sign, (seconds, rest) = "-" if micros < 0 else "", divmod(abs(micros), 1_000_000)
            return _call("make_dt_interval", *map(exp.Literal.number, (0, 0, 0, f"{sign}{seconds}.{rest:06}")))
    raise TypeError(f"{type(value).__name__} has no literal in Spark's SQL")
