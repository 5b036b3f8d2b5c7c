-- one row per id of a person whose traffic is internal, by an e-mail domain or an id that the definitions name
-- grain: actor_id
-- kind: whole
-- reads: actors, people, internal_domains, internal_ids
-- Bound by funnels/traffic.py: internal_domains (lower case), internal_ids (typed). All joins are by equality, and nothing is
-- read of millions of people where the definitions name nobody.
with addressed as (
    select person_id, regexp_extract(lower(trim(email)), '@([^@]*)$', 1) as domain
    from people
    where email is not null
),
named as (
    select actors.person_id, 'id' as rule
    from actors join internal_ids on internal_ids.id = actors.id
    union
    select addressed.person_id, 'domain' as rule
    from addressed join internal_domains on internal_domains.domain = addressed.domain
),
ruled as (
    select person_id, max(rule) as rule -- an id that is named is the stronger reason
    from named
    group by person_id
)
select actors.actor_id, actors.id, actors.person_id, actors.person, ruled.rule
from actors join ruled on ruled.person_id = actors.person_id
