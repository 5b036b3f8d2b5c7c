-- a stretch at whose beginning or within which its person belongs to another number of accounts than one, or to another one
-- grain: person_id, since
-- kind: check
-- reads: sole_memberships, memberships
select sole_memberships.person_id, sole_memberships.since, count(memberships.account_id) as accounts
from sole_memberships
left join memberships on memberships.person_id = sole_memberships.person_id
    and (sole_memberships.until is null or memberships.since < sole_memberships.until)
    and (memberships.until is null or sole_memberships.since < memberships.until)
group by sole_memberships.person_id, sole_memberships.since
having count(*) <> 1 or min(memberships.account_id) is distinct from min(sole_memberships.account_id)
