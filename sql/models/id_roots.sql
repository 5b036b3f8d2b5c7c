-- one row per id that an event came with or a link in force names: the id that stands for its person
-- grain: actor_id
-- kind: relation
-- reads: seen_ids, link_states, user_roots
-- user_roots: of each user id that an alias names, which of those it is connected to stands for all (transforms/identity.py).
-- 64-bit ids only: at millions of ids their texts would not fit into memory.
with in_force as (
    select actor_id, owner_actor_id, time, ordinal
    from link_states
    where state = 'in_force'
),
moments as (
    select actor_id, first_seen, 1 as acted, cast(null as bigint) as owner_actor_id from seen_ids
    union all
    select actor_id, time as first_seen, 0 as acted, case when ordinal = 1 then owner_actor_id end as owner_actor_id
    from in_force
    union all
    select owner_actor_id as actor_id, time as first_seen, 0 as acted, cast(null as bigint) as owner_actor_id from in_force
),
ids as (
    select actor_id, min(first_seen) as first_seen, max(acted) as acted, max(owner_actor_id) as owner_actor_id
    from moments
    group by actor_id
)
select
    ids.actor_id,
    coalesce(own.root, owners.root, ids.owner_actor_id, ids.actor_id) as root,
    ids.first_seen,
    ids.acted
from ids
left join user_roots as own on own.actor_id = ids.actor_id
left join user_roots as owners on owners.actor_id = ids.owner_actor_id
