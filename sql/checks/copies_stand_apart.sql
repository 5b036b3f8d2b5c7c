-- an event id that is stored twice although its copies came within $dedup_limit of each other
-- grain: event_id
-- kind: check
-- reads: events
-- It runs at night only: a build has no $dedup_limit.
with repeated as (
    select event_id from events group by event_id having count(*) > 1
),
gaps as (
    select
        events.event_id,
        events.received_at,
        lag(events.received_at) over (partition by events.event_id order by events.received_at) as before
    from events join repeated on repeated.event_id = events.event_id
)
select event_id, before, received_at
from gaps
where received_at <= before + $dedup_limit
