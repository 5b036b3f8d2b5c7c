-- a person whose public id is not the smallest of its ids, or not one of them
-- grain: person
-- kind: check
-- reads: actors
select person, min(id) as smallest, count(distinct person_id) as person_ids
from actors
group by person
having min(id) <> person
    or count(distinct person_id) > 1
    or count(*) filter (where id = person and actor_id = person_id) <> 1
