-- one row per call that says an id belongs to a user: a link between the two
-- grain: event_id
-- kind: relation
-- reads: events
-- An identify links its anonymous id; an alias links its previous id, which is that same anonymous id where the two are
-- equal, else a user id. ordinal counts the links of one id by event time then event id: of an anonymous id's links only
-- the first is in force (a shared device joins nobody to a second user), of a user id's links all are.
with claims as (
    select
        event_id,
        time,
        case
            when kind = 'identify' or previous_id = anonymous_id then 'anonymous:' || anonymous_id
            else 'user:' || previous_id
        end as id,
        'user:' || user_id as owner
    from events
    where user_id is not null
        and ((kind = 'identify' and anonymous_id is not null) or (kind = 'alias' and previous_id is not null))
)
select
    event_id,
    time,
    id,
    owner,
    cast(row_number() over (partition by id order by time, event_id) as integer) as ordinal
from claims
where id <> owner
