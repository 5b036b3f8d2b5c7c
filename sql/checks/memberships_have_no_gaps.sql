-- a person whose memberships are not numbered 1, 2, 3, ... in the order of time
-- grain: person_id
-- kind: check
-- reads: memberships
with expected as (
    select
        person_id,
        ordinal,
        next_since,
        row_number() over (partition by person_id order by since, linked_by) as expected_ordinal,
        lead(since) over (partition by person_id order by since, linked_by) as expected_next_since
    from memberships
)
select person_id, ordinal, expected_ordinal, next_since, expected_next_since
from expected
where ordinal <> expected_ordinal or next_since is distinct from expected_next_since
