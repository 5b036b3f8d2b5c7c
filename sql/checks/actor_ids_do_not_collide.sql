-- an actor id that two typed ids share, or a typed id with two actor ids: a collision of the hash
-- grain: actor_id
-- kind: check
-- reads: actors
select actor_id, min(id) as one, max(id) as other, count(*) as ids
from actors
group by actor_id
having count(*) > 1
union all
select min(actor_id) as actor_id, id as one, id as other, count(*) as ids
from actors
group by id
having count(*) > 1
