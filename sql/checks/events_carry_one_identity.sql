-- an event that names neither a user nor an anonymous id
-- grain: event_id
-- kind: check
-- reads: events
select event_id, kind
from events
where user_id is null and anonymous_id is null
