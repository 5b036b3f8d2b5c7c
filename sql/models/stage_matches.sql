-- one row per pattern that conditions read and event that fits it: whose it is
-- grain: pattern, event_id
-- kind: relation
-- reads: matches, actors, memberships
-- Bound by funnels/stages.py: matches, the events that fit a pattern. account_id is the event's own, else its person's sole
-- one at that time, else empty.
select
    matches.pattern, matches.event_id, matches.time, actors.person,
    coalesce(matches.account_id, memberships.account_id) as account_id
from matches
join actors on actors.actor_id = matches.actor_id
left join memberships on memberships.person_id = actors.person_id and memberships.ordinal = 1
    and memberships.since <= matches.time
    and (memberships.next_since is null or matches.time < memberships.next_since)
