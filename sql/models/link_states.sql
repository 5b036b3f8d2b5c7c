-- one row per link: whether it is in force, and if not, why
-- grain: id, owner
-- kind: relation
-- reads: links, runaway_ids
-- state: 'in_force'; 'undone'; 'runaway' (one of its ids is linked to too many others); 'taken' (its anonymous id already
-- belongs to another user: a shared device joins nobody to a second one). ordinal counts an id's links that are neither undone
-- nor runaway, by event time then event id: of an anonymous id only the first is in force, of a user id all are.
with marked as (
    select links.id, links.owner, links.actor_id, links.owner_actor_id, links.entry, links.time, links.known_at, links.undone,
        runaway_ids.id is not null or runaway_owners.id is not null as runaway
    from links
    left join runaway_ids on runaway_ids.id = links.id
    left join runaway_ids as runaway_owners on runaway_owners.id = links.owner
),
counted as (
    select id, owner, actor_id, owner_actor_id, entry, time, known_at, undone, runaway,
        row_number() over (partition by id, undone or runaway order by time, entry) as ordinal
    from marked
)
select
    id,
    owner,
    actor_id,
    owner_actor_id,
    entry,
    time,
    known_at,
    cast(ordinal as integer) as ordinal,
    case
        when undone then 'undone'
        when runaway then 'runaway'
        when ordinal > 1 and id like 'anonymous:%' then 'taken'
        else 'in_force'
    end as state
from counted
