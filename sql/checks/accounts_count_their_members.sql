-- an account whose number of members is not that of its memberships that last, or that has two rows
-- grain: account_id
-- kind: check
-- reads: accounts, memberships
with members as (
    select account_id, count(distinct person_id) as members
    from memberships
    where until is null
    group by account_id
)
select accounts.account_id, sum(accounts.members) as said, any_value(coalesce(members.members, 0)) as found
from accounts left join members on members.account_id = accounts.account_id
group by accounts.account_id
having count(*) > 1 or sum(accounts.members) <> any_value(coalesce(members.members, 0))
