-- one row per condition of a stage, holder (a person, or an account by its people's events) and stretch: first completed when
-- grain: condition, holder, stretch
-- kind: relation
-- reads: conditions, stage_counts, stage_crowds
-- Bound by funnels/models/stages.py: conditions. All lengths of time are inclusive and microseconds. What was counted before a
-- leaving counts no more after it: each stretch is for itself. Each kind of condition has a way of its own, as the cheap ones
-- are the many: the first event, the n-th, the n-th within a window, so many people at once (stage_crowds).
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
    select condition, holder, stretch, event_id, time from stage_crowds
),
numbered as (
    select
        condition, holder, stretch, event_id, time,
        row_number() over (partition by condition, holder, stretch order by time, event_id) as turn
    from completed
)
select condition, holder, stretch, event_id, time from numbered where turn = 1
