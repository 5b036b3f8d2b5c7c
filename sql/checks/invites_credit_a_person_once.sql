-- a new person for whom more than one invitation is credited
-- grain: invitee
-- kind: check
-- reads: invites
select invitee, count(*) as credited
from invites
where scope is not null
group by invitee
having count(*) > 1
