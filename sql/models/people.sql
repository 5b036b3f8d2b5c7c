-- one row per person
-- grain: person_id
-- kind: by_subject person_id
-- reads: sessions, memberships, first_touches, traits
-- Sessions cover each of a person's events once.
with spans as (
    select
        person_id, any_value(person) as person, min(started) as first_seen, max(ended) as last_seen, sum(events) as events
    from sessions
    group by person_id
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
