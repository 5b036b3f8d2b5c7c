-- an actor id that events carry and actors does not have
-- grain: actor_id
-- kind: check
-- reads: events, actors
select events.actor_id, count(*) as events
from events left join actors on actors.actor_id = events.actor_id
where actors.actor_id is null
group by events.actor_id
