-- an id that events came with and actors does not have, or has as seen later than they came
-- grain: actor_id, id
-- kind: check
-- reads: seen_ids, actors
select seen_ids.actor_id, seen_ids.id, seen_ids.first_seen
from seen_ids left join actors on actors.actor_id = seen_ids.actor_id and actors.id = seen_ids.id
where actors.actor_id is null or actors.first_seen > seen_ids.first_seen
