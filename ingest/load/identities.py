"""Who is who where no single row of an export says it: identify and alias calls, made in SQL of what is staged.

    pairs     Mixpanel, Amplitude: a device and a user that came on one event -> identify, at the first such time
    merges    Amplitude's merged ids: what came under one Amplitude id belongs to another. Its events say which device or
              user each was, so both must be in one import -> identify of a device, alias of a user, at the merge's time
    roster    PostHog's persons export: see ``roster``
    persons   PostHog: ids whose events carry one person id, and no $identify or alias names them (it lies before the export,
              or was made by hand) -> identify or alias, as soon as both ids were seen

A merge is a row of its file and becomes one event; where it brings several devices, and in the other two cases, the calls
stand in no file and are counted apart (``made``). A merge whose ids no event shows, or of two devices, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingest.load import roster
from ingest.load.engine import literal
from ingest.load.staged import Staged
from ingest.outcome import Outcome

PAIRED: Final = ("mixpanel", "amplitude")
UNKNOWN: Final = "the Amplitude ids of a merge are told by their events, one of a user: import the two exports together"
_HEIRS: Final = 16  # merges of merges that are followed


def prepare(db: duckdb.DuckDBPyConnection, staged: Sequence[Staged]) -> None:
    """The tables ``made`` (calls that stand in no file), ``merged`` (calls that are a merge) and ``unmerged`` (refused)."""
    _merges(db, staged)
    roster.prepare(db, staged)
    parts = [
        "select * from further",
        *(_pairs(paired) for paired in [_of(staged, *PAIRED)] if paired),
        *(_persons(told) for told in [_of(staged, "posthog")] if told),
    ]
    db.execute(f"create temp table made as {' union all by name '.join(parts)}")


def links(db: duckdb.DuckDBPyConnection, staged: Sequence[Staged]) -> int:
    """How many rows of the files say that two ids are one person; after ``prepare``."""
    query = f"""select count(*) from read_parquet({_list(staged)}) where user_id is not null
        and (kind = 'alias' or (kind = 'identify' and anonymous_id is not null))"""
    told = "select count(*) from roster where previous_id is not null or (anonymous_id is not null and user_id is not null)"
    return _count(db, query) + _count(db, "select count(*) from merged") + _count(db, told)


def made(db: duckdb.DuckDBPyConnection) -> int:
    """How many calls stand in no file; after ``prepare``."""
    return _count(db, "select count(*) from made")


def _count(db: duckdb.DuckDBPyConnection, query: str) -> int:
    found = db.execute(query).fetchone()
    return int(found[0]) if found else 0


def _pairs(staged: Sequence[Staged]) -> str:
    return f"""
        select 'pair-' || md5(concat_ws('\x02', anonymous_id, user_id, min(time)::varchar)) as event_id, 'identify' as kind,
            '$identify' as event, min(time) as time, min(time) as original_time, anonymous_id, user_id,
            null::varchar as previous_id, false as bot, '{{}}' as properties, '{{}}' as context, min(month) as month,
            -1::integer as file, 0::bigint as row
        from read_parquet({_list(staged)})
        where kind not in ('identify', 'alias') and anonymous_id is not null and user_id is not null
        group by anonymous_id, user_id"""


def _persons(staged: Sequence[Staged]) -> str:
    files = f"read_parquet({_list(staged)})"
    return f"""(
        with sent as (
            select context->>'$.personId' as person, user_id, case when user_id is null then anonymous_id end as device,
                min(time) as first, min(month) as month
            from {files} where context->>'$.personId' is not null group by all
        ), mains as (
            select person, min_by(user_id, (first, user_id)) as main, min(first) as since, min(month) as main_month
            from sent where user_id is not null group by person
        ), named as (
            select anonymous_id as device, null as other from {files} where kind = 'identify' and user_id is not null
            union all select null, unnest([user_id, previous_id]) from {files} where kind = 'alias'
            union all select previous_id, null from {files} where kind = 'alias'
            union all select anonymous_id, previous_id from roster
        )
        select 'person-' || md5(concat_ws('\x02', person, device, user_id)) as event_id,
            case when device is null then 'alias' else 'identify' end as kind, '$' || kind as event,
            greatest(first, since) as time, time as original_time, device as anonymous_id, main as user_id,
            user_id as previous_id, false as bot, '{{}}' as properties, '{{}}' as context,
            greatest(month, main_month) as month, -1::integer as file, 0::bigint as row
        from sent join mains using (person)
        where user_id is distinct from main
            and coalesce(device not in (select device from named where device is not null), true)
            and coalesce(user_id not in (select other from named where other is not null), true)
    )"""


def _merges(db: duckdb.DuckDBPyConnection, staged: Sequence[Staged]) -> None:
    """``merged``, ``unmerged`` and ``further``: the calls of the other devices that a merge brings."""
    exports = _of(staged, "amplitude")
    files = [each.merges for each in exports if each.merges.exists()]
    told = f"read_parquet([{', '.join(map(literal, files))}])" if files else f"({_NO_MERGES})"
    sent = f"read_parquet({_list(exports)})" if files else "(select null::varchar as context where false)"
    nothing = "" if files else ", null::varchar as user_id, null::varchar as anonymous_id, null::timestamptz as time"
    db.execute(f"create temp table merges as select * from {told}")
    db.execute(f"""
        create temp table senders as
        select context->>'$.amplitudeId' as sender, user_id, anonymous_id, min(time) as first
        from (select *{nothing} from {sent})
        where context->>'$.amplitudeId' in (select gone from merges union select heir from merges)
        group by all""")
    db.execute(f"""
        create temp table resolved as
        with recursive heirs(gone, heir, depth) as (
            select distinct gone, heir, 1 from merges
            union
            select heirs.gone, merges.heir, depth + 1 from heirs join merges on merges.gone = heirs.heir
            where depth < {_HEIRS}
        ), users as (
            select sender, min_by(user_id, (first, user_id)) as user_id
            from senders where user_id is not null group by sender
        ), into_users as (
            select gone, min_by(user_id, (depth, user_id)) as user_id from heirs join users on sender = heir group by gone
        ), judged as (
            select merges.*, coalesce(into_users.user_id, users.user_id) as user_id,
                case when users.user_id <> into_users.user_id then users.user_id end as previous_id,
                case when into_users.user_id is null then merges.heir else merges.gone end as whose
            from merges left join users on users.sender = merges.gone left join into_users on into_users.gone = merges.gone
        ), devices as (
            select sender, anonymous_id, row_number() over (partition by sender order by min(first), anonymous_id) as nth
            from senders where anonymous_id is not null group by sender, anonymous_id
        )
        select judged.*, anonymous_id, coalesce(nth, 1) as nth,
            user_id is not null and (previous_id is not null or anonymous_id is not null) as known
        from judged left join devices on previous_id is null and user_id is not null and sender = whose""")
    call = """case when previous_id is null then 'identify' else 'alias' end as kind, '$' || kind as event, time,
            time as original_time, anonymous_id, user_id, previous_id, false as bot, '{}' as properties, '{}' as context,
            month"""
    name = "'merge-' || md5(concat_ws('\x02', gone, heir, time::varchar))"
    db.execute(f"""
        create temp table merged as
        select {name} as event_id, {call}, file, row from resolved where known and nth = 1""")
    db.execute(f"""
        create temp table further as
        select distinct {name} || '-' || md5(anonymous_id) as event_id, {call}, -1::integer as file, 0::bigint as row
        from resolved where known and nth > 1""")
    db.execute(f"""
        create temp table unmerged as
        select path, {literal(Outcome.MISSING_IDENTITY.value)} as reason,
            'line ' || row || ': ' || {literal(UNKNOWN)} as detail, null::varchar as event_id, raw, file, row
        from resolved where not known""")


_NO_MERGES: Final = (
    "select null::varchar as gone, null::varchar as heir, null::timestamptz as time, null::varchar as month,"
    " null::varchar as path, null::blob as raw, null::integer as file, null::bigint as row where false"
)


def _of(staged: Sequence[Staged], *formats: str) -> list[Staged]:
    return [each for each in staged if (counts := each.counts()) and counts.format in formats]


def _list(staged: Sequence[Staged]) -> str:
    return f"[{', '.join(literal(each.events) for each in staged)}]"
