-- one row per id that an event came with or a link names: whose it is
-- grain: actor_id
-- kind: whole
-- reads: events, id_links, id_hashes, user_roots
-- id_hashes: the actor_id of every linked id. user_roots: of each user id that an alias names, the smallest user id it is
-- connected to (transforms/identity.py). A person is a root with all ids under it; its public id is the smallest of them.
with seen as (
    select
        actor_id,
        case when user_id is not null then 'user:' || user_id else 'anonymous:' || anonymous_id end as id,
        min(time) as first_seen
    from events
    group by all
    union all
    select id_hashes.actor_id, id_links.id, min(id_links.time) as first_seen
    from id_links join id_hashes on id_hashes.id = id_links.id
    group by all
),
ids as (
    select actor_id, id, min(first_seen) as first_seen
    from seen
    group by actor_id, id
),
linked as (
    select ids.actor_id, ids.id, ids.first_seen, id_links.owner, id_links.event_id as linked_by, id_links.time as linked_at
    from ids left join id_links on id_links.id = ids.id and id_links.ordinal = 1
),
rooted as (
    select linked.actor_id, linked.id, linked.first_seen, linked.linked_by, linked.linked_at,
        coalesce(user_roots.root, linked.owner, linked.id) as root
    from linked left join user_roots
        on user_roots.id = case when linked.id like 'anonymous:%' then linked.owner else linked.id end
),
people as (
    select root, min(id) as person, min_by(actor_id, id) as person_id
    from rooted
    group by root
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
