-- a person whose activity has other numbers of events or another span than their sessions, or than their days
-- grain: person_id
-- kind: check
-- reads: activity, sessions, person_days
with active as (
    select person_id, sum(events) as events, sum(pages) as pages, min(first_seen) as first_seen, max(last_seen) as last_seen
    from activity
    group by person_id
),
visits as (
    select person_id, sum(events) as events, sum(pages) as pages, min(started) as first_seen, max(ended) as last_seen
    from sessions
    group by person_id
),
days as (
    select person_id, sum(events) as events, sum(pages) as pages
    from person_days
    group by person_id
)
select coalesce(active.person_id, visits.person_id, days.person_id) as person_id, active.events,
    visits.events as in_sessions, days.events as in_days
from active
full join visits on visits.person_id = active.person_id
full join days on days.person_id = coalesce(active.person_id, visits.person_id)
where active.events is distinct from visits.events or active.pages is distinct from visits.pages
    or active.first_seen is distinct from visits.first_seen or active.last_seen is distinct from visits.last_seen
    or active.events is distinct from days.events or active.pages is distinct from days.pages
