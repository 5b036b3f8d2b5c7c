"""Which invitations a repair of ``invites`` makes again, and which events, people and generations these need.

What an invitation's rows say follows from its own events (``due_invites``) and from who its people are. Who is credited for
an invitee follows from all the invitee's invitations, a generation from whoever was credited before. So from the
invitations that changed it spreads to their invitees, to whoever came by these, one credited invitation after the other
(``due_people``), and to all invitations of those: the stale ones. To tell the credit of each of their invitees right, the
other invitations of these are looked at, too (``near_invites``), and no more of them is believed.

Of inviters who are none of these people the generation is the stored one: ``elders``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from funnels.definitions.definition import Internal
from transforms.engine import Engine

STALE: Final = "from stale_invites"
_PARAMETER: Final = re.compile(r"\$([a-z_]+)")

# Whose name, account, registration or address may be another one; and who accepted, or no longer did.
_NAMES: Final = """
select changed_actors.person from changed_actors semi join rejoined using (person_id)
union
select person from changed_memberships
union
select person from changed_sole_memberships
union
select person from changed_internal_actors
union
select subject_id from changed_stages where subject = 'person' and stage = $stage
union
select person from moved where event = $accepted and person is not null
union
select person from (
    select person from changed_people
    group by person
    having count(distinct coalesce(email, '')) > 1 or (count(*) = 1 and max(email) is not null)
)
"""
_ADDRESSES: Final = """
select lower(trim(email)) as email
from (
    select email from base.people semi join due_names using (person)
    union
    select email from changed_people semi join due_names using (person)
)
where email is not null
"""
_INVITE_ID: Final = """
coalesce(
    properties ->> case when event = $sent then $sent_id else $accepted_id end,
    case when event = $sent then event_id end
) as invite_id
"""
_MOVED: Final = f"""
select distinct invite_id from (select {_INVITE_ID} from moved where event in ($sent, $accepted)) where invite_id is not null
"""
_STORED: Final = """
select invite_id from base.invites
where inviter in (select person from due_names) or invitee in (select person from due_names)
    or invitee_email in (select email from due_addresses)
"""
_OF_INTERNAL: Final = f"""
select invite_id
from (
    select {_INVITE_ID} from base.events
    where event in ($sent, $accepted) and actor_id in (select actor_id from changed_internal_actors)
)
where invite_id is not null
"""
_TOLD: Final = f"""
select event_id, actor_id, event = $sent as sent, {_INVITE_ID},
    case when event = $sent then lower(trim(properties ->> $email)) end as email
from base.events where event in ($sent, $accepted) and not bot
"""
_PEOPLE: Final = """
select person from due_names
union
select invitee from base.invites semi join due_invites using (invite_id) where invitee is not null
union
select actors.person
from told_invites semi join due_invites using (invite_id) join base.actors on actors.actor_id = told_invites.actor_id
where not told_invites.sent
union
select person from base.people where lower(trim(email)) in (
    select email from told_invites semi join due_invites using (invite_id) where email is not null
)
"""
_WHO_CAME: Final = """
select distinct invitee as person from base.invites
where scope is not null and inviter in (select person from newly_due) and invitee not in (select person from due_people)
"""
_STALE: Final = """
select invite_id from due_invites
union
select invite_id from base.invites where invitee in (select person from due_people)
"""
_NEAR: Final = """
select invite_id from stale_invites
union
select invite_id from base.invites where invitee in (select person from near_invitees)
"""
_NEAR_INVITEES: Final = """
select person from due_people
union
select invitee from base.invites semi join stale_invites using (invite_id) where invitee is not null
"""
_ANYBODY: Final = """
select person from narrow.actors
union
select person from narrow.people
"""
_EVENTS: Final = """
select {columns} from base.events
where event in ($sent, $accepted) and actor_id in (select actor_id from near_told)
    and event_id in (select event_id from near_told)
"""
_COLUMNS: Final = "event_id, event, time, actor_id, account_id, bot, properties"
_NARROW: Final[Mapping[str, str]] = {
    "actors": "select * from base.actors where actor_id in (select actor_id from near_told)",
    "people": "select * from base.people where lower(trim(email)) in (select email from near_told where email is not null)",
    "memberships": f"select * from base.memberships where ordinal = 1 and person in ({_ANYBODY})",
    "sole_memberships": "select * from base.sole_memberships where person_id in (select person_id from narrow.actors)",
    "stages": f"""
        select * from base.stages
        where subject = 'person' and stage = $stage and spell = 1 and subject_id in ({_ANYBODY})
    """,
    "elders": """
        select invitee as person, max(generation) as generation from base.invites
        where invitee in (select person from narrow.actors) and invitee not in (select person from near_invitees)
        group by invitee
    """,
}


def narrow(internal: Internal) -> dict[str, str]:
    """What the stale invitations need; filters of internal events may look at any column."""
    return {"events": _EVENTS.format(columns="*" if internal.where else _COLUMNS), **_NARROW}


@dataclass(frozen=True)
class StaleInvites:
    """Makes ``stale_invites`` (invite_id), and what ``narrow`` reads; ``params`` are those of ``invite_links``."""

    params: tuple[tuple[str, object], ...]

    def __call__(self, engine: Engine) -> object:
        self._make(engine, "due_names", _NAMES)
        self._make(engine, "due_addresses", _ADDRESSES)
        self._make(engine, "due_invites", f"{_MOVED} union {_STORED} union {_OF_INTERNAL}")
        if not engine.table("select 1 from due_invites limit 1").num_rows:
            return self._make(engine, "stale_invites", "from due_invites")
        self._make(engine, "told_invites", _TOLD)
        self._make(engine, "due_people", _PEOPLE)
        self._spread(engine)
        stale = self._make(engine, "stale_invites", _STALE)
        self._make(engine, "near_invitees", _NEAR_INVITEES)
        self._make(engine, "near_invites", _NEAR)
        self._make(engine, "near_told", "from told_invites semi join near_invites using (invite_id)")
        engine.drop("told_invites")
        return stale

    def _spread(self, engine: Engine) -> None:
        """Adds whoever came by someone of ``due_people``."""
        self._make(engine, "newly_due", "from due_people")
        while self._make(engine, "came_by_them", _WHO_CAME):
            self._make(engine, "newly_due", "from came_by_them")
            engine.make("wider", "from due_people union from newly_due")
            engine.make("due_people", "from wider")

    def _make(self, engine: Engine, name: str, text: str) -> int:
        named = set(_PARAMETER.findall(text))
        return engine.make(name, text, {key: value for key, value in self.params if key in named})
