-- one row per subject (person or account), stage and spell: when it was entered, and by which event
-- grain: subject, subject_id, stage, spell
-- kind: whole
-- reads: conditions, stage_completions, settled, memberships
-- Bound by funnels/stages.py: conditions and settled, which holds the rows of the stages found in earlier rounds. A stage is
-- entered at the needed-th thing that brings a subject nearer to it: 1 for any of its conditions, their number for all of
-- them, n for n members of an account. Once entered, a stage is not left: every subject has one spell.
with met as (
    select conditions.condition, holder as subject_id, time, event_id
    from stage_completions join conditions on conditions.condition = stage_completions.condition
    where not conditions.by_membership
    union all -- what a person's account completed holds for the person from the membership on
    select
        conditions.condition, memberships.person, greatest(time, since),
        case when since > time then linked_by else event_id end
    from stage_completions
    join conditions on conditions.condition = stage_completions.condition
    join memberships on memberships.account_id = stage_completions.holder
    where conditions.by_membership
),
numbered as (
    select
        condition, subject_id, time, event_id,
        row_number() over (partition by condition, subject_id order by time, event_id) as turn
    from met
),
steps as (
    select conditions.subject, numbered.subject_id, conditions.stage, conditions.needed, numbered.time, numbered.event_id
    from numbered join conditions on conditions.condition = numbered.condition
    where turn = 1
    union all -- members that have entered the stage as persons
    select
        conditions.subject, memberships.account_id, conditions.stage, conditions.needed,
        greatest(settled.entered, memberships.since),
        case when memberships.since > settled.entered then memberships.linked_by else settled.event_id end
    from settled
    join memberships on memberships.person = settled.subject_id
    join conditions on conditions.by_members and conditions.stage = settled.stage
    where settled.subject = 'person'
),
ordered as (
    select
        subject, subject_id, stage, needed, time, event_id,
        row_number() over (partition by subject, subject_id, stage order by time, event_id) as turn
    from steps
)
select subject, subject_id, stage, spell, entered, "left", event_id, definition_version from settled
union all
select
    subject, subject_id, stage, cast(1 as integer) as spell, time as entered, cast(null as timestamptz) as "left",
    event_id, $definition_version as definition_version
from ordered
where turn = needed
