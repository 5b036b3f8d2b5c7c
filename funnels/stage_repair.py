"""Which subjects a repair of ``stages`` makes again, and which events, members and rows these need.

Entering a stage depends on what happened up to that moment alone: a change at a moment ``since`` cannot touch a stage that
a subject entered before it, unless the stage can be left (``again``). So whoever did something that a stage reads is stale
only where that stage is still open at the time. From a person it spreads to the accounts that the event names or that the
person belongs to, from an account to members whom its people's number brings into a stage, and from members to accounts that
enter with them; no further, as nothing of a person depends on a stage of an account.

A person whose ids changed hands, or whose memberships or internal traffic did, is always stale; the accounts around such a
person are from the first day on which something changed (``changed_activity``).

Keys are ids of either kind: where an account is called like a person, both are made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from funnels.definition import SUBJECTS, Members, Rule, Stage

_READS: Final = "subject, stage, event, handed, again"
_NO_READS: Final = f"(select null as subject, null as stage, null as event, false as handed, false as again) reads({_READS})"
_STALE: Final = """
with reads as (select * from {reads} where subject is not null),
by_members as (select * from {by_members} where stage is not null),
told as ( -- what moved that a stage reads
    select moved.person_id, moved.person, moved.account_id, reads.subject, reads.stage, reads.handed, reads.again,
        min(moved.time) as since
    from moved join reads on reads.event = moved.event
    where not moved.bot
    group by all
    union all
    select moved.person_id, moved.person, moved.account_id, reads.subject, reads.stage, reads.handed, reads.again,
        min(moved.time)
    from moved join reads on reads.event = '*'
    where not moved.bot
    group by all
),
changed_people as (
    select changed_actors.person_id, changed_actors.person from changed_actors semi join rejoined using (person_id)
    union
    select person_id, person from changed_memberships
    union
    select person_id, person from changed_internal_actors
),
belonging as (
    select person_id, account_id from base.memberships
    union
    select person_id, account_id from changed_memberships
),
around as ( -- accounts whose events may be told otherwise
    select account_id, first_seen as since from changed_activity
    where account_id is not null and person_id in (select person_id from changed_people)
    union all
    select account_id, first_seen from base.activity
    where account_id is not null and person_id in (select person_id from changed_internal_actors)
),
account_news as (
    select account_id, subject, stage, handed, again, min(since) as since
    from (
        select told.account_id, told.subject, told.stage, told.handed, told.again, told.since
        from told where told.account_id is not null and (told.handed or told.subject = 'account')
        union all
        select belonging.account_id, told.subject, told.stage, told.handed, told.again, told.since
        from told join belonging on belonging.person_id = told.person_id
        where told.account_id is null and (told.handed or told.subject = 'account')
        union all
        select around.account_id, reads.subject, reads.stage, reads.handed, reads.again, around.since
        from around cross join (select distinct subject, stage, handed, again from reads) as reads
        where reads.handed or reads.subject = 'account'
    )
    group by all
),
person_news as (
    select person, stage, again, since from told where subject = 'person' and not handed
    union all
    select memberships.person, account_news.stage, account_news.again, account_news.since
    from account_news join base.memberships on memberships.account_id = account_news.account_id
    where account_news.handed
),
entered as (
    select subject, subject_id, stage, entered from base.stages where spell = 1
),
stale_people as (
    select person, min(since) as since
    from (
        select person, timestamptz '0001-01-01 00:00:00+00' as since from changed_people
        union all
        select person_news.person, person_news.since
        from person_news
        left join entered on entered.subject = 'person' and entered.subject_id = person_news.person
            and entered.stage = person_news.stage and not person_news.again and entered.entered < person_news.since
        where entered.subject is null
    )
    group by person
),
open_accounts as (
    select account_id, stage, again, since from account_news where subject = 'account'
    union all
    select memberships.account_id, by_members.stage, false, stale_people.since
    from stale_people join base.memberships on memberships.person = stale_people.person cross join by_members
)
select person as subject_id from stale_people
union
select account_id from changed_memberships
union
select open_accounts.account_id
from open_accounts
left join entered on entered.subject = 'account' and entered.subject_id = open_accounts.account_id
    and entered.stage = open_accounts.stage and not open_accounts.again and entered.entered < open_accounts.since
where entered.subject is null
"""

_AROUND: Final = """
held as (
    select subject_id as account_id from stale
    union
    select memberships.account_id from base.memberships where memberships.person in (select subject_id from stale)
),
near as (
    select subject_id as person from stale
    union
    select memberships.person from base.memberships where memberships.account_id in (select account_id from held)
),
"""
# An account's events are found by the actors who made them, so one narrow column is searched. They are few and a table: a
# scan is told their ids before it reads the other columns.
_NEAR_ACTORS: Final = f"""
with {_AROUND.rstrip().rstrip(",")}
select actor_id from base.actors where person in (select person from near)
union
select actors.actor_id
from base.actors join base.activity on activity.person_id = actors.person_id
where activity.account_id in (select account_id from held)
"""
# Inlined into each pattern's own look, which skips other names.
EVENTS: Final = """events as not materialized (
    select * from base.events where actor_id in (select actor_id from narrow.near_actors)
)"""
_MEMBERSHIPS: Final = f"""
with {_AROUND.rstrip().rstrip(",")}
select * from base.memberships where person in (select person from near)
"""
_SETTLED: Final = """
select stages.* from base.stages
where stages.subject = 'person' and stages.subject_id in (select person from narrow.memberships)
    and stages.subject_id not in (select subject_id from stale)
"""
_BYSTANDERS: Final = """
select subject_id from (
    select person as subject_id from narrow.stage_matches
    union
    select account_id from narrow.stage_matches where account_id is not null
    union
    select person from narrow.memberships
    union
    select account_id from narrow.memberships
)
where subject_id not in (select subject_id from stale)
"""


def stale(stages: Mapping[str, Stage]) -> str:
    """The query of a build's relation ``stale``, a row per ``subject_id``."""
    reads, members = list(_reads(stages)), list(_by_members(stages))
    return _STALE.format(
        reads=f"(values {', '.join(reads)}) reads({_READS})" if reads else _NO_READS,
        by_members=f"(values {', '.join(members)}) by_members(stage)" if members else "(select null as stage) by_members",
    )


def narrow(stage_matches: str) -> dict[str, str]:
    """What the stale subjects need; ``stage_matches`` is that relation's text over the events around them (``EVENTS``)."""
    return {
        "memberships": _MEMBERSHIPS,
        "near_actors": _NEAR_ACTORS,
        "stage_matches": stage_matches,
        "settled": _SETTLED,
        "bystanders": _BYSTANDERS,
    }


def _reads(stages: Mapping[str, Stage]) -> Iterator[str]:
    """Rows of SQL values: which subjects enter (leave) which stage by which event.

    ``handed``: persons, by what their account's people did.
    """
    rows = {
        (subject, stage.name, selection.event, subject == "person" and condition.people is not None, bool(rule.left_by))
        for stage in stages.values()
        for subject in SUBJECTS
        if isinstance(rule := stage.rule(subject), Rule)
        for condition in (*rule.conditions, *rule.left_by)
        for selection in condition.selections
    }
    for subject, stage_name, event, handed, again in sorted(rows):
        yield f"({_text(subject)}, {_text(stage_name)}, {_text(event)}, {handed}, {again})"


def _by_members(stages: Mapping[str, Stage]) -> Iterator[str]:
    for stage in stages.values():
        if isinstance(stage.account, Members):
            yield f"({_text(stage.name)})"


def _text(value: str) -> str:
    """A SQL literal: these queries take no parameters."""
    return "'" + value.replace("'", "''") + "'"
