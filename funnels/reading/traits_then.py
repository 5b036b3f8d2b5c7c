"""Traits at the time of the event: ``person.plan`` and ``account.plan``, joined to each event as they were known then.

Of a person, the trait of the latest identify call at or before the event's time that has this key, whichever of the person's
ids it came by (merges hold for all history, for traits too). Of an account, likewise of its group calls. Of calls at one
instant the one with the greater event id is the later. Before the first such call the value is missing; a call that does not
name the key leaves it as it was, and one that says null makes it missing. ``person_now`` and ``account_now`` are instead the
values of the last build, whenever the event happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from funnels.filter_sql import ACCOUNT_THEN, PERSON_THEN, Parameters, pointer, then_relation

_CALLS: Final = {
    PERSON_THEN: """
        select owners.person_id as subject, told.time as since, max_by(told.properties, told.event_id) as traits
        from events as told join actors as owners on owners.actor_id = told.actor_id
        where told.event = '$identify' and told.kind = 'identify' and json_type(told.properties, {key}) is not null
        group by owners.person_id, told.time""",
    ACCOUNT_THEN: """
        select told.account_id as subject, told.time as since, max_by(told.properties, told.event_id) as traits
        from events as told
        where told.event = '$group' and told.kind = 'group' and told.account_id is not null
            and json_type(told.properties, {key}) is not null
        group by told.account_id, told.time""",
}


def history(root: str, key: str, parameters: Parameters) -> str:
    """The calls that told a trait: ``subject``, ``since``, and ``traits`` as JSON."""
    return _CALLS[root].format(key=parameters.add(pointer(key)))


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
