-- an event id that is stored more than once
-- grain: event_id
-- kind: check
-- reads: events
select event_id, count(*) as copies
from events
group by event_id
having count(*) > 1
