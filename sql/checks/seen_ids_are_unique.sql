-- an id that has more than one row in seen_ids
-- grain: actor_id, id
-- kind: check
-- reads: seen_ids
select actor_id, id, count(*) as copies
from seen_ids
group by actor_id, id
having count(*) > 1
