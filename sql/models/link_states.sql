-- one row per link: whether it is in force, and if not, why
-- grain: id, owner
-- kind: relation
-- reads: links, runaway_ids
-- state: 'in_force'; 'undone'; 'runaway' (one of its ids is linked to too many others); 'taken' (its anonymous id already
-- belongs to another user: a shared device joins nobody to a second one). ordinal counts an id's links that are neither undone
-- nor runaway, by event time then event id: of an anonymous id only the first is in force, of a user id all are.
with runaways as (
    select links.actor_id, links.owner_actor_id from links join runaway_ids on runaway_ids.id = links.id
    union
    select links.actor_id, links.owner_actor_id from links join runaway_ids on runaway_ids.id = links.owner
),
marked as (
    select links.id, links.owner, links.actor_id, links.owner_actor_id, links.entry, links.time, links.known_at, links.undone,
        runaways.actor_id is not null as runaway
    from links left join runaways
        on runaways.actor_id = links.actor_id and runaways.owner_actor_id = links.owner_actor_id
),
several as (
    select actor_id from marked where not undone and not runaway group by actor_id having count(*) > 1
),
ranked as (
    select marked.actor_id, marked.owner_actor_id,
        row_number() over (partition by marked.actor_id order by marked.time, marked.entry) as ordinal
    from marked join several on several.actor_id = marked.actor_id
    where not marked.undone and not marked.runaway
)
select
    marked.id,
    marked.owner,
    marked.actor_id,
    marked.owner_actor_id,
    marked.entry,
    marked.time,
    marked.known_at,
    case when not marked.undone and not marked.runaway then cast(coalesce(ranked.ordinal, 1) as integer) end as ordinal,
    case
        when marked.undone then 'undone'
        when marked.runaway then 'runaway'
        when ranked.ordinal > 1 and marked.id like 'anonymous:%' then 'taken'
        else 'in_force'
    end as state
from marked left join ranked
    on ranked.actor_id = marked.actor_id and ranked.owner_actor_id = marked.owner_actor_id
