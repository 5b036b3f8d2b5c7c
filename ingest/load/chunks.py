"""All that is staged, in the order of time, cut into chunks; rows without an id get one on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingest.event import actor_ids
from ingest.lake import Lake
from ingest.load.engine import connect, literal
from ingest.load.plan import Plan
from ingest.load.spool import COPY_KEY
from ingest.load.staged import STAGED, Staged

CHUNK_ROWS: Final = 250_000
_MEANT: Final = (
    "kind", "event", "original_time", "anonymous_id", "user_id", "previous_id", "account_id", "properties", "context"
)  # fmt: skip
_PAIRED: Final = ("mixpanel", "amplitude")


def chunks(plan: Plan, behind: int, rows: int = CHUNK_ROWS) -> Iterator[tuple[int, str, pa.Table]]:
    """(number, table, rows) of each chunk behind number ``behind``; always the same ones for the same plan."""
    staged = [Staged(plan.staged, number) for number in range(len(plan.request.files))]
    number = 0
    with connect(plan, in_order=False) as db:  # every query says its order, and DuckDB holds less in memory
        for table, query in (("rejected", _refused(staged)), ("events", _events(staged))):
            for found in _cut(db, query, rows):
                number += 1
                if number > behind:
                    yield number, table, _finished(found, table)


def pairs(plan: Plan) -> int:
    """How many identify calls the chunks hold that stand in no file."""
    staged = [Staged(plan.staged, number) for number in range(len(plan.request.files))]
    with connect(plan) as db:
        found = db.execute(f"select count(*) from ({_pairs(staged)})").fetchone() if _pairing(staged) else None
    return int(found[0]) if found else 0


def known(plan: Plan, lake: Lake, found: pa.Table) -> dict[str, set[str]]:
    """The ids of ``found``, by month, that the lake has in that very month, whenever they came; none for other months."""
    stored = lake.dataset(plan.request.project, "events")
    if stored is None:
        return {}
    there = {each["month"] for each in lake.partitions(plan.request.project, "events")}
    months = sorted({*pc.unique(found["month"]).to_pylist()} & there)
    ids: dict[str, set[str]] = {}
    with connect(plan) as db:
        db.register("asked", found.select(["event_id", "month"]))
        for month in months:
            files = stored.filter(pc.field("month") == month)
            db.register("stored", files.scanner(columns=["event_id"]).to_reader())
            query = "select distinct event_id from stored where event_id in (select event_id from asked where month = ?)"
            if copies := {row[0] for row in db.execute(query, [month]).fetchall()}:
                ids[month] = copies
            db.unregister("stored")
    return ids


def _cut(db: duckdb.DuckDBPyConnection, query: str, rows: int) -> Iterator[pa.Table]:
    """Tables of exactly ``rows`` rows, and one with the rest."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in db.sql(query).to_arrow_reader(rows):
        while size + len(batch) >= rows:
            yield pa.Table.from_batches([*held, batch.slice(0, rows - size)])
            batch, held, size = batch.slice(rows - size), [], 0
        if len(batch):
            held.append(batch)
            size += len(batch)
    if held:
        yield pa.Table.from_batches(held)


def _events(staged: Sequence[Staged]) -> str:
    """Every event with an id, by time; its place breaks ties, so that the order is total.

    Only rows that have equals go through the window, which does not spill well.
    """
    meant = ", ".join(f"coalesce({column}::varchar, '\x01')" for column in _MEANT)
    names = ", ".join(STAGED.names)
    made = f" union all by name {_pairs(staged)}" if _pairing(staged) else ""
    return f"""
        with staged as not materialized (from read_parquet({_list(staged)})),
        unnamed as not materialized (select *, md5(concat_ws('\x02', {meant})) as content
            from staged where event_id is null),
        equal as (select file, content from unnamed group by all having count(*) > 1),
        named as (
            select {names} from staged where event_id is not null
            union all by name
            select * exclude (content) replace ('import-' || content || '-0' as event_id)
            from unnamed anti join equal using (file, content)
            union all by name
            select * exclude (content) replace ('import-' || content || '-' ||
                (row_number() over (partition by file, content order by row) - 1) as event_id)
            from unnamed semi join equal using (file, content){made}
        )
        select * from named order by time, file, row, event_id"""


def _pairs(staged: Sequence[Staged]) -> str:
    """An identify call per device and user that came on one event, at the first such time."""
    empty = ", ".join(
        f"null::varchar as {name}"
        for name in STAGED.names[STAGED.get_field_index("library") : STAGED.get_field_index("bot")]
    )
    return f"""
        select 'pair-' || md5(concat_ws('\x02', anonymous_id, user_id, min(time)::varchar)) as event_id, 'identify' as kind,
            '$identify' as event, min(time) as time, min(time) as original_time, null::timestamptz as sent_at, anonymous_id,
            user_id, null::varchar as previous_id, null::varchar as account_id, null::varchar as session_id, {empty},
            false as bot, '{{}}' as properties, '{{}}' as context, min(month) as month, -1::integer as file, 0::bigint as row
        from read_parquet({_list(_pairing(staged))})
        where kind not in ('identify', 'alias') and anonymous_id is not null and user_id is not null
        group by anonymous_id, user_id"""


def _pairing(staged: Sequence[Staged]) -> list[Staged]:
    return [each for each in staged if (counts := each.counts()) and counts.format in _PAIRED]


def _refused(staged: Sequence[Staged]) -> str:
    paths = ", ".join(literal(each.refused) for each in staged)
    return f"""
        select path, reason, detail, event_id, raw, 'refused-' || md5(raw) || '-' ||
            (row_number() over (partition by file, md5(raw) order by row) - 1) as {COPY_KEY}
        from read_parquet([{paths}]) order by file, row, {COPY_KEY}"""


def _list(staged: Sequence[Staged]) -> str:
    return f"[{', '.join(literal(each.events) for each in staged)}]"


def _finished(found: pa.Table, table: str) -> pa.Table:
    return found.drop_columns(["file", "row"]).append_column("actor_id", _actors(found)) if table == "events" else found


def _actors(found: pa.Table) -> pa.ChunkedArray:
    """``actor_id`` of each row, hashed once per id."""
    users, anonymous = (
        _hashed(kind, found[column]) for kind, column in (("user", "user_id"), ("anonymous", "anonymous_id"))
    )
    return pc.coalesce(users, anonymous)


def _hashed(kind: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    coded = column.combine_chunks().dictionary_encode()
    hashes = pa.array(actor_ids(kind, coded.dictionary.to_pylist()), pa.int64())
    return hashes.take(coded.indices)
