-- one row per person: the channel that brought them, by their first session
-- grain: person_id
-- kind: relation
-- reads: events, actors, sessions
-- A person's first event, by (time, event_id), opens their first session, which is named by it. Whoever came directly and
-- signed up ($sign_up) with an invite came by that.
with firsts as (
    select person_id, min(started) as started
    from sessions
    group by person_id
),
arrived as ( -- sources have sessions of their own, so two may begin at once
    select sessions.person_id, min_by(sessions.channel, sessions.session_id) as channel
    from sessions join firsts on firsts.person_id = sessions.person_id and firsts.started = sessions.started
    group by sessions.person_id
),
invited as (
    select distinct actors.person_id
    from events join actors on actors.actor_id = events.actor_id
    where events.event = $sign_up and (events.properties ->> '$.invite_id') is not null
)
select
    arrived.person_id,
    case when channel = 'direct' and invited.person_id is not null then 'invite' else channel end as channel
from arrived left join invited on invited.person_id = arrived.person_id
