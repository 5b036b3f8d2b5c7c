-- a person whose memberships are not numbered 1, 2, 3, ... in the order of time, or overlap in one account
-- grain: person_id
-- kind: check
-- reads: memberships
with expected as (
    select
        person_id,
        account_id,
        since,
        until,
        ordinal,
        row_number() over (partition by person_id order by since, linked_by) as expected_ordinal,
        lead(since) over (partition by person_id, account_id order by since) as next_since
    from memberships
)
select person_id, account_id, ordinal, expected_ordinal, since, until, next_since
from expected
where ordinal <> expected_ordinal or until <= since or (next_since is not null and (until is null or next_since < until))
