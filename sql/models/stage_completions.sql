-- one row per condition of a stage, holder (a person, or an account by its people's events) and stretch: first completed when
-- grain: condition, holder, stretch
-- kind: relation
-- reads: conditions, matches, settled, stage_leavings, actors, memberships
-- Bound by funnels/stages.py: conditions (each with its stage's rule repeated on it), matches (an event that fits a pattern)
-- and settled (rows of stages for the stages that these come after). All lengths of time are inclusive. A stretch is the time
-- between two leavings of the stage; what was counted before a leaving counts no more after it.
with seen as (
    select
        conditions.condition, matches.event_id, matches.time, actors.person,
        case -- an account's event: its own account, else its person's sole one at that time
            when conditions.by_account then coalesce(matches.account_id, memberships.account_id) else actors.person
        end as holder
    from matches
    join conditions on conditions.pattern = matches.pattern
    join actors on actors.actor_id = matches.actor_id
    left join memberships on memberships.person_id = actors.person_id and memberships.ordinal = 1
        and memberships.since <= matches.time
        and (memberships.next_since is null or matches.time < memberships.next_since)
),
stretched as (
    select seen.condition, seen.holder, seen.person, seen.event_id, seen.time, coalesce(stage_leavings.stretch, 0) as stretch
    from seen
    join conditions on conditions.condition = seen.condition
    left join stage_leavings on stage_leavings.subject = conditions.subject and stage_leavings.stage = conditions.stage
        and stage_leavings.subject_id = seen.holder and not conditions.by_membership
        and stage_leavings.since <= seen.time and (stage_leavings.until is null or seen.time < stage_leavings.until)
),
counted as ( -- only from the entry into the stage that the rule comes after, and only as long as it says
    select
        conditions.*, seen.holder, seen.stretch, seen.event_id, seen.time,
        row_number() over (partition by seen.condition, seen.holder, seen.stretch order by seen.time, seen.event_id) as turn,
        lag(seen.time) over (
            partition by seen.condition, seen.holder, seen.stretch, seen.person order by seen.time, seen.event_id
        ) as earlier,
        lead(seen.time) over (
            partition by seen.condition, seen.holder, seen.stretch, seen.person order by seen.time, seen.event_id
        ) as later
    from stretched as seen
    join conditions on conditions.condition = seen.condition
    left join settled on settled.subject = conditions.subject and settled.stage = conditions.after_stage
        and settled.spell = 1 and settled.subject_id = seen.holder
    where seen.holder is not null and (conditions.after_stage is null or (
        seen.time >= settled.entered
        and (conditions.within_length is null or seen.time - settled.entered <= conditions.within_length)
    ))
),
repeated as ( -- n times: the n-th of n events in a row that fit the window
    select counted.condition, counted.holder, counted.stretch, counted.event_id, counted.time
    from counted
    join counted as opening on opening.condition = counted.condition and opening.holder = counted.holder
        and opening.stretch = counted.stretch and opening.turn = counted.turn - counted.times + 1
    where counted.people is null
        and (counted.window_length is null or counted.time - opening.time <= counted.window_length)
),
presence as ( -- people: from an event on, a person is present until the window has passed without another one
    select condition, holder, stretch, people, event_id, time, 1 as change from counted
    where people is not null and (earlier is null or time - earlier > window_length)
    union all
    select condition, holder, stretch, people, event_id, time + window_length, -1 from counted
    where people is not null and window_length is not null and (later is null or later - time > window_length)
),
crowds as ( -- who leaves at this very instant is still present: arrivals first
    select condition, holder, stretch, people, event_id, time, change, sum(change) over (
        partition by condition, holder, stretch order by time, change desc, event_id rows unbounded preceding
    ) as present
    from presence
),
completed as (
    select condition, holder, stretch, event_id, time from repeated
    union all
    select condition, holder, stretch, event_id, time from crowds where change = 1 and present >= people
),
numbered as (
    select
        condition, holder, stretch, event_id, time,
        row_number() over (partition by condition, holder, stretch order by time, event_id) as turn
    from completed
)
select condition, holder, stretch, event_id, time from numbered where turn = 1
