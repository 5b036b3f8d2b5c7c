-- one row per condition of so many people at once, holder and stretch that has them: the event that makes the number full
-- grain: condition, holder, stretch
-- kind: relation
-- reads: conditions, stage_counts
-- Bound by funnels/models/stages.py: conditions. A person counts from an event on until the window has passed without another,
-- its end included; without a window for ever.
with sightings as ( -- of a person, the first and the last within one window's length of time: in between nobody is missed
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
)
select condition, holder, stretch, event_id, time from counted_on where present = people
