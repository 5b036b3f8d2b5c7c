-- one row per subject (person or account), stage and spell: when it was entered, and by which event
-- grain: subject, subject_id, stage, spell
-- kind: by_subject subject_id
-- reads: conditions, stage_completions, stage_leavings, settled, memberships, bystanders
-- Bound by funnels/models/stages.py: conditions; settled, which holds the rows of the stages found in earlier rounds; bystanders, of
-- whom too little is known to make their rows (of a repair; nobody otherwise). A stage is entered at the needed-th thing that
-- brings a subject nearer to it: 1 for any of its conditions, their number for all of them, n for n members of an account.
-- Leavings cut a subject's time into stretches; a stretch in which the stage is entered is a spell, left where the next one
-- begins. What leans on a stage leans on its first spell.
with met as (
    select conditions.condition, holder as subject_id, stretch, time, event_id
    from stage_completions join conditions on conditions.same_as = stage_completions.condition
    where not conditions.by_membership
    union all -- what a person's account completed before the person left it holds for the person from the membership on
    select
        conditions.condition, memberships.person, 0, greatest(time, since),
        case when since > time then linked_by else event_id end
    from stage_completions
    join conditions on conditions.same_as = stage_completions.condition
    join memberships on memberships.account_id = stage_completions.holder
    where conditions.by_membership and (memberships.until is null or stage_completions.time < memberships.until)
),
numbered as (
    select
        condition, subject_id, stretch, time, event_id,
        row_number() over (partition by condition, subject_id, stretch order by time, event_id) as turn
    from met
),
arrivals as ( -- members that entered a stage as persons before they left, each by their first spell in which they had
    select
        account_id, stage, time, event_id,
        row_number() over (partition by account_id, stage, person order by time, event_id) as turn
    from (
        select
            memberships.account_id, memberships.person, settled.stage, greatest(settled.entered, memberships.since) as time,
            case when memberships.since > settled.entered then memberships.linked_by else settled.event_id end as event_id
        from settled
        join memberships on memberships.person = settled.subject_id
            and (memberships.until is null or settled.entered < memberships.until)
        where settled.subject = 'person' and settled.spell = 1
            and settled.stage in (select stage from conditions where by_members)
    ) as spells
),
steps as (
    select
        conditions.subject, numbered.subject_id, conditions.stage, conditions.needed, numbered.stretch, numbered.time,
        numbered.event_id
    from numbered join conditions on conditions.condition = numbered.condition
    where turn = 1
    union all
    select conditions.subject, arrivals.account_id, conditions.stage, conditions.needed, 0, arrivals.time, arrivals.event_id
    from arrivals join conditions on conditions.by_members and conditions.stage = arrivals.stage
    where arrivals.turn = 1
),
ordered as (
    select
        subject, subject_id, stage, needed, stretch, time, event_id,
        row_number() over (partition by subject, subject_id, stage, stretch order by time, event_id) as turn
    from steps
),
found as (
    select subject, subject_id, stage, spell, entered, "left", event_id, definition_version from settled
    union all
    select
        ordered.subject, ordered.subject_id, ordered.stage,
        cast(row_number() over (
            partition by ordered.subject, ordered.subject_id, ordered.stage order by ordered.stretch
        ) as integer) as spell,
        ordered.time as entered, stage_leavings.since as "left", ordered.event_id, $definition_version as definition_version
    from ordered
    left join stage_leavings on stage_leavings.subject = ordered.subject and stage_leavings.stage = ordered.stage
        and stage_leavings.subject_id = ordered.subject_id and stage_leavings.stretch = ordered.stretch + 1
    where ordered.turn = ordered.needed
)
select
    found.subject, found.subject_id, found.stage, found.spell, found.entered, found."left", found.event_id,
    found.definition_version
from found
left join bystanders on bystanders.subject_id = found.subject_id
where bystanders.subject_id is null
