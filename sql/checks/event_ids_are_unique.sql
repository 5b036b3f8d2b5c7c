-- an event id that is stored more than once in a month
-- grain: event_id
-- kind: check
-- reads: events
-- Copies are told without limit in one month; over the border of a month see copies_stand_apart.sql.
select event_id, month, count(*) as copies
from events
group by event_id, month
having count(*) > 1
