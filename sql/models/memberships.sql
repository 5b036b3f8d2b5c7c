-- one row per person and account the person belongs to: by a group call, or by the company's e-mail address
-- grain: person_id, account_id
-- kind: by_subject person_id
-- reads: events, actors, free_domains
-- Where $by_email, a person whom no group call names belongs to the domain of each address that an identify call gave, free
-- domains (free_domains) aside. The person's sole membership at a time t is the row with ordinal = 1, since <= t and no
-- next_since or t < next_since.
with called as (
    select actors.person_id, actors.person, events.account_id, events.time, events.event_id
    from events join actors on actors.actor_id = events.actor_id
    where events.kind = 'group' and events.account_id is not null
),
addressed as (
    select
        actors.person_id, actors.person, events.time, events.event_id,
        regexp_extract(lower(trim(events.properties ->> '$.email')), '^[^@ ]+@([^@ .]+([.][^@ .]+)+)$', 1) as domain
    from events join actors on actors.actor_id = events.actor_id
    where $by_email and events.kind = 'identify'
),
joined as (
    select person_id, person, account_id, time, event_id from called
    union all
    select addressed.person_id, addressed.person, addressed.domain, addressed.time, addressed.event_id
    from addressed
    left join free_domains on free_domains.domain = addressed.domain
    left join (select distinct person_id from called) as grouped on grouped.person_id = addressed.person_id
    where addressed.domain <> '' and free_domains.domain is null and grouped.person_id is null
),
ranked as (
    select
        person_id, person, account_id, time, event_id,
        row_number() over (partition by person_id, account_id order by time, event_id) as turn
    from joined
)
select
    person_id,
    person,
    account_id,
    time as since,
    event_id as linked_by,
    cast(row_number() over (partition by person_id order by time, event_id) as integer) as ordinal,
    lead(time) over (partition by person_id order by time, event_id) as next_since
from ranked
where turn = 1
