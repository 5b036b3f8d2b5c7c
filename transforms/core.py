"""The models of every project, as data: what each is given, which of its keys are stale, and what these need (``model.py``).

Events of a few kinds are found by their event's name first (``$identify``): files are sorted by it, so the rest is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from sql.loader import load
from transforms import identity
from transforms.domains import OFF, Domains
from transforms.engine import Engine
from transforms.model import Model

SIGN_UP: Final = "Signed Up"

_BY_PERSON: Final[Mapping[str, str]] = {
    name: f"select * from base.{name} semi join stale using (person_id)" for name in ("actors", "memberships")
}

# A gain only lowers the first time; of an actor that lost an event all its events are looked at.
_SEEN: Final = """
select actor_id, user_id, anonymous_id, time from base.moved_events
where came and actor_id not in (select actor_id from base.moved_events where not came)
union all
select
    actor_id, case when id like 'user:%' then substr(id, 6) end, case when id like 'anonymous:%' then substr(id, 11) end,
    first_seen
from base.seen_ids semi join stale using (actor_id)
where actor_id not in (select actor_id from base.moved_events where not came)
union all
select actor_id, user_id, anonymous_id, time from base.events
where actor_id in (select actor_id from base.moved_events where not came)
"""

# An id that a link named which was taken out of the ledger may be in no table any more.
_RUNAWAYS: Final = """
select id from stale_ids
union
select id from base.moved_id_links
union
select owner from base.moved_id_links
"""

_GROUPED: Final = """
select person_id from rejoined
union
select person_id from moved
where kind = 'group' or (kind = 'identify' and $by_email) or (kind = 'track' and event = $left_by)
"""
_GROUPS: Final = """
select actor_id, kind, event, event_id, time, account_id, properties from base.events
where event in ('$group', '$identify', $left_by)
    and (kind = 'group' or (kind = 'identify' and $by_email) or (kind = 'track' and event = $left_by))
    and actor_id in (select actor_id from narrow.actors)
"""

_PEOPLE: Final = """
select person_id from changed_sessions
union
select person_id from changed_memberships
union
select person_id from rejoined
union
select person_id from moved where kind = 'identify' or event = $sign_up
"""
# Of whom all sessions are looked at; of all others the row in force tells what was, as one session.
_ANEW: Final = """
with came as (
    select person_id, min(started) as started, max(ended) as ended from came_sessions group by person_id
),
went as (
    select person_id, min(started) as started, max(ended) as ended from went_sessions group by person_id
)
select stale.person_id
from stale
left join base.people as known on known.person_id = stale.person_id
left join came on came.person_id = stale.person_id
left join went on went.person_id = stale.person_id
where known.person_id is null or came.started <= known.first_seen or went.started <= known.first_seen
    or (went.ended >= known.last_seen and (came.ended is null or came.ended < known.last_seen))
union
select person_id from rejoined
union
select person_id from moved where event = $sign_up
"""
# The same of their descriptions, and of sign-ups; one call tells the traits of all others.
_DESCRIBED: Final = """
select person_id from narrow.anew
union
select person_id from moved where kind = 'identify'
"""
_KNOWN: Final = "select * from base.people semi join stale using (person_id)"
_VISITS: Final = """
with lost as (
    select person_id, sum(events) as events from went_sessions group by person_id
)
select session_id, person_id, person, started, ended, events, channel from came_sessions
where person_id not in (select person_id from narrow.anew)
union all
select person, known.person_id, person, first_seen, last_seen, known.events - coalesce(lost.events, 0), channel
from narrow.known left join lost on lost.person_id = known.person_id
where known.person_id not in (select person_id from narrow.anew)
union all
select session_id, person_id, person, started, ended, events, channel from base.sessions
where person_id in (select person_id from narrow.anew)
"""
_DESCRIBING: Final = """
select actor_id, event_id, kind, event, time, account_id, properties from base.events
where event in ('$identify', $sign_up)
    and actor_id in (select actor_id from narrow.actors where person_id in (select person_id from narrow.described))
union all
select person_id, person, 'identify', '$identify', first_seen, null, traits from narrow.known
where person_id not in (select person_id from narrow.described)
"""
_OF_PEOPLE: Final[Mapping[str, str]] = {
    **_BY_PERSON,
    "anew": _ANEW,
    "described": _DESCRIBED,
    "known": _KNOWN,
    "sessions": _VISITS,
    "events": _DESCRIBING,
}

# A gain only widens the time; of who lost a part of it all days are looked at.
_LOST_DAYS: Final = """
select went.person_id
from went_activity as went
left join came_activity as came
    on came.person_id = went.person_id and came.account_id = went.account_id and came.day = went.day
where went.account_id is not null
    and (came.day is null or came.first_seen > went.first_seen or came.last_seen < went.last_seen)
"""
_AT_ACCOUNTS: Final[Mapping[str, str]] = {
    "lost_days": _LOST_DAYS,
    "activity": """
        select person_id, account_id, first_seen, last_seen from came_activity
        where person_id not in (select person_id from narrow.lost_days)
        union all
        select person_id, account_id, first_seen, last_seen from base.account_people semi join stale using (person_id)
        where person_id not in (select person_id from narrow.lost_days)
        union all
        select person_id, account_id, first_seen, last_seen from base.activity
        where person_id in (select person_id from narrow.lost_days)
    """,
}

_ACCOUNTS: Final = """
select account_id from changed_account_people
union
select account_id from changed_memberships
union
select account_id from moved where kind = 'group' and account_id is not null
union
select account_id from base.memberships semi join changed_people using (person_id)
"""
_OF_ACCOUNTS: Final[Mapping[str, str]] = {
    "memberships": "select * from base.memberships semi join stale using (account_id)",
    "account_people": "select account_id, first_seen, last_seen from base.account_people semi join stale using (account_id)",
    "people": "select person_id, channel from base.people where person_id in (select person_id from narrow.memberships)",
    "actors": "select * from base.actors limit 0",  # what a group call says of its account needs nobody
    "events": "select actor_id, event_id, kind, event, time, account_id, properties from base.events "
    "where event = '$group' and account_id in (select account_id from stale)",
}


@dataclass(frozen=True)
class StaleIds:
    """Finds whose links or people can have changed, before either is repaired."""

    view: identity.View

    def __call__(self, engine: Engine) -> object:
        return identity.stale(engine, "base.moved_id_links", "changed_seen_ids", self.view)


def link_states(view: identity.View = identity.DEFAULT_VIEW) -> tuple[Model, ...]:
    """From the ledger to which of its links are in force, as a view of identity has it."""
    return (
        Model(load("models", "links"), {"known_at": view.known_at}, partial(identity.ledger_relations, view)),
        Model(
            load("models", "runaway_ids"),
            {"runaway_links": view.runaway_links},
            stale=_RUNAWAYS,
            narrow=identity.NARROW["links"],
            prepare=StaleIds(view),
        ),
        Model(load("models", "link_states")),
    )


def who_is_who(view: identity.View = identity.DEFAULT_VIEW, domains: Domains = OFF) -> tuple[Model, ...]:
    """From the ledger to ``actors`` and memberships, as a view of identity has it; ``domains``: who belongs to accounts."""
    return (
        Model(load("models", "seen_ids"), stale="select distinct actor_id from base.moved_events", narrow={"events": _SEEN}),
        *link_states(view),
        Model(load("models", "id_roots"), inputs=identity.user_roots),
        Model(
            load("models", "actors"),
            stale="select actor_id from stale_ids",
            narrow={**identity.NARROW["links"], **identity.NARROW["actors"]},
            prepare=StaleIds(view),
            given=str(view.runaway_links),
        ),
        Model(
            load("models", "memberships"),
            params=domains.params,
            inputs=domains.relations,
            stale=_GROUPED,
            narrow={**_BY_PERSON, "events": _GROUPS},
        ),
        Model(
            load("models", "sole_memberships"), stale="select distinct person_id from changed_memberships", narrow=_BY_PERSON
        ),
    )


ABOUT_THEM: Final[tuple[Model, ...]] = (
    Model(load("models", "traits")),
    Model(load("models", "session_spans")),
    Model(load("models", "session_calls")),
    Model(load("models", "sessions"), stale="from spans", narrow={"events": "from span_events"}),
    Model(load("models", "first_touches"), params={"sign_up": SIGN_UP}),
    Model(
        load("models", "people"),
        stale=_PEOPLE,
        narrow=_OF_PEOPLE,
    ),
)


def core(view: identity.View = identity.DEFAULT_VIEW, domains: Domains = OFF, zone: str = "UTC") -> tuple[Model, ...]:
    """The models of every project; ``zone`` is an IANA name such as ``Europe/Berlin``, whose days ``activity`` counts by."""
    activity = Model(
        load("models", "activity"),
        params={"zone": zone},
        stale="from day_spans",
        narrow={"events": "from stale_events"},
    )
    account_people = Model(
        load("models", "account_people"),
        stale="select distinct person_id from changed_activity where account_id is not null",
        narrow=_AT_ACCOUNTS,
    )
    accounts = Model(load("models", "accounts"), stale=_ACCOUNTS, narrow=_OF_ACCOUNTS)
    return (*who_is_who(view, domains), *ABOUT_THEM, activity, account_people, accounts)


CORE: Final[tuple[Model, ...]] = core()
