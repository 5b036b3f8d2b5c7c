-- a session with more than one row, or of a person who has no row
-- grain: session_id, started
-- kind: check
-- reads: sessions, people
-- First by a hash: groups of texts take twice the time and memory of groups of numbers.
with repeated as (
    select hash(session_id, started) as hashed from sessions group by hash(session_id, started) having count(*) > 1
)
select session_id, started, count(*) as copies
from sessions
where hash(session_id, started) in (select hashed from repeated)
group by session_id, started
having count(*) > 1
union all
select sessions.session_id, sessions.started, 1 as copies
from sessions left join people on people.person_id = sessions.person_id
where people.person_id is null
