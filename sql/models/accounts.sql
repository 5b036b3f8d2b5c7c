-- one row per account that an event or a member belongs to
-- grain: account_id
-- kind: by_subject account_id
-- reads: events, actors, memberships, people, traits
-- An event belongs to the account it names, else to the person's sole membership at that time.
with attributed as (
    select coalesce(events.account_id, memberships.account_id) as account_id, events.time
    from events
    join actors on actors.actor_id = events.actor_id
    left join memberships
        on memberships.person_id = actors.person_id
        and memberships.ordinal = 1
        and memberships.since <= events.time
        and (memberships.next_since is null or events.time < memberships.next_since)
    union all
    select account_id, since from memberships
),
spans as (
    select account_id, min(time) as first_seen, max(time) as last_seen
    from attributed
    where account_id is not null
    group by account_id
),
members as (
    select
        account_id,
        person_id,
        row_number() over (partition by account_id order by since, linked_by) as turn,
        count(*) over (partition by account_id) as members
    from memberships
)
select
    spans.account_id,
    traits.traits ->> '$.name' as name,
    nullif(
        coalesce(nullif(traits.traits ->> '$.parent_id', ''), nullif(traits.traits ->> '$.parent', '')), spans.account_id
    ) as parent,
    spans.first_seen,
    spans.last_seen,
    coalesce(members.members, 0) as members,
    people.channel,
    coalesce(traits.traits, '{}') as traits
from spans
left join members on members.account_id = spans.account_id and members.turn = 1
left join people on people.person_id = members.person_id
left join traits on traits.subject = 'account' and traits.subject_id = spans.account_id
