-- a person with more than one row for a day, or a day on which nothing happened
-- grain: person_id, day
-- kind: check
-- reads: person_days
select person_id, day, count(*) as copies, min(events) as events
from person_days
group by person_id, day
having count(*) > 1 or min(events) < 1
