-- one row per person and account the person was grouped into
-- grain: person_id, account_id
-- kind: whole
-- reads: events, actors
-- Only group calls make members. The person's sole membership at a time t is the row with ordinal = 1, since <= t and no
-- next_since or t < next_since.
with calls as (
    select
        actors.person_id,
        actors.person,
        events.account_id,
        events.time,
        events.event_id,
        row_number() over (
            partition by actors.person_id, events.account_id order by events.time, events.event_id
        ) as turn
    from events join actors on actors.actor_id = events.actor_id
    where events.kind = 'group' and events.account_id is not null
)
select
    person_id,
    person,
    account_id,
    time as since,
    event_id as linked_by,
    cast(row_number() over (partition by person_id order by time, event_id) as integer) as ordinal,
    lead(time) over (partition by person_id order by time, event_id) as next_since
from calls
where turn = 1
