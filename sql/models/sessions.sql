-- one row per session: a person's events of one source without more than 30 minutes of silence between two of them
-- grain: session_id, started
-- kind: by_day person_id started
-- reads: events, actors
-- Every event is in exactly one session, whatever midnight or month lies in it; silence of exactly 30 minutes ends none, and
-- events of bots make sessions of their own. A session is named by its first event, by (time, event_id); where
-- copies of that event stand in two months (ingest/ids.py), two sessions bear its name. Its channel is how
-- that event came: utm_medium speaks first, then any other campaign, then the referrer's host where it is another site.
-- Times are counted as microseconds: a difference of times with a zone costs ten times as much.
with halves as ( -- half hours: none has a silence that ends a session, and they are few, so the window sorts little
    select
        actors.person_id, events.source, events.bot,
        (epoch_us(events.time) + 62135596800000000) // 1800000000 as half, -- from the year 1, so that none is below zero
        min(events.time) as started, max(events.time) as ended, count(*) as events,
        count(*) filter (where events.kind in ('page', 'screen')) as pages,
        min(events.time) filter (where events.kind in ('page', 'screen')) as entered
    from events join actors on actors.actor_id = events.actor_id
    group by all
),
followed as (
    select halves.*, lag(ended) over (partition by person_id, source, bot order by started) as earlier
    from halves
),
numbered as (
    select
        followed.*,
        sum(case when epoch_us(started) - epoch_us(earlier) <= 1800000000 then 0 else 1 end) over (
            partition by person_id, source, bot order by started rows unbounded preceding
        ) as session
    from followed
),
spans as (
    select
        person_id, source, bot, min(started) as started, max(ended) as ended, sum(events) as events, sum(pages) as pages,
        min(entered) as entered
    from numbered
    group by person_id, source, bot, session
),
moments as ( -- when the events came that tell of a session: its first, and its first page; several may have come at once
    select person_id, source, bot, started, started as time from spans
    union all
    select person_id, source, bot, started, entered as time from spans where entered > started
),
told as (
    select
        moments.*, actors.person, events.event_id, events.time = moments.started as opens,
        lower(events.utm_medium) as medium, events.utm_source as campaign,
        case when events.kind in ('page', 'screen') then coalesce(events.page_path, events.page_url, events.event) end as page,
        regexp_extract(lower(events.page_referrer), '^https?://(?:www[.])?([^/:?#]+)', 1) as referrer,
        regexp_extract(lower(events.page_url), '^https?://(?:www[.])?([^/:?#]+)', 1) as host
    from events
    join actors on actors.actor_id = events.actor_id
    join moments on moments.person_id = actors.person_id and moments.source = events.source and moments.bot = events.bot
        and moments.time = events.time
),
arrived as (
    select
        told.*,
        case
            when medium in ('cpc', 'ppc', 'paid', 'paid_search', 'paidsearch') then 'paid search'
            when medium in ('paid_social', 'paidsocial', 'social-ads') then 'paid social'
            when medium in ('affiliate', 'partner') then 'partner'
            when medium in ('email', 'social', 'invite') then medium
            when campaign is not null then 'campaign'
            when coalesce(referrer, '') = '' or referrer = host or host like '%.' || referrer or referrer like '%.' || host
                then 'direct'
            when regexp_matches(referrer,
                '^([a-z]{1,2}[.]|([a-z]+[.])?search[.])?(google|bing|duckduckgo|yahoo|yandex|baidu|ecosia|brave)[.]')
                then 'organic search'
            when regexp_matches(referrer,
                '(^|[.])(facebook|twitter|x|t|linkedin|lnkd|instagram|reddit|youtube|tiktok|pinterest)[.](com|co|in)$')
                then 'social'
            else 'referral'
        end as channel
    from told
),
named as (
    select
        person_id, source, bot, started, any_value(person) as person, min(event_id) filter (where opens) as session_id,
        min_by(page, event_id) filter (where page is not null) as entry_page,
        min_by(channel, event_id) filter (where opens) as channel
    from arrived
    group by person_id, source, bot, started
)
select
    named.session_id, spans.person_id, named.person, spans.source, spans.bot, spans.started, spans.ended, spans.events,
    spans.pages, named.entry_page, named.channel
from spans -- joined late: strings beside numbers cost the aggregate its memory
join named on named.person_id = spans.person_id and named.source = spans.source and named.bot = spans.bot
    and named.started = spans.started
