"""Which subjects a repair of ``stages`` makes again, and which events, members and rows these need.

Entering a stage depends on what happened up to that moment alone: a change at a moment ``since`` cannot touch a stage that
a subject entered before it, unless the stage can be left (``again``). So whoever did something that a stage reads is stale
only where that stage is still open at the time. From a person it spreads to the accounts that the event names or that the
person belongs to, from an account to members whom its people's number brings into a stage, and from members to accounts that
enter with them; no further, as nothing of a person depends on a stage of an account.

Who has not entered is left alone where what moved cannot bring them in: it came later than the stage may be entered after
another one, or the account had fewer people around its time than the stage asks for.

A person whose ids changed hands, or whose memberships or internal traffic did, is always stale; the accounts around such a
person are from the first day on which something changed (``changed_activity``).

Keys are ids of either kind: where an account is called like a person, both are made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from funnels.definitions.definition import SUBJECTS, Condition, Members, Rule, Stage
from funnels.models.selections import ANY_EVENT
from transforms.engine import Engine

_READS: Final = "subject, stage, event, handed, again, after_stage, within_length, people, window_length"
_NO_READS: Final = f"""(
    select null as subject, null as stage, null as event, false as handed, false as again, cast(null as text) as after_stage,
        cast(null as bigint) as within_length, cast(null as bigint) as people, cast(null as bigint) as window_length
) reads({_READS})"""
_STALE: Final = """
with reads as (select * from {reads} where subject is not null),
by_members as (select * from {by_members} where stage is not null),
told as ( -- what moved that a stage reads
    select moved.person_id, moved.person, moved.account_id, reads.* exclude (event),
        min(moved.time) as since, max(moved.time) as until
    from moved join reads on reads.event = moved.event
    where not moved.bot
    group by all
    union all
    select moved.person_id, moved.person, moved.account_id, reads.* exclude (event), min(moved.time), max(moved.time)
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
    select person_id, account_id from base.memberships where person_id in (select person_id from told)
    union
    select person_id, account_id from changed_memberships
),
around as ( -- accounts whose events may be told otherwise
    select account_id, first_seen as since from changed_activity
    where account_id is not null and person_id in (select person_id from changed_people)
    union all
    select account_id, first_seen from base.account_people
    where person_id in (select person_id from changed_internal_actors)
),
account_news as (
    select * exclude (since, until), min(since) as since, max(until) as until
    from (
        select told.* exclude (person_id, person) from told
        where told.account_id is not null and (told.handed or told.subject = 'account')
        union all by name
        select belonging.account_id, told.* exclude (person_id, person, account_id)
        from told join belonging on belonging.person_id = told.person_id
        where told.account_id is null and (told.handed or told.subject = 'account')
        union all by name
        select around.account_id, reads.* exclude (event), around.since, timestamptz '9999-12-30 00:00:00+00' as until
        from around cross join (select distinct * replace (null as event) from reads) as reads
        where reads.handed or reads.subject = 'account'
    )
    group by all
),
looked as (
    select distinct account_id, since, until, window_length,
        since - to_microseconds(window_length) as least, until + to_microseconds(window_length) as greatest
    from account_news
    where people is not null and window_length is not null
),
visitors as ( -- an account with too few of them needs no look at its days
    select looked.*, account_people.person_id
    from looked
    join base.account_people on account_people.account_id = looked.account_id
        and account_people.first_seen <= looked.greatest and account_people.last_seen >= looked.least
),
crowds as ( -- who was at an account at all while what moved can have brought enough of them together
    select visitors.account_id, visitors.since, visitors.until, visitors.window_length,
        count(distinct activity.person_id) as found
    from visitors
    join near_activity as activity on activity.person_id = visitors.person_id and activity.account_id = visitors.account_id
        and activity.first_seen <= visitors.greatest and activity.last_seen >= visitors.least
    where (visitors.account_id, visitors.since, visitors.until, visitors.window_length) in (
        select account_id, since, until, window_length from visitors
        group by all having count(*) >= (select min(people) from account_news)
    )
    group by all
),
judged as ( -- too_few: nobody enters the stage by this who has not entered it
    select account_news.*,
        account_news.window_length is not null and coalesce(crowds.found, 0) < account_news.people as too_few
    from account_news
    left join crowds on crowds.account_id = account_news.account_id and crowds.since = account_news.since
        and crowds.until = account_news.until and crowds.window_length = account_news.window_length
),
person_news as (
    select person, stage, again, after_stage, within_length, since, false as too_few
    from told where subject = 'person' and not handed
    union all
    select memberships.person, judged.stage, judged.again, null, null, judged.since, judged.too_few
    from judged join base.memberships on memberships.account_id = judged.account_id
    where judged.handed
),
entered_people as (
    select subject_id, stage, entered from base.stages
    where subject = 'person' and spell = 1 and subject_id in (select person from person_news)
),
stale_people as (
    select person, min(since) as since
    from (
        select person, timestamptz '0001-01-01 00:00:00+00' as since from changed_people
        union all
        select news.person, news.since
        from person_news as news
        left join entered_people as entered on entered.subject_id = news.person and entered.stage = news.stage
        left join entered_people as before on before.subject_id = news.person and before.stage = news.after_stage
        where {open}
    )
    group by person
),
open_accounts as (
    select account_id, stage, again, after_stage, within_length, since, too_few from judged where subject = 'account'
    union all
    select memberships.account_id, by_members.stage, false, null, null, stale_people.since, false
    from stale_people join base.memberships on memberships.person = stale_people.person cross join by_members
),
entered_accounts as (
    select subject_id, stage, entered from base.stages
    where subject = 'account' and spell = 1 and subject_id in (select account_id from open_accounts)
)
select person as subject_id from stale_people
union
select account_id from changed_memberships
union
select news.account_id
from open_accounts as news
left join entered_accounts as entered on entered.subject_id = news.account_id and entered.stage = news.stage
left join entered_accounts as before on before.subject_id = news.account_id and before.stage = news.after_stage
where {open}
"""
# Who has entered is made again where that was not before what moved; who has not, where what moved can bring them in: in
# time, if the stage comes after another one (who is only now in that one is stale for it), and not too few of them.
_OPEN: Final = """
    news.again
    or entered.entered >= news.since
    or (entered.entered is null and not coalesce(news.too_few, false) and (
        news.after_stage is null
        or (before.entered is not null and news.within_length is null)
        or epoch_us(news.since) - epoch_us(before.entered) <= news.within_length
    ))
"""

# The moments around which crowds are counted; of who is another person now they are all moments from the first change on.
_REACH: Final = """
select min(since) as least, max(until) as greatest
from (
    select time as since, time as until from moved
    union all
    select first_seen, timestamptz '9999-12-30 00:00:00+00' from changed_activity
    where exists (from rejoined) or exists (from changed_memberships) or exists (from changed_internal_actors)
    union all
    select first_seen, timestamptz '9999-12-30 00:00:00+00' from base.account_people
    where person_id in (select person_id from changed_internal_actors)
)
"""
_A_DAY: Final = timedelta(days=1)
# Whoever was ever at an account of which ``stale`` may count the people.
_NEAR_PEOPLE: Final = """
with near as (
    select account_id from moved
    union
    select account_id from base.memberships where person_id in (select person_id from moved)
    union
    select account_id from changed_memberships
    union
    select account_id from changed_activity
    union
    select account_id from base.account_people where person_id in (select person_id from changed_internal_actors)
)
select distinct person_id from base.account_people where account_id in (select account_id from near)
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
from base.actors join base.account_people on account_people.person_id = actors.person_id
where account_people.account_id in (select account_id from held)
"""
# Made before whose they are, in one look at the lake, which is told the ids where they are few.
_EVENTS: Final = """
select {columns} from base.events
where {named} and not bot and actor_id in ({{actor_id of narrow.near_actors}})
"""
_COLUMNS: Final = "event_id, event, time, actor_id, account_id, bot"
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
        open=_OPEN.strip(),
    )


@dataclass(frozen=True)
class NearActivity:
    """Makes ``near_activity``: the days of ``activity`` on which what moved can have brought a crowd together.

    Of whoever was never at an account in question there are none. ``window``: the longest in which any stage counts people.
    """

    window: timedelta

    def __call__(self, engine: Engine) -> None:
        reach = engine.table(_REACH).to_pylist()[0]
        days = "false"
        if reach["least"] is not None:
            least, greatest = reach["least"].date() - self.window - 3 * _A_DAY, reach["greatest"].date()
            greatest = min(greatest, date.max - self.window - 3 * _A_DAY) + self.window + 3 * _A_DAY
            days = f"day between date '{least}' and date '{greatest}'"  # months that are told so are not even opened
        columns = "person_id, account_id, first_seen, last_seen"
        engine.make("near_people", _NEAR_PEOPLE)  # a scan that is told them does not read of others where they were
        theirs = "person_id in (select person_id from near_people)"
        engine.make("near_activity", f"select {columns} from base.activity where {days} and {theirs}")


def near_activity(stages: Mapping[str, Stage]) -> NearActivity:
    """What ``stale`` reads and nobody else has made."""
    rules = [stage.rule(subject) for stage in stages.values() for subject in SUBJECTS]
    windows = [
        one.window for rule in rules if isinstance(rule, Rule) for one in rule.conditions if one.people and one.window
    ]
    return NearActivity(max(windows, default=timedelta(0)))


def narrow(stage_matches: str, names: Collection[str], *, filtered: bool) -> dict[str, str]:
    """What the stale subjects need; ``stage_matches`` is that relation's text, over events with these ``names``.

    ``filtered``: filters of conditions, or of internal traffic, may look at any column.
    """
    named = "true" if ANY_EVENT in names else f"event in ({', '.join(map(_text, sorted(names)))})" if names else "false"
    return {
        "memberships": _MEMBERSHIPS,
        "near_actors": _NEAR_ACTORS,
        "events": _EVENTS.format(columns="*" if filtered else _COLUMNS, named=named),
        "actors": "select * from base.actors semi join narrow.near_actors using (actor_id)",
        "sole_memberships": "select * from base.sole_memberships where person_id in (select person_id from narrow.actors)",
        "stage_matches": stage_matches,
        "settled": _SETTLED,
        "bystanders": _BYSTANDERS,
    }


def _reads(stages: Mapping[str, Stage]) -> Iterator[str]:
    """Rows of SQL values: which subjects enter (leave) which stage by which event.

    ``handed``: persons, by what their account's people did.
    """
    rows = {
        f"({_text(subject)}, {_text(stage.name)}, {_text(selection.event)}, {told})"
        for stage in stages.values()
        for subject in SUBJECTS
        if isinstance(rule := stage.rule(subject), Rule)
        for condition in (*rule.conditions, *rule.left_by)
        for told in [_told(subject, rule, condition)]
        for selection in condition.selections
    }
    yield from sorted(rows)


def _told(subject: str, rule: Rule, condition: Condition) -> str:
    """The last columns of such a row."""
    handed = subject == "person" and condition.people is not None
    after = "cast(null as text)" if rule.after is None else _text(rule.after)
    numbers = (_microseconds(rule.within), condition.people, _microseconds(condition.window))
    told = ", ".join(f"cast({'null' if number is None else number} as bigint)" for number in numbers)
    return f"{handed}, {bool(rule.left_by)}, {after}, {told}"


def _microseconds(length: timedelta | None) -> int | None:
    return None if length is None else length // timedelta(microseconds=1)


def _by_members(stages: Mapping[str, Stage]) -> Iterator[str]:
    for stage in stages.values():
        if isinstance(stage.account, Members):
            yield f"({_text(stage.name)})"


def _text(value: str) -> str:
    """A SQL literal: these queries take no parameters."""
    return "'" + value.replace("'", "''") + "'"
