-- one row per condition and event that counts for it: for whom, and in which stretch of time
-- grain: condition, event_id
-- kind: relation
-- reads: conditions, stage_matches, settled, stage_leavings
-- Bound by funnels/models/stages.py: conditions (each with its stage's rule repeated on it) and settled (rows of stages for the
-- stages that these come after). All lengths of time are inclusive and microseconds. A stretch is the time between two leavings of the stage.
-- What counts the same as an earlier condition does (same_as) is counted once.
with held as (
    select
        conditions.condition, stage_matches.event_id, stage_matches.time, stage_matches.person,
        case when conditions.by_account then stage_matches.account_id else stage_matches.person end as holder
    from stage_matches
    join conditions on conditions.pattern = stage_matches.pattern and conditions.same_as = conditions.condition
),
counting as ( -- only from the entry into the stage that the rule comes after, and only as long as it says
    select held.condition, held.holder, held.person, held.event_id, held.time
    from held
    join conditions on conditions.condition = held.condition
    left join settled on settled.subject = conditions.subject and settled.stage = conditions.after_stage
        and settled.spell = 1 and settled.subject_id = held.holder
    where held.holder is not null and (conditions.after_stage is null or (
        held.time >= settled.entered
        and (conditions.within_length is null or epoch_us(held.time) - epoch_us(settled.entered) <= conditions.within_length)
    ))
)
select
    counting.condition, counting.holder, counting.person, counting.event_id, counting.time,
    coalesce(stage_leavings.stretch, 0) as stretch
from counting
join conditions on conditions.condition = counting.condition
left join stage_leavings on stage_leavings.subject = conditions.subject and stage_leavings.stage = conditions.stage
    and stage_leavings.subject_id = counting.holder and not conditions.by_membership
    and stage_leavings.since <= counting.time
    and (stage_leavings.until is null or counting.time < stage_leavings.until)
