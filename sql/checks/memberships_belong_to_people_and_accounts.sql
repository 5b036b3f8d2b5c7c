-- a membership whose person or account has no row
-- grain: person_id, account_id
-- kind: check
-- reads: memberships, people, accounts
select memberships.person_id, memberships.account_id
from memberships
left join people on people.person_id = memberships.person_id
left join accounts on accounts.account_id = memberships.account_id
where people.person_id is null or accounts.account_id is null
