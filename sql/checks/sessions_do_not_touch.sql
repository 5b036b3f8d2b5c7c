-- a session that begins before its person has been silent for 30 minutes at the same source, or ends before it begins
-- grain: session_id
-- kind: check
-- reads: sessions
-- As microseconds: a difference of times with a zone costs ten times as much. Which session it is is looked up of those found.
with followed as (
    select
        person_id, source, bot, started, epoch_us(started) as begun, epoch_us(ended) as done,
        lead(epoch_us(started)) over (partition by person_id, source, bot order by epoch_us(started)) as next_begun
    from sessions
),
touching as (
    select distinct person_id, source, bot, started
    from followed
    where done < begun or next_begun - done <= 1800000000
)
select sessions.session_id, sessions.started, sessions.ended
from sessions
join touching on touching.person_id = sessions.person_id and touching.source = sessions.source
    and touching.bot = sessions.bot and touching.started = sessions.started
