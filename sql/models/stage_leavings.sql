-- one row per moment at which a subject leaves a stage, whether or not it is in it: the stretch of time until the next one
-- grain: subject, stage, subject_id, stretch
-- kind: relation
-- reads: leaving_conditions, stage_matches
-- Bound by funnels/models/stages.py: leaving_conditions (what ends a spell). stretch counts from 1; the time before the first leaving
-- is stretch 0 and has no row. A stretch begins with the leaving's own instant: what enters then, enters anew.
with seen as (
    select
        leaving_conditions.condition, stage_matches.event_id, stage_matches.time,
        case when leaving_conditions.by_account then stage_matches.account_id else stage_matches.person end as holder
    from stage_matches
    join leaving_conditions on leaving_conditions.pattern = stage_matches.pattern
),
counted as (
    select condition, holder, time, row_number() over (partition by condition, holder order by time, event_id) as turn
    from seen
    where holder is not null
),
moments as ( -- n times: the n-th of n events in a row that fit the window
    select distinct leaving_conditions.subject, leaving_conditions.stage, counted.holder as subject_id, counted.time
    from counted
    join leaving_conditions on leaving_conditions.condition = counted.condition
    join counted as opening on opening.condition = counted.condition and opening.holder = counted.holder
        and opening.turn = counted.turn - leaving_conditions.times + 1
    where leaving_conditions.window_length is null or epoch_us(counted.time) - epoch_us(opening.time) <= leaving_conditions.window_length
)
select
    subject, stage, subject_id,
    cast(row_number() over (partition by subject, stage, subject_id order by time) as integer) as stretch,
    time as since,
    lead(time) over (partition by subject, stage, subject_id order by time) as until
from moments
