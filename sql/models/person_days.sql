-- one row per person and day on which they did anything, a day of the project's reporting zone
-- grain: person_id, day
-- kind: by_day person_id day
-- reads: activity, sessions
-- Every count adds up over days: a session belongs to the day on which it started, each of its events to the event's own.
with done as (
    select person_id, person, day, events, tracks, pages, bots, 0 as sessions
    from activity
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
