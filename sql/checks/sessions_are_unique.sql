-- a session with more than one row, or of a person who has no row
-- grain: session_id, started
-- kind: check
-- reads: sessions, people
select sessions.session_id, sessions.started, count(*) as copies
from sessions left join people on people.person_id = sessions.person_id
group by sessions.session_id, sessions.started
having count(*) > 1 or count(people.person_id) = 0
