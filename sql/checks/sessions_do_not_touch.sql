-- a session that begins before its person has been silent for 30 minutes at the same source, or ends before it begins
-- grain: session_id
-- kind: check
-- reads: sessions
with followed as (
    select
        session_id, started, ended,
        lead(started) over (partition by person_id, source, bot order by started, session_id) as next_started
    from sessions
)
select session_id, started, ended, next_started
from followed
where ended < started or next_started - ended <= interval '30' minute
