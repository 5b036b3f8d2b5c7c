-- an actor id that stands for one typed id in the events and for another in the ledger: a collision of the hash
-- grain: actor_id
-- kind: check
-- reads: seen_ids, id_links
with said as (
    select actor_id, id from id_links
    union all
    select owner_actor_id as actor_id, owner as id from id_links
)
select seen_ids.actor_id, min(seen_ids.id) as one, max(said.id) as other, count(*) as ids
from seen_ids join said on said.actor_id = seen_ids.actor_id
where said.id <> seen_ids.id
group by seen_ids.actor_id
