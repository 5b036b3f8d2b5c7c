"""What may go with converting, counted in SQL: one row per candidate, with its cases and conversions in either half.

Properties are those that a case's event at the first step carried, or that its person and account had by then (identify and
group calls until that moment): nothing that conversion itself may have brought. Values are JSON texts. Keys with a dot, and
lists and objects, are no candidates: no filter could name them, or they are no values.

Each query hands out at most ``CANDIDATES`` rows; DuckDB counts, and spills, within the question's memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from funnels.ask import Funnel
from funnels.filter_sql import Parameters
from funnels.reading.stream_sql import ACCOUNT, ACTORS, MEMBERSHIPS, PERSON
from transforms.engine import Engine

Span = tuple[datetime, datetime]  # both ends included

VALUES: Final = 20  # of one property, the most frequent
CANDIDATES: Final = 2000
COLUMNS: Final = (
    "source", "library", "page_path", "page_referrer", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "device", "os", "browser", "locale", "app_version", "country",
)  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SCALARS: Final = "('VARCHAR', 'BIGINT', 'UBIGINT', 'DOUBLE', 'BOOLEAN')"
_COUNTS: Final = """
    count(*) filter (half = 0) as found, count(*) filter (half = 0 and converted) as found_converted,
    count(*) filter (half = 1) as held, count(*) filter (half = 1 and converted) as held_converted"""
_UNIT: Final[Mapping[str, str]] = {"person": PERSON, "account": ACCOUNT}


def make_entries(engine: Engine, cases: pa.Table, funnel: Funnel) -> Span:
    """The relation ``entries``: each case with what its event at the first step said; the time between these events.

    ``cases``: unit, event_id, time (microseconds), converted, at_risk. A case's half, 0 or 1, is a bit of a hash of its
    unit's id.
    """
    parameters, span = Parameters(), _span(cases, funnel)
    engine.bind("cases", cases)
    names = [] if funnel.takes_any_event else funnel.event_names
    named = f"events.event in ({', '.join(map(parameters.add, names))})" if names else "true"
    columns = ", ".join(f"events.{name}" for name in COLUMNS)
    half = "cast(md5_number_lower(cast(cases.unit as varchar)) & 1 as tinyint)"
    text = f"""
select cases.unit, {half} as half, cases.converted, cases.at_risk,
    events.time as "at", {PERSON} as person_id, {ACCOUNT} as account_id, events.properties, {columns}
from cases
join events on events.event_id = cases.event_id
{ACTORS} {MEMBERSHIPS}
where {named} and {_in_time(span, parameters)}"""
    engine.make("entries", text, parameters.values)
    return span


def _span(cases: pa.Table, funnel: Funnel) -> Span:
    if not len(cases):
        return funnel.start, funnel.start
    bounds = pc.min_max(cases["time"]).as_py()
    first, last = (_EPOCH + timedelta(microseconds=bounds[name]) for name in ("min", "max"))
    return first, last


def count_halves(engine: Engine) -> pa.Table:
    """One row per ``at_risk``: the cases and conversions of either half."""
    return engine.table(f"select at_risk, {_COUNTS} from entries group by at_risk")


def count_properties(engine: Engine, support: int, total: int) -> pa.Table:
    """Rows of property, value (null: that it is set at all) and counts, for which and without which there is support."""
    columns = [f"select '{name}' as property, cast(to_json({name}) as varchar) as value, half, converted from entries"
               f" where {name} is not null" for name in COLUMNS]  # fmt: skip
    told = " union all ".join([*columns, _EVENT, _PERSON, _ACCOUNT])
    text = f"""
with told as ({told}),
counted as (select property, value, {_COUNTS} from told group by property, value),
presence as (
    select property, cast(null as varchar) as value, cast(sum(found) as bigint) as found,
        cast(sum(found_converted) as bigint) as found_converted, cast(sum(held) as bigint) as held,
        cast(sum(held_converted) as bigint) as held_converted
    from counted group by property
),
frequent as (
    select * from counted where found + held >= $support
    qualify row_number() over (partition by property order by found + held desc, value) <= {VALUES}
)
select * from (from frequent union all from presence)
where found + held between $support and $total - $support
order by found + held desc, property, value limit {CANDIDATES}"""
    return engine.table(text, {"support": support, "total": total})


def count_events(
    engine: Engine,
    funnel: Funnel,
    span: Span,
    period: timedelta,
    without: Collection[str],
    internal: str,
    parameters: Parameters,
    support: int,
    total: int,
) -> pa.Table:
    """Rows of event and counts: which cases at risk had it after their first step, within ``period``.

    ``without``: names that are no candidates. ``internal``: the condition of ``funnels.traffic``, whose values are in
    ``parameters``. Bots' events do not count.
    """
    unit = _UNIT[funnel.unit]
    joins = ACTORS if funnel.unit == "person" else f"{ACTORS} {MEMBERSHIPS}"
    others = [parameters.add(name) for name in sorted(without)]
    named = f"events.event not in ({', '.join(others)})" if others else "true"
    text = f"""
with did as (
    select distinct events.event, entries.unit, entries.half, entries.converted
    from events
    {joins}
    join entries on entries.unit = {unit} and events.time > entries."at"
        and events.time <= entries."at" + {parameters.add(period)}
    where entries.at_risk and events.kind in ('track', 'page', 'screen') and {named} and not events.bot and not {internal}
        and {_in_time((span[0], span[1] + period), parameters)}
),
counted as (select event, {_COUNTS} from did group by event)
select * from counted
where found + held between {parameters.add(support)} and {parameters.add(total - support)}
order by found + held desc, event limit {CANDIDATES}"""
    return engine.table(text, parameters.values)


def _in_time(span: Span, parameters: Parameters) -> str:
    """The month of an event is that of its time (later for times before the first month)."""
    first, last = (f"cast({parameters.add(moment)} as timestamptz)" for moment in span)
    return f"events.time >= {first} and events.time <= {last} and events.month >= {parameters.add(f'{span[0]:%Y-%m}')}"


_EVENT: Final = f"""
select 'properties.' || each.key as property, cast(each.value as varchar) as value, entries.half, entries.converted
from entries, json_each(entries.properties) as each
where each.type in {_SCALARS} and each.key <> '' and not contains(each.key, '.')"""

# A trait's value by then is that of the latest call until then that names it; of two at one instant that of the greater id.
_TRAITS: Final = """
select '{root}.' || key as property, cast(value as varchar) as value, half, converted from (
    select told.key, entries.unit, entries.half, entries.converted,
        max_by(told.value, struct_pack("at" := told.time, id := told.event_id)) as value,
        max_by(told.type, struct_pack("at" := told.time, id := told.event_id)) as type
    from entries join (
        select {subject} as subject, events.time, events.event_id, each.key, each.value, each.type
        from events {joins}, json_each(events.properties) as each
        where events.kind = '{kind}' and {subject} in (select {own} from entries)
            and each.key <> '' and not contains(each.key, '.')
    ) as told on told.subject = entries.{own} and told.time <= entries."at"
    group by told.key, entries.unit, entries.half, entries.converted
) where type in {scalars}"""
_PERSON: Final = _TRAITS.format(
    root="person", subject=PERSON, joins=f"join {ACTORS.removeprefix('left join ')}", kind="identify", own="person_id",
    scalars=_SCALARS,
)  # fmt: skip
_ACCOUNT: Final = _TRAITS.format(
    root="account", subject="events.account_id", joins="", kind="group", own="account_id", scalars=_SCALARS
)
