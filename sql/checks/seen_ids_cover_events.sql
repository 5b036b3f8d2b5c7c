-- an actor id that events carry and seen_ids has not, or the other way round, or that was first seen at another time
-- grain: actor_id
-- kind: check
-- reads: events, seen_ids
with carried as (
    select actor_id, min(time) as first_seen
    from events
    group by actor_id
),
seen as (
    select actor_id, min(first_seen) as first_seen
    from seen_ids
    group by actor_id
)
select coalesce(carried.actor_id, seen.actor_id) as actor_id, carried.first_seen, seen.first_seen as in_seen_ids
from carried full join seen on seen.actor_id = carried.actor_id
where carried.first_seen is distinct from seen.first_seen
