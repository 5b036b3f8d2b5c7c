-- one row per person: the channel that brought them, by their first session
-- grain: person_id
-- kind: relation
-- reads: events, actors, sessions
-- A person's first event, by (time, event_id), opens their first session, which is named by it. Whoever came directly and
-- signed up ($sign_up) with an invite came by that.
with ranked as (
    select person_id, channel, row_number() over (partition by person_id order by started, session_id) as turn
    from sessions
),
invited as (
    select distinct actors.person_id
    from events join actors on actors.actor_id = events.actor_id
    where events.event = $sign_up and (events.properties ->> '$.invite_id') is not null
)
select
    ranked.person_id,
    case when channel = 'direct' and invited.person_id is not null then 'invite' else channel end as channel
from ranked left join invited on invited.person_id = ranked.person_id
where ranked.turn = 1
