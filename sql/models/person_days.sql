-- one row per person and day on which they did anything, a day of the project's reporting zone
-- grain: person_id, day
-- kind: by_day person_id day
-- reads: events, actors, sessions
-- Every count adds up over days: a session belongs to the day on which it started, each of its events to the event's own.
with done as (
    select
        actors.person_id, actors.person, cast(events.time at time zone $zone as date) as day,
        1 as events,
        case when events.kind = 'track' then 1 else 0 end as tracks,
        case when events.kind in ('page', 'screen') then 1 else 0 end as pages,
        case when events.bot then 1 else 0 end as bots,
        0 as sessions
    from events join actors on actors.actor_id = events.actor_id
    union all
    select person_id, person, cast(started at time zone $zone as date), 0, 0, 0, 0, 1
    from sessions
    where not bot
)
select
    person_id, any_value(person) as person, day, sum(events) as events, sum(tracks) as tracks, sum(pages) as pages,
    sum(bots) as bots, sum(sessions) as sessions
from done
group by person_id, day
