-- one row per id linked to more others than runaway_links allows: none of its links is in force
-- grain: id
-- kind: whole
-- reads: links
-- Such an id names nobody: a constant that some sender puts in place of an id. Links that are undone do not count.
with ends as (
    select id, owner as other from links where not undone
    union all
    select owner as id, id as other from links where not undone
),
crowded as (
    select id from ends group by id having count(*) > $runaway_links
)
select ends.id, count(distinct ends.other) as others
from ends join crowded on crowded.id = ends.id
group by ends.id
having count(distinct ends.other) > $runaway_links
