"""The events that selections choose: one scan of ``events`` for many patterns, bots and internal traffic left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pyarrow as pa

from funnels.definitions.definition import Internal, Selection
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
    internal: Internal | None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> pa.Table:
    """The rows of ``matches_sql`` as one Arrow table; without ``internal``, internal traffic is among them."""
    if not patterns:
        return MATCHES.empty_table()
    parameters = Parameters()
    ours = "false" if internal is None else condition(engine, internal, parameters)
    text = matches_sql(patterns, ours, parameters, start, end)
    return engine.table(text, parameters.values).cast(MATCHES)


def left_out(
    engine: Engine, patterns: Sequence[Sequence[Selection]], internal: Internal, start: datetime | None, end: datetime
) -> int:
    """How many events would match were they not internal; an event counts once for each pattern."""
    if not patterns:
        return 0
    parameters = Parameters()
    ours = condition(engine, internal, parameters)
    text = matches_sql(patterns, f"(not {ours})", parameters, start, end)
    return int(engine.table(f"select count(*) as events from ({text})", parameters.values)["events"][0].as_py())


def matches_sql(
    patterns: Sequence[Sequence[Selection]],
    internal: str,
    parameters: Parameters,
    start: datetime | None = None,
    end: datetime | None = None,
) -> str:
    """A row per pattern and event that fits at least one of the pattern's selections, in no order; columns of ``MATCHES``.

    ``internal``: the condition of ``funnels.traffic`` that is left out. Only events with ``start <= time < end``; None is
    without limit. Each pattern reads the events of its own names: files are sorted by event, so what is skipped is most.
    """
    if not patterns:
        return "select cast(null as integer) as pattern, event_id, time, actor_id, account_id from events where false"
    limits = "".join(
        f" and time {sign} {parameters.add(limit)}" for limit, sign in ((start, ">="), (end, "<")) if limit is not None
    )
    kept = f"not bot and not {internal}{limits}"
    parts = [
        f"select {number} as pattern, event_id, time, actor_id, account_id from events "
        f"where {_named(pattern, parameters)} and {kept} and ({_any_of(pattern, parameters)})"
        for number, pattern in enumerate(patterns)
    ]
    return " union all ".join(parts)


def _named(pattern: Sequence[Selection], parameters: Parameters) -> str:
    names = sorted({selection.event for selection in pattern})
    return "true" if ANY_EVENT in names else f"event in ({', '.join(map(parameters.add, names))})"


def _any_of(pattern: Sequence[Selection], parameters: Parameters) -> str:
    return " or ".join(f"({_one(selection, parameters)})" for selection in pattern)


def _one(selection: Selection, parameters: Parameters) -> str:
    name = "true" if selection.event == ANY_EVENT else f"event = {parameters.add(selection.event)}"
    return f"{name} and {compile_filters(selection.where, parameters)}"
