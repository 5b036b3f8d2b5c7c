-- one row per period of registration and channel of the inviter: how many are old enough, and whom they brought in time
-- grain: start, channel
-- kind: metric
-- reads: stages, people, invites
-- $stage is the stage that makes a person new, $start <= its entry < $until (null: no limit), $horizon how long a new person's
-- invitations are waited for, $as_of the moment up to which the data is complete. Counts add up over periods and channels.
with inviters as (
    select
        stages.subject_id as person, stages.entered, people.channel,
        cast(date_trunc($grain, timezone($zone, stages.entered)) as date) as start,
        stages.entered + $horizon <= $as_of as aged
    from stages join people on people.person = stages.subject_id
    where stages.subject = 'person' and stages.stage = $stage and stages.spell = 1
        and ($start is null or stages.entered >= $start)
        and stages.entered < $until
),
brought as (
    select
        inviters.person,
        count(*) filter (where invites.scope = 'new_account') as out_count,
        count(*) filter (where invites.scope = 'same_account') as in_count,
        list(epoch(invites.invitee_registered_at) - epoch(inviters.entered)) as cycles
    from inviters
    join invites on invites.inviter = inviters.person and invites.scope is not null
    where inviters.aged and invites.invitee_registered_at >= inviters.entered
        and invites.invitee_registered_at <= inviters.entered + $horizon
    group by inviters.person
)
select
    inviters.start,
    inviters.channel,
    count(*) as registered,
    count(*) filter (where inviters.aged) as base,
    cast(coalesce(sum(brought.out_count), 0) as bigint) as out_count,
    cast(coalesce(sum(brought.in_count), 0) as bigint) as in_count,
    cast(coalesce(sum((brought.out_count + brought.in_count) * (brought.out_count + brought.in_count)), 0) as bigint) as squares,
    coalesce(flatten(list(brought.cycles) filter (where brought.cycles is not null)), []) as cycles
from inviters left join brought on brought.person = inviters.person
group by inviters.start, inviters.channel
