-- one row per account and day on which its people did anything, a day of the project's reporting zone
-- grain: account_id, day
-- kind: by_day account_id day
-- reads: events, actors, memberships
-- An event belongs to the account it names, else to the person's sole membership at that time; one without either is in no
-- row. The counts add up over days and accounts; people does not, since one person comes on many days.
with done as (
    select
        coalesce(events.account_id, memberships.account_id) as account_id,
        cast(events.time at time zone $zone as date) as day, actors.person_id, events.kind, events.bot
    from events
    join actors on actors.actor_id = events.actor_id
    left join memberships on memberships.person_id = actors.person_id and memberships.ordinal = 1
        and memberships.since <= events.time
        and (memberships.next_since is null or events.time < memberships.next_since)
)
select
    account_id, day, count(*) as events,
    count(*) filter (where kind = 'track') as tracks,
    count(*) filter (where kind in ('page', 'screen')) as pages,
    count(*) filter (where bot) as bots,
    count(distinct case when bot then null else person_id end) as people
from done
where account_id is not null
group by account_id, day
