-- a person whose days have other numbers of events or sessions in sum than the person has
-- grain: person_id
-- kind: check
-- reads: people, sessions, person_days
with days as (
    select person_id, sum(events) as events, sum(sessions) as sessions
    from person_days
    group by person_id
),
began as (
    select person_id, count(*) as sessions
    from sessions
    where not bot
    group by person_id
)
select coalesce(people.person_id, days.person_id) as person_id, people.events, days.events as in_days,
    began.sessions, days.sessions as sessions_in_days
from people
full join days on days.person_id = people.person_id
left join began on began.person_id = people.person_id
where people.events is distinct from days.events or coalesce(began.sessions, 0) <> coalesce(days.sessions, 0)
