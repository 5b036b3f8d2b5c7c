"""From the lake's events to the matcher's arrays: one scan of the columns and rows that a funnel can need.

An event is read if one of its names is asked for, it passes the filters of a step, and it lies where a chain can: from the
first possible entry to the end of the last window, not after ``as_of``. Who did it is laid over it here: the person of its
actor, or its account (its own, else the person's sole membership at that time).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funnels.ask import ANY_EVENT, Choice, Funnel, Step
from funnels.definition import Internal
from funnels.filter_sql import ACCOUNT_NOW, ACCOUNT_THEN, PERSON_NOW, Parameters, compile_filters
from funnels.match import Streams
from funnels.traffic import condition
from funnels.traits_then import joins, uses
from transforms.engine import Engine

_ACTORS: Final = "left join actors on actors.actor_id = events.actor_id"
_MEMBERSHIPS: Final = """left join sole_memberships on sole_memberships.person_id = actors.person_id
    and sole_memberships.since <= events.time
    and (sole_memberships.until is null or events.time < sole_memberships.until)"""
_ACCOUNT: Final = "coalesce(events.account_id, sole_memberships.account_id)"
_PERSON_NOW: Final = f"left join people as {PERSON_NOW} on {PERSON_NOW}.person_id = actors.person_id"
_ACCOUNT_NOW: Final = f"left join accounts as {ACCOUNT_NOW} on {ACCOUNT_NOW}.account_id = {_ACCOUNT}"


@dataclass(frozen=True, slots=True)
class Found:
    """The streams, and how many matching events in the time read are not in them."""

    streams: Streams
    without_unit: int
    bots: int
    internal: int  # that are no bots'


def read_streams(engine: Engine, funnel: Funnel, as_of: datetime, internal: Internal) -> Found:
    """The streams of a funnel. The engine holds ``events``, ``actors``, ``sole_memberships``, ``people`` and ``accounts``.

    Bots are left out unless a filter asks about ``bot``, internal traffic unless the funnel includes it.
    """
    parameters = Parameters()
    left_out = condition(engine, internal, parameters) if funnel.internal == "exclude" else "false"
    rows = engine.table(streams_sql(funnel, as_of, parameters, left_out), parameters.values)
    bots = rows["bot"].to_numpy() if "bot" not in funnel.properties else np.zeros(len(rows), np.bool_)
    ours = rows["internal"].to_numpy() & ~bots
    known = rows["unit"].is_valid().to_numpy()
    out = bots | ours
    chosen = rows.filter(pa.array(known & ~out)) if out.any() or not known.all() else rows
    return Found(_as_streams(chosen), int((~known & ~out).sum()), int(bots.sum()), int(ours.sum()))


def streams_sql(funnel: Funnel, as_of: datetime, parameters: Parameters, internal: str = "false") -> str:
    """The query: a row per event that serves a step, in no order; ``mask`` has bit k set where it serves step k.

    ``internal``: the condition of ``funnels.traffic``.
    """
    steps = " | ".join(
        f"case when {_step(step, funnel, parameters)} then {1 << number} else 0 end"
        for number, step in enumerate(funnel.steps)
    )
    unit = "actors.person_id" if funnel.unit == "person" else _ACCOUNT
    return f"""
with served as (
    select {unit} as unit, epoch_us(events.time) as time, events.bot as bot, {internal} as internal, {steps} as mask
    from events
    {" ".join(_joins(funnel, parameters))}
    where {_in_time(funnel, as_of, parameters)} and {_named(funnel, parameters)}
        and {compile_filters(funnel.where, parameters, funnel.zone)}
)
select unit, time, cast(mask as bigint) as mask, bot, internal from served where mask <> 0"""


def missing_names(engine: Engine, names: Sequence[str]) -> dict[str, list[str]]:
    """Of event names, those that never occurred, each with every name that did (for the nearest to be picked)."""
    occurred = set(engine.table("select distinct event from events").column(0).to_pylist()) if names else set()
    return {name: sorted(occurred) for name in names if name not in occurred}


def _joins(funnel: Funnel, parameters: Parameters) -> list[str]:
    asked = funnel.properties
    account_now = uses(ACCOUNT_NOW, asked)
    wanted = [
        (True, _ACTORS),
        (account_now or uses(ACCOUNT_THEN, asked) or funnel.unit == "account", _MEMBERSHIPS),
        (uses(PERSON_NOW, asked), _PERSON_NOW),
        (account_now, _ACCOUNT_NOW),
    ]
    then = joins(asked, parameters, person="actors.person_id", account=_ACCOUNT)
    return [*(join for needed, join in wanted if needed), *then]


def _in_time(funnel: Funnel, as_of: datetime, parameters: Parameters) -> str:
    """Where a chain can lie. The month of an event is that of its time (later for times before the first month)."""
    last = as_of if funnel.end > as_of else min(as_of, funnel.end + funnel.window)
    first, end = parameters.add(funnel.start), parameters.add(last)
    months = parameters.add(f"{funnel.start:%Y-%m}")
    return (
        f"events.time >= cast({first} as timestamptz) and events.time <= cast({end} as timestamptz)"
        f" and events.month >= {months}"
    )


def _named(funnel: Funnel, parameters: Parameters) -> str:
    if funnel.takes_any_event:
        return "true"
    return f"events.event in ({', '.join(parameters.add(name) for name in funnel.event_names)})"


def _step(step: Step, funnel: Funnel, parameters: Parameters) -> str:
    choices = " or ".join(f"({_choice(choice, funnel, parameters)})" for choice in step.choices)
    return f"({choices}) and {compile_filters(step.where, parameters, funnel.zone)}"


def _choice(choice: Choice, funnel: Funnel, parameters: Parameters) -> str:
    name = "true" if choice.event == ANY_EVENT else f"events.event = {parameters.add(choice.event)}"
    return f"{name} and {compile_filters(choice.where, parameters, funnel.zone)}"


def _as_streams(rows: pa.Table) -> Streams:
    """Number the units and put each one's events in order of time."""
    encoded = pc.dictionary_encode(rows["unit"].combine_chunks())
    units = encoded.indices.to_numpy().astype(np.int32)
    times, masks = rows["time"].to_numpy(), rows["mask"].to_numpy()
    order = np.lexsort((times, units))
    return Streams(units[order], times[order], masks[order], len(encoded.dictionary))
