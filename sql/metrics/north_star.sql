-- one row per period and channel: how many units did what the north star names, often enough
-- grain: start, channel
-- kind: metric
-- reads: matches, actors, sole_memberships, people, accounts
-- Bound by funnels/north_star.py: matches, the chosen events. $unit is 'person' or 'account'; an event counts for the account
-- it names, else for its person's sole one at that time. Distinct units do not add up over periods.
with done as (
    select
        case
            when $unit = 'account' then coalesce(matches.account_id, sole_memberships.account_id) else actors.person
        end as holder,
        cast(date_trunc($grain, timezone($zone, matches.time)) as date) as start
    from matches
    join actors on actors.actor_id = matches.actor_id
    left join sole_memberships on sole_memberships.person_id = actors.person_id
        and sole_memberships.since <= matches.time
        and (sole_memberships.until is null or matches.time < sole_memberships.until)
),
active as (
    select start, holder from done where holder is not null
    group by start, holder
    having count(*) >= $times
)
select active.start, case when $unit = 'account' then accounts.channel else people.channel end as channel, count(*) as units
from active
left join people on $unit = 'person' and people.person = active.holder
left join accounts on $unit = 'account' and accounts.account_id = active.holder
group by all
