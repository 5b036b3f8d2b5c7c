-- one row per id of a person whose traffic is internal, by an e-mail domain or an id that the definitions name
-- grain: actor_id
-- kind: whole
-- reads: actors, people, internal_domains, internal_ids
-- Bound by funnels/traffic.py: internal_domains (lower case), internal_ids (typed).
with named as (
    select actors.person_id, 'id' as rule
    from actors join internal_ids on internal_ids.id = actors.id
    union
    select people.person_id, 'domain' as rule
    from people join internal_domains on lower(trim(people.email)) like '%@' || internal_domains.domain
),
ruled as (
    select person_id, max(rule) as rule -- an id that is named is the stronger reason
    from named
    group by person_id
)
select actors.actor_id, actors.id, actors.person_id, actors.person, ruled.rule
from actors join ruled on ruled.person_id = actors.person_id
