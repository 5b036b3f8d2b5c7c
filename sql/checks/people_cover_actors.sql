-- a person that actors has and people has not, or the other way round
-- grain: person_id
-- kind: check
-- reads: actors, people
select coalesce(actors.person_id, people.person_id) as person_id, actors.person as in_actors, people.person as in_people
from actors full join people on people.person_id = actors.person_id
where actors.person is null or people.person is null or actors.person <> people.person
