-- a person with more than one row in people
-- grain: person_id
-- kind: check
-- reads: people
select person_id, count(*) as copies
from people
group by person_id
having count(*) > 1
