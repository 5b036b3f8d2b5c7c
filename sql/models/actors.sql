-- one row per id that an event came with or a link in force names: whose it is
-- grain: actor_id
-- kind: by_subject actor_id
-- reads: seen_ids, link_states, id_roots
-- A person is a root with all ids under it, of which at least one acted; its public id is the smallest of them.
with linked_ids as (
    select actor_id from link_states where state = 'in_force' and ordinal = 1
),
owners as (
    select link_states.owner_actor_id as actor_id, min(link_states.owner) as id
    from link_states
    left join seen_ids on seen_ids.actor_id = link_states.owner_actor_id
    where link_states.state = 'in_force' and seen_ids.actor_id is null
    group by link_states.owner_actor_id
),
named as (
    select actor_id, id from seen_ids
    union all
    select actor_id, id from link_states where state = 'in_force' and ordinal = 1
    union all
    select actor_id, id from owners
),
people as (
    select id_roots.root, min(named.id) as person, min_by(named.actor_id, named.id) as person_id
    from named join id_roots on id_roots.actor_id = named.actor_id
    group by id_roots.root
    having max(id_roots.acted) = 1
),
told as (
    select actor_id, id, entry as linked_by, time as linked_at
    from link_states
    where state = 'in_force' and ordinal = 1
    union all
    select seen_ids.actor_id, seen_ids.id, null as linked_by, null as linked_at
    from seen_ids left join linked_ids on linked_ids.actor_id = seen_ids.actor_id
    where linked_ids.actor_id is null
    union all
    select owners.actor_id, owners.id, null as linked_by, null as linked_at
    from owners left join linked_ids on linked_ids.actor_id = owners.actor_id
    where linked_ids.actor_id is null
)
select
    told.actor_id,
    told.id,
    people.person_id,
    people.person,
    told.linked_by,
    told.linked_at,
    id_roots.first_seen
from told
join id_roots on id_roots.actor_id = told.actor_id
join people on people.root = id_roots.root
