-- one row per event that tells of a session: its first, and its first page; several may have come at once
-- grain: person_id, source, bot, time, event_id
-- kind: relation
-- reads: events, actors, session_spans
-- A session's channel is how its first event came: utm_medium speaks first, then any other campaign, then the referrer's
-- host where it is another site.
with moments as (
    select person_id, source, bot, started, started as time from session_spans
    union all
    select person_id, source, bot, started, entered as time from session_spans where entered > started
),
told as (
    select
        moments.person_id, moments.source, moments.bot, moments.started, moments.time, actors.person, events.event_id,
        lower(events.utm_medium) as medium, events.utm_source as campaign,
        case when events.kind in ('page', 'screen') then coalesce(events.page_path, events.page_url, events.event) end as page,
        regexp_extract(lower(events.page_referrer), '^https?://(?:www[.])?([^/:?#]+)', 1) as referrer,
        regexp_extract(lower(events.page_url), '^https?://(?:www[.])?([^/:?#]+)', 1) as host
    from events
    join actors on actors.actor_id = events.actor_id
    join moments on moments.person_id = actors.person_id and moments.source = events.source and moments.bot = events.bot
        and moments.time = events.time
)
select
    person_id, source, bot, started, time, person, event_id, page,
    case
        when time > started then null
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
