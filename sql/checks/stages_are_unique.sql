-- a subject that has one spell of a stage more than once, or with a number missing
-- grain: subject, subject_id, stage
-- kind: check
-- reads: stages
select subject, subject_id, stage, count(*) as spells, min(spell) as first_spell, max(spell) as last_spell
from stages
group by subject, subject_id, stage
having count(*) <> count(distinct spell) or min(spell) <> 1 or max(spell) <> count(*)
