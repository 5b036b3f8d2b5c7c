-- a person at an account of whom activity tells another first or last moment there, or who is in one of the two alone
-- grain: person_id, account_id
-- kind: check
-- reads: activity, account_people
with active as (
    select person_id, account_id, min(first_seen) as first_seen, max(last_seen) as last_seen
    from activity
    where account_id is not null
    group by person_id, account_id
)
select
    coalesce(active.person_id, account_people.person_id) as person_id,
    coalesce(active.account_id, account_people.account_id) as account_id,
    active.first_seen, account_people.first_seen as told_first, active.last_seen, account_people.last_seen as told_last
from active
full join account_people on account_people.person_id = active.person_id and account_people.account_id = active.account_id
where active.first_seen is distinct from account_people.first_seen
    or active.last_seen is distinct from account_people.last_seen
