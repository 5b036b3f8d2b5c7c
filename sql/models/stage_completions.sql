-- one row per condition of a stage, holder (a person, or an account by its people's events) and stretch: first completed when
-- grain: condition, holder, stretch
-- kind: relation
-- reads: conditions, stage_counts
-- Bound by funnels/stages.py: conditions. All lengths of time are inclusive and microseconds. What was counted before a leaving counts no more
-- after it: each stretch is for itself. Each kind of condition has a way of its own, as the cheap ones are the many: the first
-- event, the n-th, the n-th within a window, so many people at once.
with singles as ( -- once: the first
    select counted.condition, counted.holder, counted.stretch, min(counted.time) as time
    from stage_counts as counted
    join conditions on conditions.condition = counted.condition and conditions.people is null and conditions.times = 1
    group by counted.condition, counted.holder, counted.stretch
),
turns as (
    select
        counted.condition, counted.holder, counted.stretch, counted.event_id, counted.time, conditions.times,
        conditions.window_length, row_number() over (
            partition by counted.condition, counted.holder, counted.stretch order by counted.time, counted.event_id
        ) as turn
    from stage_counts as counted
    join conditions on conditions.condition = counted.condition and conditions.people is null and conditions.times > 1
),
repeated as ( -- n times: the n-th of n events in a row that fit the window
    select last.condition, last.holder, last.stretch, last.event_id, last.time
    from turns as last
    join turns as opening on opening.condition = last.condition and opening.holder = last.holder
        and opening.stretch = last.stretch and opening.turn = last.turn - last.times + 1
    where last.window_length is not null and epoch_us(last.time) - epoch_us(opening.time) <= last.window_length
),
seen as (
    select
        counted.condition, counted.holder, counted.stretch, counted.event_id, counted.time, conditions.people,
        conditions.window_length,
        epoch_us(counted.time) as moment,
        lag(epoch_us(counted.time)) over (
            partition by counted.condition, counted.holder, counted.stretch, counted.person
            order by counted.time, counted.event_id
        ) as earlier,
        lead(epoch_us(counted.time)) over (
            partition by counted.condition, counted.holder, counted.stretch, counted.person
            order by counted.time, counted.event_id
        ) as later
    from stage_counts as counted
    join conditions on conditions.condition = counted.condition and conditions.people is not null
),
changes as (
    select 1 as change
    union all
    select -1 as change
),
presence as ( -- people: from an event on, a person is present until the window has passed without another one
    select
        seen.condition, seen.holder, seen.stretch, seen.people, seen.event_id, seen.time, changes.change,
        case when changes.change = 1 then seen.moment else seen.moment + seen.window_length end as moment
    from seen cross join changes
    where (changes.change = 1 and (seen.earlier is null or seen.moment - seen.earlier > seen.window_length))
        or (changes.change = -1 and seen.window_length is not null
            and (seen.later is null or seen.later - seen.moment > seen.window_length))
),
crowds as ( -- who leaves at this very instant is still present: arrivals first
    select condition, holder, stretch, people, event_id, time, change, sum(change) over (
        partition by condition, holder, stretch order by moment, change desc, event_id rows unbounded preceding
    ) as present
    from presence
),
completed as (
    select counted.condition, counted.holder, counted.stretch, counted.event_id, counted.time
    from stage_counts as counted
    join singles on singles.condition = counted.condition and singles.holder = counted.holder
        and singles.stretch = counted.stretch and singles.time = counted.time
    union all
    select condition, holder, stretch, event_id, time from turns where window_length is null and turn = times
    union all
    select condition, holder, stretch, event_id, time from repeated
    union all
    select condition, holder, stretch, event_id, time from crowds where change = 1 and present >= people
),
numbered as (
    select
        condition, holder, stretch, event_id, time,
        row_number() over (partition by condition, holder, stretch order by time, event_id) as turn
    from completed
)
select condition, holder, stretch, event_id, time from numbered where turn = 1
