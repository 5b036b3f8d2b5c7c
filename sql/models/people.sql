-- one row per person
-- grain: person_id
-- kind: by_subject person_id
-- reads: events, actors, memberships, first_touches, traits
with spans as (
    select
        actors.person_id,
        any_value(actors.person) as person,
        min(events.time) as first_seen,
        max(events.time) as last_seen,
        count(*) as events
    from events join actors on actors.actor_id = events.actor_id
    group by actors.person_id
)
select
    spans.person_id,
    spans.person,
    spans.first_seen,
    spans.last_seen,
    spans.events,
    traits.traits ->> '$.email' as email,
    coalesce(
        traits.traits ->> '$.name',
        nullif(trim(concat_ws(' ', traits.traits ->> '$.firstName', traits.traits ->> '$.lastName')), '')
    ) as name,
    first_touches.channel,
    memberships.account_id,
    coalesce(traits.traits, '{}') as traits
from spans
join first_touches on first_touches.person_id = spans.person_id
left join memberships on memberships.person_id = spans.person_id and memberships.ordinal = 1
left join traits on traits.subject = 'person' and traits.subject_id = spans.person
