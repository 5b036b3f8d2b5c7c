"""All that is staged, in the order of time, cut into chunks; rows without an id get one on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingest.event import actor_ids
from ingest.lake import Lake
from ingest.load import identities
from ingest.load.engine import connect, literal
from ingest.load.plan import Plan
from ingest.load.spool import COPY_KEY
from ingest.load.staged import STAGED, Staged

CHUNK_ROWS: Final = 250_000
_MEANT: Final = (
    "kind", "event", "original_time", "anonymous_id", "user_id", "previous_id", "account_id", "properties", "context"
)  # fmt: skip


def chunks(plan: Plan, behind: int, rows: int = CHUNK_ROWS) -> Iterator[tuple[int, str, pa.Table]]:
    """(number, table, rows) of each chunk behind number ``behind``; always the same ones for the same plan."""
    staged = [Staged(plan.staged, number) for number in range(len(plan.request.files))]
    number = 0
    with connect(plan, in_order=False) as db:  # every query says its order, and DuckDB holds less in memory
        identities.prepare(db, staged)
        for table, query in (("rejected", _refused(staged)), ("events", _events(staged))):
            for found in _cut(db, query, rows):
                number += 1
                if number > behind:
                    yield number, table, _finished(found, table)


def who_is_who(plan: Plan) -> tuple[int, int]:
    """How many rows of the files say that two ids are one person, and how many such calls stand in no file."""
    staged = [Staged(plan.staged, number) for number in range(len(plan.request.files))]
    with connect(plan) as db:
        identities.prepare(db, staged)
        return identities.links(db, staged), identities.made(db)


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
            from unnamed semi join equal using (file, content)
            union all by name select * from made union all by name select * from merged
            union all by name select * from roster
        )
        select * from named order by time, file, row, event_id"""


def _refused(staged: Sequence[Staged]) -> str:
    paths = ", ".join(literal(each.refused) for each in staged)
    return f"""
        select path, reason, detail, event_id, raw, 'refused-' || md5(raw) || '-' ||
            (row_number() over (partition by file, md5(raw) order by row) - 1) as {COPY_KEY}
        from (select * from read_parquet([{paths}]) union all by name select * from unmerged
            union all by name select * from unrostered)
        order by file, row, {COPY_KEY}"""


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
