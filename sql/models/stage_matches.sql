-- one row per pattern that conditions read and event that fits it: whose it is
-- grain: pattern, event_id
-- kind: relation
-- reads: matches, actors, sole_memberships
-- Bound by funnels/models/stages.py: matches, the events that fit a pattern. account_id is the event's own, else its person's sole
-- one at that time, else empty.
select
    matches.pattern, matches.event_id, matches.time, actors.person,
    coalesce(matches.account_id, sole_memberships.account_id) as account_id
from matches
join actors on actors.actor_id = matches.actor_id
left join sole_memberships on sole_memberships.person_id = actors.person_id
    and sole_memberships.since <= matches.time
    and (sole_memberships.until is null or matches.time < sole_memberships.until)
