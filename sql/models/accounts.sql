-- one row per account that an event or a member belongs to
-- grain: account_id
-- kind: by_subject account_id
-- reads: account_people, memberships, people, traits
-- What belongs to an account is told by sql/models/activity.sql. Members are those who have not left; the first member, whose
-- channel is the account's, may have.
with seen as (
    select account_id, first_seen, last_seen from account_people
    union all
    select account_id, since, since from memberships
),
spans as (
    select account_id, min(first_seen) as first_seen, max(last_seen) as last_seen
    from seen
    group by account_id
),
members as (
    select
        account_id,
        person_id,
        row_number() over (partition by account_id order by since, linked_by) as turn,
        count(case when until is null then 1 end) over (partition by account_id) as members
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
