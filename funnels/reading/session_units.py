"""Sessions as units: spans of a person's events of one source without more than 30 minutes of silence.

They are found anew from the events that are read, by the rule of ``sql/models/sessions.sql``, so that events and merges
since the last build are in them. Events in a stretch of time fall into the same sessions whether or not what came before is
read; only a session's name (its first event) and its first-ever events need all that came before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

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
_LISTED: Final = """
select events.event_id, events.actor_id, actors.person_id, events.source, events.bot, events.time
from events join actors on actors.actor_id = events.actor_id
where events.event_id in (select event_id from listed)"""
_OWN: Final = """
with told as (
    select events.event_id, actors.person_id, events.source, events.bot, events.time
    from events join actors on actors.actor_id = events.actor_id
    where events.actor_id in ({actors}) and events.time <= $last and events.time >= $first and events.month >= $month
),
instants as (
    select person_id, source, bot, time, min(event_id) as name,
        lag(time) over (partition by person_id, source, bot order by time) as earlier
    from told group by person_id, source, bot, time
),
begun as (
    select * from instants where earlier is null or time - earlier > interval '30' minute
)
select listed_events.event_id, begun.name, begun.time as begun
from listed_events asof join begun
    on begun.person_id = listed_events.person_id and begun.source = listed_events.source
    and begun.bot = listed_events.bot and listed_events.time >= begun.time"""
_SILENCE: Final = timedelta(minutes=30)
_BACK: Final = (timedelta(days=1), timedelta(days=8), timedelta(days=64))  # within which a session began, most likely
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)


def find_sessions(engine: Engine, first: datetime | None, last: datetime | None) -> None:
    """Makes ``session_spans`` of the events in [first, last]; None: without that bound."""
    engine.make(RELATION, _SPANS, {"first": first, "last": last})


def session_names(engine: Engine, events: pa.Array) -> list[str]:
    """The event id of the first event of the session that each of these events lies in.

    Looked for among the events of these people shortly before, and further back only where a session may go on there.
    """
    engine.bind("listed", pa.table({"event_id": events}))
    if not engine.make("listed_events", _LISTED):
        return []
    engine.make("listed_people", "select actor_id from actors where person_id in (select person_id from listed_events)")
    bounds = engine.table("select min(time) as first, max(time) as last from listed_events").to_pylist()[0]
    for back in (*_BACK, None):
        first = _EARLIEST if back is None or bounds["first"] - _EARLIEST < back else bounds["first"] - back
        named = _named(engine, first, bounds["last"])
        if first == _EARLIEST or all(row["begun"] - first > _SILENCE for row in named):
            break
    names = {row["event_id"]: str(row["name"]) for row in named}
    return [names[event] for event in events.to_pylist()]


def _named(engine: Engine, first: datetime, last: datetime) -> list[dict[str, Any]]:
    text = _OWN.format(actors=engine.listed("actor_id", "listed_people"))
    found: list[dict[str, Any]] = engine.table(
        text, {"first": first, "last": last, "month": first.isoformat()[:7]}
    ).to_pylist()
    return found
