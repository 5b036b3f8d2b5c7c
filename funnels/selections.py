"""The events that selections choose: one scan of ``events`` for many patterns, bots and internal traffic left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pyarrow as pa

from funnels.definition import Internal, Selection
from funnels.filter_sql import Parameters, compile_filters
from funnels.traffic import condition
from ingest.event import EVENTS
from transforms.engine import Engine

ANY_EVENT: Final = "*"
MATCHES: Final = pa.schema(
    [
        pa.field("pattern", pa.int32(), nullable=False),  # place in the given list
        *(EVENTS.field(name) for name in ("event_id", "time", "actor_id", "account_id")),
    ]
)


def matching(
    engine: Engine,
    patterns: Sequence[Sequence[Selection]],
    internal: Internal,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pa.Table:
    """A row per pattern and event that fits at least one of the pattern's selections, in no order.

    Only events with ``start <= time < end``; None is without limit.
    """
    if not patterns:
        return MATCHES.empty_table()
    parameters = Parameters()
    named = {selection.event for pattern in patterns for selection in pattern}
    wanted = "true" if ANY_EVENT in named else f"event in ({', '.join(parameters.add(name) for name in sorted(named))})"
    for limit, sign in ((start, ">="), (end, "<")):
        wanted += "" if limit is None else f" and time {sign} {parameters.add(limit)}"
    parts = [
        f"select {number} as pattern, event_id, time, actor_id, account_id from chosen where {_any_of(pattern, parameters)}"
        for number, pattern in enumerate(patterns)
    ]
    kept = f"not bot and not {condition(engine, internal, parameters)}"
    text = f"with chosen as (select * from events where {kept} and {wanted}) {' union all '.join(parts)}"
    return engine.table(text, parameters.values).cast(MATCHES)


def _any_of(pattern: Sequence[Selection], parameters: Parameters) -> str:
    return " or ".join(f"({_one(selection, parameters)})" for selection in pattern)


def _one(selection: Selection, parameters: Parameters) -> str:
    name = "true" if selection.event == ANY_EVENT else f"event = {parameters.add(selection.event)}"
    return f"{name} and {compile_filters(selection.where, parameters, events='chosen')}"
