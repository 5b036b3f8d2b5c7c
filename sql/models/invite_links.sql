-- one row per invitation and person who came by it, or one without invitee while nobody has; who is credited for whom
-- grain: invite_id, invitee
-- kind: relation
-- reads: events, actors, people, memberships, stages, internal_events
-- internal_events: the invitations that are left out (funnels/traffic.py).
-- scope is set on the one invitation that is credited for a new person: somebody else, who entered the stage $stage no earlier
-- than the invitation was sent; of several the first accepted, and by e-mail only for whoever accepted none.
-- An invitation sent without an id is known by its event's id; one sent twice by its first sending.
with told as (
    select
        events.event_id, events.event, events.time, actors.person, coalesce(events.account_id, memberships.account_id) as account_id,
        events.properties ->> case when events.event = $sent then $sent_id else $accepted_id end as invite_id,
        lower(trim(events.properties ->> $email)) as email, events.properties ->> $layer as layer
    from events
    join actors on actors.actor_id = events.actor_id
    left join memberships on memberships.person_id = actors.person_id and memberships.ordinal = 1
        and memberships.since <= events.time
        and (memberships.next_since is null or events.time < memberships.next_since)
    where events.event in ($sent, $accepted) and not events.bot
        and not exists (select 1 from internal_events where internal_events.event_id = events.event_id)
),
sent as (
    select
        coalesce(invite_id, event_id) as invite_id, person as inviter, account_id as inviter_account, layer, time as sent_at,
        email as invitee_email,
        row_number() over (partition by coalesce(invite_id, event_id) order by time, event_id) as turn
    from told where event = $sent
),
accepted as (
    select invite_id, person as invitee, min(time) as accepted_at
    from told where event = $accepted and invite_id is not null
    group by invite_id, person
),
registered as (
    select stages.subject_id as person, stages.entered, memberships.account_id as first_account
    from stages
    left join memberships on memberships.person = stages.subject_id and memberships.ordinal = 1
    where stages.subject = 'person' and stages.stage = $stage and stages.spell = 1
),
addressed as ( -- whoever had the address and registered first after the sending
    select
        sent.invite_id, registered.person as invitee, registered.entered >= sent.sent_at as after_sending,
        row_number() over ( -- no join by time: an engine may take it first, for every pair of them
            partition by sent.invite_id, registered.entered >= sent.sent_at order by registered.entered, registered.person
        ) as turn
    from sent
    join people on lower(trim(people.email)) = sent.invitee_email
    join registered on registered.person = people.person
    where sent.turn = 1
),
linked as (
    select
        sent.invite_id, sent.inviter, sent.inviter_account, sent.layer, sent.sent_at, sent.invitee_email, accepted.accepted_at,
        coalesce(accepted.invitee, addressed.invitee) as invitee
    from sent
    left join accepted on accepted.invite_id = sent.invite_id
    left join addressed on addressed.invite_id = sent.invite_id and addressed.turn = 1 and addressed.after_sending
        and accepted.invitee is null
    where sent.turn = 1
),
credited as (
    select
        linked.invite_id, linked.invitee,
        row_number() over (
            partition by linked.invitee order by linked.accepted_at nulls last, linked.sent_at, linked.invite_id
        ) as turn
    from linked
    join registered on registered.person = linked.invitee
    where linked.invitee <> linked.inviter and registered.entered >= linked.sent_at
)
select
    linked.invite_id, linked.inviter, linked.inviter_account, linked.layer, linked.sent_at, linked.invitee_email,
    linked.accepted_at, linked.invitee, registered.entered as invitee_registered_at,
    case
        when credited.turn is null then null
        when registered.first_account = linked.inviter_account then 'same_account'
        else 'new_account'
    end as scope,
    inviters.entered as inviter_registered_at
from linked
left join registered on registered.person = linked.invitee
left join registered as inviters on inviters.person = linked.inviter
left join credited on credited.invite_id = linked.invite_id and credited.invitee = linked.invitee and credited.turn = 1
