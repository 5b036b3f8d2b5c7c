-- one row per id that an event came with or a link in force names: whose it is
-- grain: actor_id
-- kind: whole
-- reads: seen_ids, link_states, user_roots
-- user_roots: of each user id that an alias names, the smallest user id it is connected to (transforms/identity.py). A person
-- is a root with all ids under it, of which at least one acted; its public id is the smallest of them.
with in_force as (
    select id, owner, actor_id, owner_actor_id, entry, time, ordinal
    from link_states
    where state = 'in_force'
),
seen as (
    select actor_id, id, first_seen, 1 as acted from seen_ids
    union all
    select actor_id, id, time as first_seen, 0 as acted from in_force
    union all
    select owner_actor_id as actor_id, owner as id, time as first_seen, 0 as acted from in_force
),
ids as (
    select actor_id, id, min(first_seen) as first_seen, max(acted) as acted
    from seen
    group by actor_id, id
),
linked as (
    select ids.actor_id, ids.id, ids.first_seen, ids.acted, in_force.owner, in_force.entry as linked_by,
        in_force.time as linked_at
    from ids left join in_force on in_force.id = ids.id and in_force.ordinal = 1
),
rooted as (
    select linked.actor_id, linked.id, linked.first_seen, linked.acted, linked.linked_by, linked.linked_at,
        coalesce(user_roots.root, linked.owner, linked.id) as root
    from linked left join user_roots
        on user_roots.id = case when linked.id like 'anonymous:%' then linked.owner else linked.id end
),
people as (
    select root, min(id) as person, min_by(actor_id, id) as person_id
    from rooted
    group by root
    having max(acted) = 1
)
select
    rooted.actor_id,
    rooted.id,
    people.person_id,
    people.person,
    rooted.linked_by,
    rooted.linked_at,
    rooted.first_seen
from rooted join people on people.root = rooted.root
