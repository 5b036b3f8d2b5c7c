-- an event id that is stored more than once in a month
-- grain: event_id
-- kind: check
-- reads: events
-- Copies are told without limit in one month; over the border of a month see copies_stand_apart.sql. First by a hash: groups of
-- texts take twice the time and memory of groups of numbers.
with repeated as (
    select hash(event_id) as hashed from events group by hash(event_id), month having count(*) > 1
)
select event_id, month, count(*) as copies
from events
where hash(event_id) in (select hashed from repeated)
group by event_id, month
having count(*) > 1
