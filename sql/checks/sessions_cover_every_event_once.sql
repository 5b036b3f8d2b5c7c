-- the total of sessions' events where it differs from the number of events
-- grain: counted
-- kind: check
-- reads: events, sessions
with counted as (
    select coalesce(sum(events), 0) as counted from sessions
),
stored as (
    select count(*) as stored from events
)
select counted.counted, stored.stored
from counted cross join stored
where counted.counted <> stored.stored
