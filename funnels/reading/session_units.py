"""Sessions as units: spans of a person's events of one source without more than 30 minutes of silence.

They are found anew from the events that are read, by the rule of ``sql/models/sessions.sql``, so that events and merges
since the last build are in them. Events in a stretch of time fall into the same sessions whether or not what came before is
read; only a session's name (its first event) and its first-ever events need all that came before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pyarrow as pa

from transforms.engine import Engine

RELATION: Final = "session_spans"
# Of an event: the last span that began by then is the one it lies in.
SESSIONS: Final = """asof left join session_spans
    on session_spans.person_id = actors.person_id and session_spans.source = events.source
    and session_spans.bot = events.bot and events.time >= session_spans.started"""
_SPANS: Final = """
with halves as ( -- half hours: none has a silence that ends a session
    select
        actors.person_id, events.source, events.bot, date_trunc('hour', events.time) as begun,
        events.time - date_trunc('hour', events.time) < interval '30' minute as early,
        min(events.time) as started, max(events.time) as ended
    from events join actors on actors.actor_id = events.actor_id
    where ($first is null or events.time >= cast($first as timestamptz))
        and ($last is null or events.time <= cast($last as timestamptz))
    group by all
),
followed as (
    select halves.*, lag(ended) over (partition by person_id, source, bot order by started) as earlier
    from halves
),
numbered as (
    select
        followed.*,
        sum(case when started - earlier <= interval '30' minute then 0 else 1 end) over (
            partition by person_id, source, bot order by started rows unbounded preceding
        ) as ordinal
    from followed
)
select person_id, source, bot, min(started) as started, row_number() over () as session
from numbered
group by person_id, source, bot, ordinal"""
_NAMES: Final = """
select session_spans.session as unit, min(events.event_id) as id
from events
join actors on actors.actor_id = events.actor_id
join session_spans on session_spans.person_id = actors.person_id and session_spans.source = events.source
    and session_spans.bot = events.bot and session_spans.started = events.time
where session_spans.session in (select unit from listed)
group by all"""


def find_sessions(engine: Engine, first: datetime | None, last: datetime | None) -> None:
    """Makes ``session_spans`` of the events in [first, last]; None: without that bound."""
    engine.make(RELATION, _SPANS, {"first": first, "last": last})


def session_names(engine: Engine, units: pa.Array) -> pa.Table:
    """``unit`` and ``id`` (the event id of its first event) of these sessions, in no order."""
    engine.bind("listed", pa.table({"unit": units}))
    return engine.table(_NAMES)
