-- a person who was last seen before the first time
-- grain: person_id
-- kind: check
-- reads: people
select person_id, first_seen, last_seen
from people
where last_seen < first_seen
