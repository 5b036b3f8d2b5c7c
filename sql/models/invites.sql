-- one row per invitation and person who came by it, or one without invitee while nobody has
-- grain: invite_id, invitee
-- kind: by_subject invite_id
-- reads: invite_links, invite_generations
-- Bound by funnels/models/invites.py: invite_generations, a row per person whom an invitation is credited for: one more than the
-- inviter's. Whoever came without one is of generation 0.
select
    invite_links.invite_id, invite_links.inviter, invite_links.inviter_account, invite_links.layer, invite_links.sent_at,
    invite_links.invitee_email, invite_links.accepted_at, invite_links.invitee, invite_links.invitee_registered_at,
    invite_links.scope,
    case when invite_links.invitee is not null then coalesce(invite_generations.generation, 0) end as generation
from invite_links
left join invite_generations on invite_generations.person = invite_links.invitee
