-- one row per person, account and day of the project's reporting zone: what the person did there
-- grain: person_id, account_id, day
-- kind: by_day person_id day
-- reads: events, actors, sole_memberships
-- An event belongs to the account it names, else to the person's sole membership at that time, else to none: account_id is
-- empty then. Every count adds up over days, accounts and people.
select
    actors.person_id,
    any_value(actors.person) as person,
    coalesce(events.account_id, sole_memberships.account_id) as account_id,
    cast(events.time at time zone $zone as date) as day,
    count(*) as events,
    count(*) filter (where events.kind = 'track') as tracks,
    count(*) filter (where events.kind in ('page', 'screen')) as pages,
    count(*) filter (where events.bot) as bots,
    min(events.time) as first_seen,
    max(events.time) as last_seen
from events
join actors on actors.actor_id = events.actor_id
left join sole_memberships on sole_memberships.person_id = actors.person_id
    and sole_memberships.since <= events.time
    and (sole_memberships.until is null or events.time < sole_memberships.until)
group by
    actors.person_id, coalesce(events.account_id, sole_memberships.account_id), cast(events.time at time zone $zone as date)
