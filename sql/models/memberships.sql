-- one row per person, account and spell of belonging to it: by a group call, or by the company's e-mail address
-- grain: person_id, account_id, since
-- kind: by_subject person_id
-- reads: events, actors, free_domains
-- Where $by_email, a person whom no group call names belongs to the domain of each address that an identify call gave, free
-- domains (free_domains) aside. The event $left_by ends a spell: its person leaves the account that it names, else the only
-- one that the person ever joined before. What joins at the very instant of a leaving begins the next spell; a group call
-- does, an address joins once.
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
at_a_company as (
    select
        addressed.person_id, addressed.person, addressed.domain, addressed.time, addressed.event_id,
        row_number() over (
            partition by addressed.person_id, addressed.domain order by addressed.time, addressed.event_id
        ) as turn
    from addressed
    left join free_domains on free_domains.domain = addressed.domain
    left join (select distinct person_id from called) as grouped on grouped.person_id = addressed.person_id
    where addressed.domain <> '' and free_domains.domain is null and grouped.person_id is null
),
joined as (
    select person_id, person, account_id, time, event_id from called
    union all
    select person_id, person, domain, time, event_id from at_a_company where turn = 1
),
left_by as (
    select actors.person_id, events.account_id, events.time
    from events join actors on actors.actor_id = events.actor_id
    where events.kind = 'track' and events.event = $left_by
),
leavings as (
    select person_id, account_id, time from left_by where account_id is not null
    union
    select left_by.person_id, min(joined.account_id) as account_id, left_by.time
    from left_by join joined on joined.person_id = left_by.person_id and joined.time < left_by.time
    where left_by.account_id is null
    group by left_by.person_id, left_by.time
    having count(distinct joined.account_id) = 1
),
stretches as ( -- of time up to a leaving; the time after the last one has no row
    select
        person_id, account_id, time as until,
        lag(time) over (partition by person_id, account_id order by time) as since
    from leavings
),
ranked as (
    select
        joined.person_id, joined.person, joined.account_id, joined.time, joined.event_id, stretches.until,
        row_number() over (
            partition by joined.person_id, joined.account_id, stretches.until order by joined.time, joined.event_id
        ) as turn
    from joined
    left join stretches on stretches.person_id = joined.person_id and stretches.account_id = joined.account_id
        and joined.time < stretches.until and (stretches.since is null or stretches.since <= joined.time)
)
select
    person_id,
    person,
    account_id,
    time as since,
    until,
    event_id as linked_by,
    cast(row_number() over (partition by person_id order by time, event_id) as integer) as ordinal
from ranked
where turn = 1
