-- an account whose days have another number of events in sum than belong to it
-- grain: account_id
-- kind: check
-- reads: events, actors, sole_memberships, account_days
with owned as (
    select coalesce(events.account_id, sole_memberships.account_id) as account_id, count(*) as events
    from events
    join actors on actors.actor_id = events.actor_id
    left join sole_memberships on sole_memberships.person_id = actors.person_id
        and sole_memberships.since <= events.time
        and (sole_memberships.until is null or events.time < sole_memberships.until)
    group by coalesce(events.account_id, sole_memberships.account_id)
),
days as (
    select account_id, sum(events) as events
    from account_days
    group by account_id
)
select coalesce(owned.account_id, days.account_id) as account_id, owned.events, days.events as in_days
from owned full join days on days.account_id = owned.account_id
where (owned.account_id is not null or days.account_id is not null) and owned.events is distinct from days.events
