-- an invitation that has the same invitee more than once
-- grain: invite_id, invitee
-- kind: check
-- reads: invites
select invite_id, invitee, count(*) as copies
from invites
group by invite_id, invitee
having count(*) > 1
