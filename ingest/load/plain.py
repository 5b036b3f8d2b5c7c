"""Plain events, from Parquet or CSV: whole columns at a time, in DuckDB.

The columns ``event``, ``time``, ``user_id`` and/or ``anonymous_id``, and if they are there ``event_id``, ``account_id``,
``previous_id`` and ``properties`` (a JSON object as text, or a struct). Any other column is a property, left out where it is
null (of CSV: empty); it wins over a key of that name in ``properties``. An event ``$identify``, ``$group``, ``$alias``,
``$page`` or ``$screen`` is that call, its properties the traits. ``time``: a timestamp (without a zone: UTC), ISO 8601 text,
or an epoch number in s, ms, us or ns, told apart by its size.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import duckdb

from ingest.event import FIRST_MONTH
from ingest.load.detect import Found, csv_head
from ingest.load.engine import connect, literal, name_of
from ingest.load.plan import MAX_EVENT, Plan, Type
from ingest.load.staged import STAGED, Counts, Staged
from ingest.outcome import Outcome
from ingest.scalar import NOBODY, STRANGERS
from ingest.times import AHEAD, EARLIEST, LAST

# It is read once: dictionaries of ids that hardly repeat, and filters to look one up, would cost a quarter of the writing.
_STAGED: Final = "format parquet, compression snappy, dictionary_size_limit 1000, write_bloom_filter false"
_PLACE: Final = '"$place"'  # of a row in its file; no property is called so
_JSON: Final = '"$json"'  # what stands in ``properties``
_OWN: Final = ("event", "time", "user_id", "anonymous_id", "event_id", "account_id", "previous_id", "properties")


def stage(plan: Plan, number: int, path: Path, found: Found, tell: Callable[[int], None]) -> None:
    """Stage one file of plain events; ``tell`` is told of all its rows when they are read."""
    staged = Staged(plan.staged, number)
    with connect(plan) as db:
        is_csv = found.container == "csv"
        columns = _csv(db, path, plan) if is_csv else _parquet(db, path)
        db.execute(f"create temp table judged as {_judged(columns, plan, number, path.name)}")
        events = f"select {', '.join(STAGED.names)} from judged where reason is null"
        db.execute(f"copy ({events}) to {literal(staged.events)} ({_STAGED})")
        detail = f"{_LINE if is_csv else _ROW} || ': ' || why as detail"
        refused = f"select path, reason, {detail}, event_id, raw, file, row from judged where reason is not null"
        if is_csv:
            refused += f" union all by name {_unparsed(number, path.name)}"
        db.execute(f"copy ({refused}) to {literal(staged.refused)} (format parquet, compression snappy)")
        counts = _counts(db, staged, path.name)
    staged.finish(counts)
    tell(counts.rows)


def _parquet(db: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """The view ``given`` of the file's columns and _PLACE (from 1); returns the types of the columns."""
    db.execute(f"create view given as select * exclude (file_row_number), file_row_number + 1 as {_PLACE} "
               f"from read_parquet({literal(path)}, file_row_number = true)")  # fmt: skip
    return _types(db)


def _csv(db: duckdb.DuckDBPyConnection, path: Path, plan: Plan) -> dict[str, str]:
    try:
        return _csv_as_it_is(db, path, plan.request.types)
    except duckdb.InvalidInputException:  # lines that end now in CR LF, now in LF, of which DuckDB makes nothing
        even = plan.spill / "even.csv"
        _with_even_lines(path, even)
        db.execute("drop table if exists reject_errors")
        try:
            return _csv_as_it_is(db, even, plan.request.types)
        finally:
            even.unlink()


def _with_even_lines(path: Path, even: Path) -> None:
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if gzipped else path.open("rb") as given, even.open("wb") as made:
        for line in given:
            made.write(line[:-2] + b"\n" if line.endswith(b"\r\n") else line)


def _csv_as_it_is(db: duckdb.DuckDBPyConnection, path: Path, types: Mapping[str, Type]) -> dict[str, str]:
    names, delimiter, compression = csv_head(path)
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    read = (
        f"read_csv({literal(path)}, columns = {{{columns}}}, header = true, delim = {literal(delimiter)}, quote = '\"', "
        f"escape = '\"', compression = '{compression}', auto_detect = false, null_padding = false, "
        f"store_rejects = true, rejects_limit = 0, max_line_size = {4 * MAX_EVENT}, nullstr = '')"
    )
    casts = [f"{_typed(name, types.get(name, 'text'))} as {name_of(name)}" for name in names]
    db.execute(
        f"create or replace temp table given as select {', '.join(casts)}, row_number() over () as {_PLACE} from {read}"
    )
    return _types(db)


def _typed(name: str, wanted: Type) -> str:
    """A value that is not of its type stays text."""
    column = name_of(name)
    if wanted == "text":
        return column
    if wanted == "boolean":
        return (
            f"case when try_cast({column} as boolean) is not null then to_json({column}::boolean) else to_json({column}) end"
        )
    return (
        f"case when try_cast({column} as bigint)::varchar = {column} then {column}::json "
        f"when isfinite(try_cast({column} as double)) then to_json({column}::double) else to_json({column}) end"
    )


def _types(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    described = db.execute("describe given").fetchall()
    return {row[0]: row[1] for row in described if name_of(row[0]) != _PLACE}


def _judged(columns: Mapping[str, str], plan: Plan, number: int, name: str) -> str:
    """One row per row of ``given``: the columns of STAGED, and ``reason`` where it broke a rule."""
    text = {own: _text(own, columns[own]) if own in columns else "null::varchar" for own in _OWN}
    started = f"make_timestamp({plan.started})"
    latest = f"{started} + interval {AHEAD // 1_000_000} second"
    given = ", ".join(f"{name_of(column)} := {name_of(column)}" for column in columns)
    return f"""
        with read as (
            select {_PLACE} as row, {_time(columns["time"])} as original,
                nullif(trim({text["event"]}), '') as event, nullif(trim({text["event_id"]}), '') as event_id,
                {_identifier(text["user_id"], _STRANGERS)} as user_id,
                {_identifier(text["anonymous_id"], _STRANGERS)} as anonymous_id,
                {_identifier(text["account_id"])} as account_id,
                {_identifier(text["previous_id"], _STRANGERS)} as previous_id,
                {text["user_id"]} in ({_STRANGERS}) or {text["anonymous_id"]} in ({_STRANGERS}) as illegal,
                {_properties(columns)} as properties, struct_pack({given}) as given
            from (select *, {_given(columns)} as {_JSON} from given)
        ), ruled as (
            select *, case when event in ({_CALLS}) then substr(event, 2) else 'track' end as kind, {_REASON} as reason,
                case when {_NO_TIME} or original > {latest} then {started} else original end as happened
            from read
        )
        select event_id, kind, event, happened::timestamptz as time,
            case when not {_NO_TIME} then original::timestamptz end as original_time,
            anonymous_id, user_id, previous_id, account_id,
            {_absent()}, false as bot, properties, '{{}}' as context,
            least(
                greatest(strftime(happened, '%Y-%m'), '{FIRST_MONTH}'), strftime({started} + interval 31 day, '%Y-%m')
            ) as month,
            {number}::integer as file, row, {literal("import:" + name)} as path, reason,
            {_HELP} as why,
            case when reason is null then null else encode(to_json(given)::varchar) end as raw
        from ruled"""


_NOBODY: Final = ", ".join(literal(each) for each in sorted(NOBODY))
_STRANGERS: Final = ", ".join(literal(each) for each in sorted(STRANGERS))
_CALLS: Final = "'$identify', '$group', '$alias', '$page', '$screen'"
# Before any product, or in a year that no reader's dates have; the ends of time cannot even be cast.
_NO_TIME: Final = f"(original is null or original < make_timestamp({EARLIEST}) or original >= make_timestamp({LAST}))"
_REASON: Final = f"""case
    when illegal and user_id is null and anonymous_id is null then '{Outcome.ILLEGAL_ID.value}'
    when user_id is null and (anonymous_id is null or event = '$alias') then '{Outcome.MISSING_IDENTITY.value}'
    when event is null then '{Outcome.MISSING_EVENT.value}'
    when {_NO_TIME} then '{Outcome.MISSING_TIME.value}'
    when event = '$group' and account_id is null then '{Outcome.MISSING_GROUP.value}'
    when event = '$alias' and previous_id is null then '{Outcome.MISSING_PREVIOUS.value}'
    when properties is null then '{Outcome.UNREADABLE.value}'
    when strlen(properties) > {MAX_EVENT} then '{Outcome.TOO_LARGE.value}'
    end"""
# A refused row is named as an editor names it: the first line of CSV is the header, and lines that were no rows count. A row
# of several lines counts as one.
_ROW: Final = "'row ' || row"
_LINE: Final = """'line ' || (row + 1 + (
    select count(*)
    from (select line - 1 - row_number() over (order by line) as before from (select distinct line from reject_errors))
    where before < row
))"""
_HELP: Final = (
    "case reason "
    + " ".join(f"when {literal(each.value)} then {literal(each.help)}" for each in Outcome if each.is_rejection)
    + " end"
)


def _identifier(text: str, nobody: str = _NOBODY) -> str:
    """As ``ingest.scalar.identifier``: null for the names of nothing."""
    return f"case when trim({text}) in ('', {nobody}) then null else {text} end"


def _absent() -> str:
    """The columns that plain events never have."""
    promoted = STAGED.names[STAGED.get_field_index("page_url") : STAGED.get_field_index("bot")]
    texts = ", ".join(f"null::varchar as {name}" for name in ("session_id", "library", *promoted))
    return f"null::timestamptz as sent_at, {texts}"


def _text(column: str, kind: str) -> str:
    """A number is written as JavaScript prints it: 42.0 is 42."""
    name = name_of(column)
    if kind in ("DOUBLE", "FLOAT"):
        return f"case when {name} = trunc({name}) then {name}::hugeint::varchar else {name}::varchar end"
    return name if kind == "VARCHAR" else f"{name}::varchar"


def _time(kind: str) -> str:
    if kind == "TIMESTAMP WITH TIME ZONE":
        return "make_timestamp(epoch_us(time))"
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return "time::timestamp"
    number = "try_cast(time as double)"
    size = f"abs({number})"
    micros = (f"case when {size} < 1e11 then {number} * 1e6 when {size} < 1e14 then {number} * 1e3 when {size} < 1e17 "
              f"then {number} else {number} / 1e3 end")  # fmt: skip
    epoch = f"case when {size} < 1e20 then make_timestamp(try_cast(round({micros}) as bigint)) end"
    if kind != "VARCHAR":
        return epoch
    dated = "make_timestamp(epoch_us(try_cast(trim(time) as timestamptz)))"
    return f"case when regexp_matches(trim(time), '^-?[0-9]{{9,}}(\\.[0-9]+)?$') then {epoch} else {dated} end"


def _properties(columns: Mapping[str, str]) -> str:
    """JSON text: what stands in ``properties``, and the other columns; null where ``properties`` cannot be read."""
    pairs = [f"{literal(_key(name))} || {_value(name, kind)}" for name, kind in columns.items() if name not in _OWN]
    others = f"concat_ws(',', {', '.join(pairs)})" if pairs else "''"
    if "properties" not in columns:
        return f"'{{' || {others} || '}}'"
    given = _JSON
    inner = f"nullif(trim(substr({given}, 2, length({given}) - 2)), '')"
    both = f"'{{' || concat_ws(',', {inner}, nullif({others}, '')) || '}}'" if pairs else given
    clash = " or ".join(f"contains({given}, {literal(_key(name)[:-1])})" for name in columns if name not in _OWN)
    merged = f"when {clash} then json_merge_patch({given}, '{{' || {others} || '}}')::varchar" if pairs else ""
    odd = f"'{{' || concat_ws(',', '\"$value\":' || {given}, nullif({others}, '')) || '}}'"
    sound = f"case when not starts_with({given}, '{{') then {odd} {merged} else {both} end"
    return f"case when json_valid({given}) then replace({sound}, '\\u0000', '\\ufffd') end"


def _given(columns: Mapping[str, str]) -> str:
    """The column ``properties`` as JSON text without blanks around it; few have any, and to look for them costs more."""
    if "properties" not in columns:
        return "'{}'"
    column = "properties" if columns["properties"] in ("VARCHAR", "JSON") else "to_json(properties)::varchar"
    neat = f"starts_with({column}, '{{') and ends_with({column}, '}}')"
    return f"case when {neat} then {column} else coalesce(nullif(trim({column}), ''), '{{}}') end"


def _key(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}":'


def _value(name: str, kind: str) -> str:
    """Null where there is nothing to tell: ``concat_ws`` leaves it out."""
    column = name_of(name)
    if kind in ("DOUBLE", "FLOAT"):
        return f"case when isfinite({column}) then to_json({column})::varchar end"
    if kind == "JSON":
        return f"{column}::varchar"
    if kind.startswith("TIMESTAMP"):
        return f"to_json(strftime({column}::timestamp, '%Y-%m-%dT%H:%M:%S.%fZ'))::varchar"
    return f"case when {column} is null then null else to_json({column})::varchar end"


def _unparsed(number: int, name: str) -> str:
    """Lines that are no CSV: too few or too many fields, an open quote."""
    return f"""
        select {literal("import:" + name)} as path, '{Outcome.UNREADABLE.value}' as reason,
            'line ' || line || ': ' || any_value(error_message) as detail, null::varchar as event_id,
            encode(any_value(csv_line)) as raw, {number}::integer as file, -line::bigint as row
        from reject_errors group by line"""


def _counts(db: duckdb.DuckDBPyConnection, staged: Staged, name: str) -> Counts:
    months = dict(db.execute(f"select month, count(*) from {literal(staged.events)} group by 1 order by 1").fetchall())
    refused = dict(db.execute(f"select reason, count(*) from {literal(staged.refused)} group by 1 order by 1").fetchall())
    return Counts(name, "plain", sum(months.values()) + sum(refused.values()), refused, months)
