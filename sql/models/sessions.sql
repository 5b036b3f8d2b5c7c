-- one row per session: a person's events of one source without more than 30 minutes of silence between two of them
-- grain: session_id, started
-- kind: by_day person_id started
-- reads: events, actors
-- Every event is in exactly one session, whatever midnight or month lies in it; silence of exactly 30 minutes ends none, and
-- events of bots make sessions of their own. A session is named by its first event, by (time, event_id); where
-- copies of that event stand in two months (ingest/ids.py), two sessions bear its name. Its channel is how
-- that event came: utm_medium speaks first, then any other campaign, then the referrer's host where it is another site.
with told as (
    select
        events.event_id, events.time, events.kind, events.source, events.bot, actors.person_id, actors.person,
        coalesce(events.page_path, events.page_url, events.event) as page, events.utm_medium, events.utm_source,
        events.page_referrer, events.page_url,
        row_number() over (
            partition by actors.person_id, events.source, events.bot order by events.time, events.event_id
        ) as turn,
        lag(events.time) over (
            partition by actors.person_id, events.source, events.bot order by events.time, events.event_id
        ) as earlier
    from events join actors on actors.actor_id = events.actor_id
),
opened as (
    select told.*, case when earlier is null or time - earlier > interval '30' minute then 1 else 0 end as opens
    from told
),
numbered as (
    select opened.*, sum(opens) over (partition by person_id, source, bot order by turn rows unbounded preceding) as session
    from opened
),
spans as ( -- exactly one event of each opens it
    select
        person_id, any_value(person) as person, source, bot, max(event_id) filter (where opens = 1) as session_id,
        min(time) as started, max(time) as ended, count(*) as events,
        count(*) filter (where kind in ('page', 'screen')) as pages,
        min_by(page, turn) filter (where kind in ('page', 'screen')) as entry_page,
        max(lower(utm_medium)) filter (where opens = 1) as medium,
        max(utm_source) filter (where opens = 1) as campaign,
        max(regexp_extract(lower(page_referrer), '^https?://(?:www[.])?([^/:?#]+)', 1)) filter (where opens = 1) as referrer,
        max(regexp_extract(lower(page_url), '^https?://(?:www[.])?([^/:?#]+)', 1)) filter (where opens = 1) as host
    from numbered
    group by person_id, source, bot, session
)
select session_id, person_id, person, source, bot, started, ended, events, pages, entry_page,
    case
        when medium in ('cpc', 'ppc', 'paid', 'paid_search', 'paidsearch') then 'paid search'
        when medium in ('paid_social', 'paidsocial', 'social-ads') then 'paid social'
        when medium = 'email' then 'email'
        when medium = 'social' then 'social'
        when medium in ('affiliate', 'partner') then 'partner'
        when medium = 'invite' then 'invite'
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
from spans
