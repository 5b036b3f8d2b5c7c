-- one row per id linked to more others than runaway_links allows: none of its links is in force
-- grain: id
-- kind: by_subject id
-- reads: links
-- Such an id names nobody: a constant that some sender puts in place of an id. Links that are undone do not count.
with ends as (
    select actor_id, owner_actor_id as other from links where not undone
    union all
    select owner_actor_id as actor_id, actor_id as other from links where not undone
),
crowded as (
    select actor_id from ends group by actor_id having count(*) > $runaway_links
),
counted as (
    select ends.actor_id, count(distinct ends.other) as others
    from ends join crowded on crowded.actor_id = ends.actor_id
    group by ends.actor_id
),
named as (
    select links.id, links.actor_id from links join crowded on crowded.actor_id = links.actor_id
    union
    select links.owner as id, crowded.actor_id from links join crowded on crowded.actor_id = links.owner_actor_id
)
select named.id, counted.others
from named join counted on counted.actor_id = named.actor_id
where counted.others > $runaway_links
