-- one row per moment at which a subject leaves a stage, whether or not it is in it: the stretch of time until the next one
-- grain: subject, stage, subject_id, stretch
-- kind: relation
-- reads: leaving_conditions, matches, actors, memberships
-- Bound by funnels/stages.py: leaving_conditions (what ends a spell) and matches. stretch counts from 1; the time before the
-- first leaving is stretch 0 and has no row. A stretch begins with the leaving's own instant: what enters then, enters anew.
with seen as (
    select
        leaving_conditions.condition, matches.event_id, matches.time,
        case -- an account's event: its own account, else its person's sole one at that time
            when leaving_conditions.by_account then coalesce(matches.account_id, memberships.account_id) else actors.person
        end as holder
    from matches
    join leaving_conditions on leaving_conditions.pattern = matches.pattern
    join actors on actors.actor_id = matches.actor_id
    left join memberships on memberships.person_id = actors.person_id and memberships.ordinal = 1
        and memberships.since <= matches.time
        and (memberships.next_since is null or matches.time < memberships.next_since)
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
    where leaving_conditions.window_length is null or counted.time - opening.time <= leaving_conditions.window_length
)
select
    subject, stage, subject_id,
    cast(row_number() over (partition by subject, stage, subject_id order by time) as integer) as stretch,
    time as since,
    lead(time) over (partition by subject, stage, subject_id order by time) as until
from moments
