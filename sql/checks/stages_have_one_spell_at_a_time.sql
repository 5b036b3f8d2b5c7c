-- a spell that begins before the one before it has ended
-- grain: subject, subject_id, stage, spell
-- kind: check
-- reads: stages
with followed as (
    select
        subject, subject_id, stage, spell, entered, "left",
        lead(entered) over (partition by subject, subject_id, stage order by spell) as next_entered
    from stages
)
select subject, subject_id, stage, spell, entered, "left", next_entered
from followed
where next_entered is not null and ("left" is null or next_entered < "left")
