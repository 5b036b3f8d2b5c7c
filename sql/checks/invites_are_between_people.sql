-- an invitation whose inviter or invitee has no row in people, or that is credited for its own sender
-- grain: invite_id, invitee
-- kind: check
-- reads: invites, people
select invites.invite_id, invites.inviter, invites.invitee
from invites
left join people as inviters on inviters.person = invites.inviter
left join people as invitees on invitees.person = invites.invitee
where inviters.person is null
    or (invites.invitee is not null and invitees.person is null)
    or (invites.scope is not null and invites.invitee = invites.inviter)
