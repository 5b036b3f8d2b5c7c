-- one row per person and stretch of time in which the person belongs to exactly one account
-- grain: person_id, since
-- kind: by_subject person_id
-- reads: memberships
-- The person's sole account at a time t is the row with since <= t and no until or t < until: what a person does without
-- naming an account is done in that one. Stretches end where any membership begins or ends.
with moments as (
    select person_id, since as time from memberships
    union
    select person_id, until from memberships where until is not null
),
stretches as (
    select person_id, time as since, lead(time) over (partition by person_id order by time) as until from moments
)
select
    stretches.person_id, min(memberships.person) as person, min(memberships.account_id) as account_id, stretches.since,
    stretches.until
from stretches
join memberships on memberships.person_id = stretches.person_id and memberships.since <= stretches.since
    and (memberships.until is null or stretches.since < memberships.until)
group by stretches.person_id, stretches.since, stretches.until
having count(*) = 1
