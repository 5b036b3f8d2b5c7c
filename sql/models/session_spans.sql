-- one row per session: when it began and ended, and what was counted in it; its texts are told by session_calls
-- grain: person_id, source, bot, started
-- kind: relation
-- reads: events, actors
-- A person's events of one source without more than 30 minutes of silence between two of them. Times are counted as
-- microseconds: a difference of times with a zone costs ten times as much.
with halves as ( -- half hours: none has a silence that ends a session, and they are few, so the windows sort little
    select
        actors.person_id, events.source, events.bot,
        (epoch_us(events.time) + 62135596800000000) // 1800000000 as half, -- from the year 1, so that none is below zero
        min(events.time) as started, max(events.time) as ended, count(*) as events,
        count(*) filter (where events.kind in ('page', 'screen')) as pages,
        min(events.time) filter (where events.kind in ('page', 'screen')) as entered
    from events join actors on actors.actor_id = events.actor_id
    group by all
),
beside as (
    select
        halves.*,
        epoch_us(started) - epoch_us(lag(ended) over (partition by person_id, source, bot order by started)) as silence,
        epoch_us(lead(started) over (partition by person_id, source, bot order by started)) - epoch_us(ended) as silence_after
    from halves
),
joined as (
    select beside.*, coalesce(silence <= 1800000000, false) as goes_on,
        coalesce(silence_after <= 1800000000, false) as is_followed
    from beside
),
numbered as ( -- most sessions lie in one half hour: only the others are counted through
    select
        joined.*,
        sum(case when goes_on then 0 else 1 end) over (
            partition by person_id, source, bot order by started rows unbounded preceding
        ) as session
    from joined
    where goes_on or is_followed
)
select person_id, source, bot, started, ended, events, pages, entered
from joined
where not goes_on and not is_followed
union all
select
    person_id, source, bot, min(started) as started, max(ended) as ended, cast(sum(events) as bigint) as events,
    cast(sum(pages) as bigint) as pages, min(entered) as entered
from numbered
group by person_id, source, bot, session
