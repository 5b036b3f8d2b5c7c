-- one row per link known at a moment: an id and the user it belongs to, named by the first event that says so
-- grain: id, owner
-- kind: relation
-- reads: id_links, fresh_links, undone_links
-- fresh_links: links of events that the ledger has not yet. undone_links: pairs whose undo is in force (transforms/ledger.py).
-- $known_at: what was received later does not count. First is by event time, then event id.
with facts as (
    select entry, time, known_at, id, owner, actor_id, owner_actor_id
    from id_links
    where kind = 'link' and known_at <= $known_at
    union all
    select entry, time, known_at, id, owner, actor_id, owner_actor_id
    from fresh_links
    where known_at <= $known_at
),
ranked as (
    select entry, time, known_at, id, owner, actor_id, owner_actor_id,
        row_number() over (partition by id, owner order by time, entry) as turn
    from facts
)
select
    ranked.id,
    ranked.owner,
    ranked.actor_id,
    ranked.owner_actor_id,
    ranked.entry,
    ranked.time,
    ranked.known_at,
    undone_links.id is not null as undone
from ranked left join undone_links on undone_links.id = ranked.id and undone_links.owner = ranked.owner
where ranked.turn = 1
