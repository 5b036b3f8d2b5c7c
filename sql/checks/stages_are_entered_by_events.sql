-- a stage entered by an event that does not exist, or before that event
-- grain: subject, subject_id, stage
-- kind: check
-- reads: stages, events
select stages.subject, stages.subject_id, stages.stage, stages.entered, events.time
from stages left join events on events.event_id = stages.event_id
where events.event_id is null or stages.entered < events.time
