-- one row per session: a person's events of one source without more than 30 minutes of silence between two of them
-- grain: session_id, started
-- kind: by_day person_id started
-- reads: session_spans, session_calls
-- Every event is in exactly one session, whatever midnight or month lies in it; silence of exactly 30 minutes ends none, and
-- events of bots make sessions of their own. A session is named by its first event, by (time, event_id); where
-- copies of that event stand in two months (ingest/ids.py), two sessions bear its name. Its channel is that event's.
-- Hardly ever did two calls come at once: only these are grouped, since texts in an aggregate of millions of rows cost more
-- than all the rest.
with tied as (
    select person_id, time from session_calls group by person_id, time having count(*) > 1
),
chosen as ( -- of calls of a session that came at once the one with the least id
    select
        calls.person_id, calls.source, calls.bot, calls.started, calls.time, any_value(calls.person) as person,
        min(calls.event_id) as event_id, min_by(calls.page, calls.event_id) filter (where calls.page is not null) as page,
        min_by(calls.channel, calls.event_id) as channel
    from session_calls as calls join tied on tied.person_id = calls.person_id and tied.time = calls.time
    group by calls.person_id, calls.source, calls.bot, calls.started, calls.time
),
openings as (
    select calls.person_id, calls.source, calls.bot, calls.started, calls.person, calls.event_id, calls.page, calls.channel
    from session_calls as calls left join tied on tied.person_id = calls.person_id and tied.time = calls.time
    where calls.time = calls.started and tied.person_id is null
    union all
    select person_id, source, bot, started, person, event_id, page, channel from chosen where time = started
),
entrances as (
    select calls.person_id, calls.source, calls.bot, calls.started, calls.page
    from session_calls as calls left join tied on tied.person_id = calls.person_id and tied.time = calls.time
    where calls.time > calls.started and tied.person_id is null
    union all
    select person_id, source, bot, started, page from chosen where time > started
)
select
    openings.event_id as session_id, spans.person_id, openings.person, spans.source, spans.bot, spans.started, spans.ended,
    spans.events, spans.pages, coalesce(openings.page, entrances.page) as entry_page, openings.channel
from openings
join session_spans as spans on spans.person_id = openings.person_id and spans.source = openings.source
    and spans.bot = openings.bot and spans.started = openings.started
left join entrances on entrances.person_id = openings.person_id and entrances.source = openings.source
    and entrances.bot = openings.bot and entrances.started = openings.started
