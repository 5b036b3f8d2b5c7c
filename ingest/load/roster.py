"""PostHog's persons export: which ids are one person, and what is known of them. It names neither what kind of id each is
nor when any of it came to be, so both are told by the events of the same import:

    the person's user who came first     identify with the traits, when the person was last seen: they are the latest
    another user of theirs               alias of the first, as soon as both were seen
    a device                             identify of the first user, as soon as both were seen
    of devices without a user the first  identify with the traits

Refused are an id that no event shows, and further devices of nobody who signed in, as only a user links devices. Of rows
that tell of one id again, in another version, the newest counts last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from ingest.event import FIRST_MONTH
from ingest.load.engine import literal
from ingest.load.staged import Staged
from ingest.outcome import Outcome

UNSEEN: Final = "what kind of id this is, is told by its events: import the persons together with the events export"
NO_USER: Final = "a device of a person who has others and never signed in: only a user links two devices"

_SENT: Final = """
    select id, max(kind) as kind, min(time) as first, max(time) as last
    from (
        select user_id as id, 'user' as kind, time from {events} where user_id is not null
        union all select previous_id, 'user', time from {events} where kind = 'alias'
        union all select anonymous_id, 'anonymous', time from {events} where anonymous_id is not null
    )
    group by id
"""
_TOLD: Final = """
    select * exclude (person),
        last_value(person) over (partition by sender order by versions, file, row
            rows between unbounded preceding and unbounded following) as person,
        to_microseconds(row_number() over (partition by sender order by versions, file, row) - 1) as later
    from {persons}
"""
_JUDGED: Final = """
    with sent as ({sent}),
    told as ({told}),
    seen as (select told.*, kind, first, last from told left join sent on sent.id = told.sender),
    whole as (
        select person, min_by(sender, (first, sender)) filter (kind = 'user') as main,
            min(first) filter (kind = 'user') as since,
            min_by(sender, (first, sender)) filter (kind = 'anonymous') as device, max(last) as last
        from seen where kind is not null group by person
    )
    select sender, person, properties, versions, path, raw, file, row, seen.kind as id_kind, main, later,
        sender = coalesce(main, device) as tells, main is null and sender <> device as alone,
        case when tells then whole.last else greatest(first, since) end + later as time
    from seen left join whole using (person)
"""
_CALLS: Final = f"""
    select 'roster-' || md5(concat_ws('\x02', sender, person, versions, properties)) as event_id,
        case when id_kind = 'user' and not tells then 'alias' else 'identify' end as kind, '$' || kind as event,
        time, time as original_time, case when id_kind = 'anonymous' then sender end as anonymous_id, main as user_id,
        case when id_kind = 'user' and not tells then sender end as previous_id, false as bot,
        case when tells then properties else '{{}}' end as properties, '{{}}' as context,
        greatest(strftime(time::timestamp, '%Y-%m'), '{FIRST_MONTH}') as month, file, row
    from judged where id_kind is not null and not alone
"""
_REFUSED: Final = f"""
    select path, {literal(Outcome.MISSING_IDENTITY.value)} as reason,
        'line ' || row || ': ' || case when id_kind is null then {literal(UNSEEN)} else {literal(NO_USER)} end as detail,
        null::varchar as event_id, raw, file, row
    from judged where id_kind is null or alone
"""


def prepare(db: duckdb.DuckDBPyConnection, staged: Sequence[Staged]) -> None:
    """The tables ``roster`` (calls, one for each row of the export that says something) and ``unrostered`` (refused)."""
    exports = [each for each in staged if (counts := each.counts()) and counts.format == "posthog"]
    files = [each.persons for each in exports if each.persons.exists()]
    if files:
        events, persons = (f"read_parquet([{', '.join(map(literal, each))}])" for each in
                           ([export.events for export in exports], files))  # fmt: skip
        form = {"sent": _SENT.format(events=events), "told": _TOLD.format(persons=persons)}
        db.execute(f"create temp table judged as {_JUDGED.format(**form)}")
    else:
        db.execute(f"create temp table judged as {_NOTHING}")
    db.execute(f"create temp table roster as {_CALLS}")
    db.execute(f"create temp table unrostered as {_REFUSED}")


_NOTHING: Final = """
    select ''::varchar as sender, ''::varchar as person, ''::varchar as properties, ''::varchar as versions,
        ''::varchar as path, ''::blob as raw, 0::integer as file, 0::bigint as row, ''::varchar as id_kind,
        ''::varchar as main, interval 0 day as later, false as tells, false as alone, null::timestamptz as time
    where false
"""
