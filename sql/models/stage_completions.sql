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
sightings as ( -- of a person, the first and the last within one window's length of time: in between nobody is missed
    select
        counted.condition, counted.holder, counted.stretch, counted.person, conditions.people, conditions.window_length,
        case
            when conditions.window_length is null then 0
            else (epoch_us(counted.time) + 62135596800000000) // greatest(conditions.window_length, 1) -- from the year 1
        end as length,
        min(epoch_us(counted.time)) as first, max(epoch_us(counted.time)) as last
    from stage_counts as counted
    join conditions on conditions.condition = counted.condition and conditions.people is not null
    group by all
),
seen as (
    select
        sightings.*,
        lag(last) over (partition by condition, holder, stretch, person order by first) as earlier,
        lead(first) over (partition by condition, holder, stretch, person order by first) as later
    from sightings
),
presence as ( -- people: from an event on, a person is present until the window has passed without another one
    select condition, holder, stretch, people, person, 1 as change, first as moment
    from seen
    where earlier is null or first - earlier > window_length
    union all
    select condition, holder, stretch, people, person, -1, last + window_length
    from seen
    where window_length is not null and (later is null or later - last > window_length)
),
crowds as ( -- who leaves at this very instant is still present: arrivals first, and all of an instant together
    select condition, holder, stretch, people, person, change, moment, sum(change) over (
        partition by condition, holder, stretch order by moment, change desc
    ) as present
    from presence
),
reached as (
    select condition, holder, stretch, min(moment) as moment
    from crowds
    where change = 1 and present >= people
    group by condition, holder, stretch
),
arrived as ( -- the people of that instant, each by the event with the least id: one of them makes the number full
    select
        crowds.condition, crowds.holder, crowds.stretch, crowds.person, crowds.people, crowds.present, counted.time,
        min(counted.event_id) as event_id
    from reached
    join crowds on crowds.condition = reached.condition and crowds.holder = reached.holder
        and crowds.stretch = reached.stretch and crowds.moment = reached.moment and crowds.change = 1
    join stage_counts as counted on counted.condition = crowds.condition and counted.holder = crowds.holder
        and counted.stretch = crowds.stretch and counted.person = crowds.person and epoch_us(counted.time) = crowds.moment
    group by
        crowds.condition, crowds.holder, crowds.stretch, crowds.person, crowds.people, crowds.present, counted.time
),
counted_on as (
    select
        condition, holder, stretch, event_id, time, people,
        present - count(*) over (partition by condition, holder, stretch)
            + row_number() over (partition by condition, holder, stretch order by event_id) as present
    from arrived
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
    select condition, holder, stretch, event_id, time from counted_on where present = people
),
numbered as (
    select
        condition, holder, stretch, event_id, time,
        row_number() over (partition by condition, holder, stretch order by time, event_id) as turn
    from completed
)
select condition, holder, stretch, event_id, time from numbered where turn = 1
