-- an id that belongs to another person than the user its link in force names
-- grain: id
-- kind: check
-- reads: actors, link_states
with in_force as (
    select id, owner, actor_id, owner_actor_id
    from link_states
    where state = 'in_force'
)
select in_force.id, in_force.owner, linked.person, owners.person as person_of_owner
from in_force
left join actors as linked on linked.actor_id = in_force.actor_id
left join actors as owners on owners.actor_id = in_force.owner_actor_id
where linked.person_id is distinct from owners.person_id
