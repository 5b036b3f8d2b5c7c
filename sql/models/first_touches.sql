-- one row per person: the channel that brought them, by their first event
-- grain: person_id
-- kind: relation
-- reads: events, actors
-- First by event time, then event id. utm_medium speaks first, then any other campaign, then the referrer's host where it is
-- another site, then an invite that the sign-up ($sign_up) carries; what is left came directly.
with own as (
    select
        actors.person_id,
        events.event_id,
        events.time,
        lower(events.utm_medium) as medium,
        events.utm_source,
        regexp_extract(lower(events.page_referrer), '^https?://(?:www[.])?([^/:?#]+)', 1) as referrer,
        regexp_extract(lower(events.page_url), '^https?://(?:www[.])?([^/:?#]+)', 1) as host,
        min(events.time) over (partition by actors.person_id) as first_seen
    from events join actors on actors.actor_id = events.actor_id
),
ranked as (
    select person_id, medium, utm_source, referrer, host,
        row_number() over (partition by person_id order by event_id) as turn
    from own
    where time = first_seen
),
invited as (
    select distinct actors.person_id
    from events join actors on actors.actor_id = events.actor_id
    where events.event = $sign_up and (events.properties ->> '$.invite_id') is not null
)
select
    ranked.person_id,
    case
        when medium in ('cpc', 'ppc', 'paid', 'paid_search', 'paidsearch') then 'paid search'
        when medium in ('paid_social', 'paidsocial', 'social-ads') then 'paid social'
        when medium = 'email' then 'email'
        when medium = 'social' then 'social'
        when medium in ('affiliate', 'partner') then 'partner'
        when medium = 'invite' then 'invite'
        when utm_source is not null then 'campaign'
        when coalesce(referrer, '') = '' or referrer = host or host like '%.' || referrer or referrer like '%.' || host then
            case when invited.person_id is not null then 'invite' else 'direct' end
        when regexp_matches(referrer,
            '^([a-z]{1,2}[.]|([a-z]+[.])?search[.])?(google|bing|duckduckgo|yahoo|yandex|baidu|ecosia|brave)[.]')
            then 'organic search'
        when regexp_matches(referrer,
            '(^|[.])(facebook|twitter|x|t|linkedin|lnkd|instagram|reddit|youtube|tiktok|pinterest)[.](com|co|in)$')
            then 'social'
        else 'referral'
    end as channel
from ranked left join invited on invited.person_id = ranked.person_id
where ranked.turn = 1
