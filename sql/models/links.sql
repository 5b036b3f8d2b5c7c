-- one row per link known at a moment: an id and the user it belongs to, named by the first event that says so
-- grain: id, owner
-- kind: relation
-- reads: id_links, fresh_links, undone_links
-- fresh_links: links of events that the ledger has not yet. undone_links: pairs whose undo is in force (transforms/undo.py).
-- $known_at: what was received later does not count. First is by event time, then event id. Few pairs have several rows, and
-- only these are sorted: rows with their texts cost ten times what their 64-bit ids do.
with facts as (
    select entry, time, known_at, id, owner, actor_id, owner_actor_id
    from id_links
    where kind = 'link' and known_at <= $known_at
    union all
    select entry, time, known_at, id, owner, actor_id, owner_actor_id
    from fresh_links
    where known_at <= $known_at
),
repeated as (
    select actor_id, owner_actor_id from facts group by actor_id, owner_actor_id having count(*) > 1
),
ranked as (
    select
        facts.entry, facts.time, facts.known_at, facts.id, facts.owner, facts.actor_id, facts.owner_actor_id,
        row_number() over (partition by facts.actor_id, facts.owner_actor_id order by facts.time, facts.entry) as turn
    from facts
    join repeated on repeated.actor_id = facts.actor_id and repeated.owner_actor_id = facts.owner_actor_id
),
firsts as (
    select entry, time, known_at, id, owner, actor_id, owner_actor_id
    from ranked
    where turn = 1
    union all
    select facts.entry, facts.time, facts.known_at, facts.id, facts.owner, facts.actor_id, facts.owner_actor_id
    from facts
    left join repeated on repeated.actor_id = facts.actor_id and repeated.owner_actor_id = facts.owner_actor_id
    where repeated.actor_id is null
)
select
    firsts.id,
    firsts.owner,
    firsts.actor_id,
    firsts.owner_actor_id,
    firsts.entry,
    firsts.time,
    firsts.known_at,
    undone_links.actor_id is not null as undone
from firsts
left join undone_links
    on undone_links.actor_id = firsts.actor_id and undone_links.owner_actor_id = firsts.owner_actor_id
