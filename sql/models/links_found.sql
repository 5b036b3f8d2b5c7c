-- one row per call that says an id belongs to a user and that the ledger has not yet
-- grain: entry
-- kind: relation
-- reads: events, id_links
-- An identify links its anonymous id; an alias links its previous id, which is that same anonymous id where the two are
-- equal, else a user id. So does any other event whose previous id is its anonymous id: of senders for whom two ids on one
-- event are one person's (Amplitude, Mixpanel, Snowplow). Calls repeat themselves: of one pair's only those are kept that were
-- the earliest when they came, among these events and the links that the ledger has. Of such senders every event is a call:
-- those later than what came first can go before anything is sorted. Files without a previous id are not read for them.
with firsts as (
    select
        actor_id,
        anonymous_id,
        min_by(time, struct_pack(received_at := received_at, event_id := event_id)) as time
    from events
    where previous_id is not null and previous_id = anonymous_id and user_id is not null and kind not in ('identify', 'alias')
    group by actor_id, anonymous_id
),
claims as (
    select
        event_id,
        time,
        received_at,
        case
            when kind = 'identify' or previous_id = anonymous_id then 'anonymous:' || anonymous_id
            else 'user:' || previous_id
        end as id,
        'user:' || user_id as owner,
        actor_id as owner_actor_id
    from events
    where user_id is not null
        and ((kind = 'identify' and anonymous_id is not null) or (kind = 'alias' and previous_id is not null))
    union all
    select
        events.event_id,
        events.time,
        events.received_at,
        'anonymous:' || events.anonymous_id as id,
        'user:' || events.user_id as owner,
        events.actor_id as owner_actor_id
    from events
    join firsts on firsts.actor_id = events.actor_id and firsts.anonymous_id = events.anonymous_id
    where events.previous_id is not null and events.previous_id = events.anonymous_id and events.user_id is not null
        and events.kind not in ('identify', 'alias') and events.time <= firsts.time
),
known as (
    select event_id, time, received_at, id, owner, owner_actor_id, true as fresh
    from claims
    where id <> owner
    union all
    select entry, time, known_at, id, owner, owner_actor_id, false
    from id_links
    where kind = 'link' and owner_actor_id in (select owner_actor_id from claims)
),
compared as (
    select event_id, time, received_at, id, owner, owner_actor_id, fresh,
        min(time) over (
            partition by id, owner order by received_at, event_id rows between unbounded preceding and 1 preceding
        ) as earliest
    from known
)
select
    compared.event_id as entry,
    compared.time,
    compared.received_at as known_at,
    compared.id,
    compared.owner,
    compared.owner_actor_id
from compared left join id_links
    on id_links.kind = 'link'
    and id_links.owner_actor_id = compared.owner_actor_id -- so that few texts of the ledger are read for few events
    and id_links.entry = compared.event_id
where compared.fresh and id_links.entry is null and (compared.earliest is null or compared.time <= compared.earliest)
