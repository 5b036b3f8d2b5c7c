-- one row per id that an event came with, and when it was first seen
-- grain: actor_id, id
-- kind: by_subject actor_id
-- reads: events
-- actor_id is the hash of id: two rows of one actor_id are a collision (sql/checks/actor_ids_do_not_collide.sql).
select
    actor_id,
    case when user_id is not null then 'user:' || user_id else 'anonymous:' || anonymous_id end as id,
    min(time) as first_seen
from events
group by all
