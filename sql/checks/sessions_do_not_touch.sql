-- a session that begins before its person has been silent for 30 minutes at the same source, or ends before it begins
-- grain: session_id
-- kind: check
-- reads: sessions
-- As microseconds: a difference of times with a zone costs ten times as much. First by a hash, as a sort by numbers alone takes
-- half the time; then of those found alone.
with hashed as (
    select hash(person_id, source, bot) as stream, epoch_us(started) as begun, epoch_us(ended) as done from sessions
),
near as (
    select stream, begun, done, lead(begun) over (partition by stream order by begun) as next_begun from hashed
),
suspected as (
    select distinct stream from near where done < begun or next_begun - done <= 1800000000
),
followed as (
    select
        session_id, started, ended, epoch_us(started) as begun, epoch_us(ended) as done,
        lead(epoch_us(started)) over (partition by person_id, source, bot order by epoch_us(started)) as next_begun
    from sessions
    where hash(person_id, source, bot) in (select stream from suspected)
)
select session_id, started, ended
from followed
where done < begun or next_begun - done <= 1800000000
