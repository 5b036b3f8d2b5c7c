"""Traits at the time of the event: ``person.plan`` and ``account.plan``, joined to each event as they were known then.

Of a person, the trait of the latest identify call at or before the event's time that has this key, whichever of the
person's ids it came by (merges hold for all history, for traits too). Of an account, likewise of its group calls. Of calls
at one instant the one with the greater event id is the later. Before the first such call the value is missing; a call that
does not name the key leaves it as it was, and one that says null makes it missing. Until a call sets a key, its value is
the first that came in an object ``$set_once``. ``person_now`` and ``account_now`` are instead the values of the last build,
whenever the event happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from funnels.filter_sql import ACCOUNT_THEN, PERSON_THEN, Parameters, pointer, then_relation

_CALLS: Final = {
    PERSON_THEN: """
            select owners.person_id as subject, told.time, told.event_id, told.properties
            from events as told join actors as owners on owners.actor_id = told.actor_id
            where told.event = '$identify' and told.kind = 'identify'""",
    ACCOUNT_THEN: """
            select told.account_id as subject, told.time, told.event_id, told.properties
            from events as told
            where told.event = '$group' and told.kind = 'group' and told.account_id is not null""",
}
_HISTORY: Final = """
    with told as ({calls}
                and (json_type(told.properties, {key}) is not null or json_type(told.properties, {once}) is not null)
    ),
    spoken as (
        select subject, time as since, max_by(properties, event_id) as traits
        from told where json_type(properties, {key}) is not null
        group by subject, time
    ),
    first as (
        select
            subject,
            min(time) filter (json_type(properties, {key}) is not null) as spoken,
            min(time) filter (json_type(properties, {once}) is not null) as since,
            min_by(properties, (time, event_id)) filter (json_type(properties, {once}) is not null) as properties
        from told
        group by subject
    )
    from spoken
    union all
    select subject, since, json_extract(properties, {within}) as traits
    from first where since < coalesce(spoken, 'infinity')"""
_ONCE: Final = "/$set_once"


def history(root: str, key: str, parameters: Parameters) -> str:
    """The calls that told a trait: ``subject``, ``since``, and ``traits`` as JSON."""
    names = {name: parameters.add(path) for name, path in _paths(key).items()}
    return _HISTORY.format(calls=_CALLS[root], **names)


def _paths(key: str) -> dict[str, str]:
    return {"key": pointer(key), "once": _ONCE + pointer(key), "within": _ONCE}


def uses(root: str, properties: Iterable[str]) -> bool:
    """Whether a filter reads something under ``root``, such as ``person``."""
    return any(name.startswith(f"{root}.") for name in properties)


def joins(properties: Iterable[str], parameters: Parameters, *, person: str, account: str) -> list[str]:
    """A join per trait that filters on ``properties`` read; ``person`` and ``account`` are SQL for those of the event."""
    subjects = {PERSON_THEN: person, ACCOUNT_THEN: account}
    parts = {(name.split(".")[0], name.split(".")[1]) for name in properties if "." in name}
    traits = sorted((root, key) for root, key in parts if root in subjects)
    return [
        f"""asof left join ({history(root, key, parameters)}
    ) as {then_relation(root, key)} on {then_relation(root, key)}.subject = {subjects[root]}
        and events.time >= {then_relation(root, key)}.since"""
        for root, key in traits
    ]
