-- one row per person or account that a call described: its traits, per key the latest value
-- grain: subject, subject_id
-- kind: relation
-- reads: events, actors
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
calls as ( -- of a subject's calls with the same keys the latest tells all, and most calls have the same
    select
        subject, subject_id, max(struct_pack(time := time, event_id := event_id)) as moment,
        max_by(properties, struct_pack(time := time, event_id := event_id)) as properties
    from described
    group by subject, subject_id, json_keys(properties)
),
pairs as (
    select calls.subject, calls.subject_id, calls.moment, trait.key, trait.value
    from calls, json_each(calls.properties) as trait
),
latest as (
    select subject, subject_id, key, max_by(value, moment) as value
    from pairs
    group by all
)
select
    subject,
    subject_id,
    '{' || string_agg(to_json(key) || ':' || value, ',' order by key) || '}' as traits
from latest
group by subject, subject_id
