"""Who is in a cohort, in SQL: found once per question, then asked of every event by its person's or account's id.

Everybody known counts, also who came after the last build: people are those of ``actors``, accounts those that any event
names or anybody belongs to. Of whom the build knows nothing, ``person_now`` and ``account_now`` are missing. A stage's
subject is found by the id that it was built under, whoever it has been merged with since. Bots are not counted unless a
``did`` asks about ``bot``, internal traffic unless the question includes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from funnels.definitions.definition import Cohort, Did, Internal, Selection, Subject
from funnels.filter_sql import ACCOUNT_NOW, PERSON_NOW, Parameters, compile_filters
from funnels.filters import conditions
from funnels.reading.stream_sql import ACCOUNT, ACTORS, MEMBERSHIPS, PERSON
from funnels.traffic import TABLE, condition
from transforms.engine import Engine

READS: Final = ("events", "actors", "sole_memberships", "people", "accounts", "stages", TABLE)

_UNIT: Final[Mapping[Subject, str]] = {"person": PERSON, "account": ACCOUNT}
_JOINS: Final[Mapping[Subject, str]] = {"person": ACTORS, "account": f"{ACTORS} {MEMBERSHIPS}"}
_EVERYBODY: Final[Mapping[Subject, str]] = {
    "person": "select distinct person_id as id from actors",
    "account": """select account_id as id from accounts
        union select account_id from events where account_id is not null
        union select account_id from sole_memberships""",
}
_NOW: Final[Mapping[Subject, str]] = {
    "person": f"left join people as {PERSON_NOW} on {PERSON_NOW}.person_id = everybody.id",
    "account": f"left join accounts as {ACCOUNT_NOW} on {ACCOUNT_NOW}.account_id = everybody.id",
}
_ENTERED: Final[Mapping[Subject, str]] = {
    "person": """select distinct actors.person_id as id from stages join actors on actors.id = stages.subject_id
        where stages.subject = 'person' and stages.stage = {stage} and stages.entered <= {as_of}""",
    "account": """select distinct subject_id as id from stages
        where subject = 'account' and stage = {stage} and entered <= {as_of}""",
}


def bind_cohorts(
    engine: Engine, cohorts: Mapping[str, Cohort], as_of: datetime, internal: Internal | None = None
) -> dict[str, str]:
    """Makes a table of each cohort's members; by name the SQL condition, never null, that whoever did an event is in it.

    The engine holds ``READS``. The conditions belong into a query over ``events`` joined as ``stream_sql`` joins them for a
    cohort. ``internal``: the traffic that does not count; None: all of it does.
    """
    found, tables = {}, tables_of(cohorts.values())
    for name, cohort in cohorts.items():
        parameters = Parameters()
        text = members_sql(engine, cohort, as_of, parameters, internal)
        engine.make(tables[cohort.name], text, parameters.values)
        found[name] = f"coalesce({_UNIT[cohort.unit]} in (select id from {tables[cohort.name]}), false)"
    return found


def tables_of(cohorts: Iterable[Cohort]) -> dict[str, str]:
    """The name of each one's table of members, whose only column is ``id``."""
    return {cohort.name: f"cohort_{number}" for number, cohort in enumerate(cohorts)}


def members_sql(
    engine: Engine, cohort: Cohort, as_of: datetime, parameters: Parameters, internal: Internal | None = None
) -> str:
    """The query of a cohort's members: one column ``id``, each person_id or account_id once.

    Who did something or entered a stage is looked for among those who did; only where nobody has to have done anything is
    everybody looked at.
    """
    timed = bool(cohort.did or cohort.stages)
    moment = f"cast({parameters.add(as_of)} as timestamptz)" if timed else ""
    ours = condition(engine, internal, parameters) if internal is not None and cohort.did else "false"
    stages = {f"stage_{number}": stage for number, stage in enumerate(cohort.stages)}
    dids = {f"did_{number}": did for number, did in enumerate(cohort.did)}
    parts = {
        **{name: _ENTERED[cohort.unit].format(stage=parameters.add(one), as_of=moment) for name, one in stages.items()},
        **{name: _did(one, cohort.unit, moment, parameters, ours) for name, one in dids.items()},
    }
    source = next((f"select id from {name}" for name in parts if name in stages or dids[name].at_least), None)
    listed = [
        *(f"{name} as ({text})" for name, text in parts.items()),
        f"everybody as ({source or _EVERYBODY[cohort.unit]})",
    ]
    needed = [
        compile_filters(cohort.where, parameters),
        *(f"everybody.id in (select id from {name})" for name in stages),
        *(_counted(name, did, parameters) for name, did in dids.items()),
    ]
    joins = "".join(f" left join {name} on {name}.id = everybody.id" for name in dids)
    return f"""with {", ".join(listed)}
select everybody.id from everybody {_NOW[cohort.unit]}{joins}
where {" and ".join(needed)}"""


def _counted(name: str, did: Did, parameters: Parameters) -> str:
    most = "" if did.at_most is None else f" and coalesce({name}.times, 0) <= {parameters.add(did.at_most)}"
    return f"coalesce({name}.times, 0) >= {parameters.add(did.at_least)}{most}"


def _did(did: Did, unit: Subject, as_of: str, parameters: Parameters, internal: str) -> str:
    """How often each one did it; who never did is not among them."""
    asks_bots = any(one.property == "bot" for selection in did.selections for one in conditions(selection.where))
    kept = "true" if asks_bots else "not events.bot"
    fits = " or ".join(f"({_fits(selection, parameters)})" for selection in did.selections)
    return f"""select {_UNIT[unit]} as id, count(*) as times from events {_JOINS[unit]}
        where ({fits}) and {_in_time(did, as_of, parameters)} and {kept} and not {internal} and {_UNIT[unit]} is not null
        group by all"""


def _fits(selection: Selection, parameters: Parameters) -> str:
    name = "true" if selection.event == "*" else f"events.event = {parameters.add(selection.event)}"
    return f"{name} and {compile_filters(selection.where, parameters, ZoneInfo('UTC'))}"


def _in_time(did: Did, as_of: str, parameters: Parameters) -> str:
    bounds = [f"events.time <= {as_of}"]
    if did.last is not None:
        bounds.append(f"events.time >= {as_of} - {parameters.add(did.last)}")
    for sign, moment in ((">=", did.start), ("<", did.end)):
        if moment is not None:
            bounds.append(f"events.time {sign} cast({parameters.add(moment)} as timestamptz)")
    if did.start is not None:
        bounds.append(f"events.month >= {parameters.add(f'{did.start:%Y-%m}')}")
    return " and ".join(bounds)
