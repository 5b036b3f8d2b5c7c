-- one row per person or account that a call described: its traits, per key the latest value
-- grain: subject, subject_id
-- kind: relation
-- reads: events, actors
-- What a call sends in an object "$set_once" holds where no call ever set that key: there the first such value stays.
-- Taking JSON objects apart by key and putting them together again is where engines differ most, so it is done here alone
-- (Spark gets functions of its own for it: transforms/spark_json.py).
with described as (
    select 'person' as subject, actors.person as subject_id, events.time, events.event_id, events.properties
    from events join actors on actors.actor_id = events.actor_id
    where events.kind = 'identify' and events.properties <> '{}'
    union all
    select 'account' as subject, account_id as subject_id, time, event_id, properties
    from events
    where kind = 'group' and account_id is not null and properties <> '{}'
),
told as (
    select
        *,
        case when properties like '%"$set_once"%' and json_type(properties, '$."$set_once"') = 'OBJECT'
            then json_extract(properties, '$."$set_once"') end as once
    from described
),
calls as ( -- of a subject's calls with the same keys the latest tells all, or the first, and most calls have the same
    select
        subject, subject_id,
        max(struct_pack(time := time, event_id := event_id)) as moment,
        max_by(properties, struct_pack(time := time, event_id := event_id)) as properties,
        min(struct_pack(time := time, event_id := event_id)) as first_moment,
        min_by(once, struct_pack(time := time, event_id := event_id)) as once
    from told
    group by subject, subject_id, json_keys(properties), json_keys(once)
),
latest as (
    select calls.subject, calls.subject_id, trait.key, max_by(trait.value, calls.moment) as value
    from calls, json_each(calls.properties) as trait
    where trait.key <> '$set_once'
    group by all
),
firsts as (
    select calls.subject, calls.subject_id, trait.key, min_by(trait.value, calls.first_moment) as value
    from calls, json_each(calls.once) as trait
    where calls.once is not null
    group by all
),
known as (
    select * from latest
    union all
    select * from firsts anti join latest using (subject, subject_id, key)
)
select
    subject,
    subject_id,
    '{' || string_agg(to_json(key) || ':' || value, ',' order by key) || '}' as traits
from known
group by subject, subject_id
