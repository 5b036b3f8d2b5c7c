-- a stage that was left before it was entered
-- grain: subject, subject_id, stage
-- kind: check
-- reads: stages
select subject, subject_id, stage, entered, "left"
from stages
where "left" < entered
