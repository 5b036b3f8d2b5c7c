"""From the lake's events to the matcher's arrays: one scan of the columns and rows that a funnel can need.

An event is read if one of its names is asked for, it passes the filters of a step, and it lies where a chain can: from the
first possible entry to the end of the last window, not after ``as_of``. Who did it is laid over it here: the person of its
actor, its account (its own, else the person's sole membership at that time), or its session. ``stream_sql`` is the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from funnels.bounds import in_turn, table_within
from funnels.kernel import Ints
from funnels.match import Outcome, Rules, Streams
from funnels.reading import direct, scan
from funnels.reading.codes import Value, held_codes, value_codes
from funnels.reading.parts import Matched, as_streams, match_part, match_parts, with_witnesses
from funnels.reading.session_units import session_names
from funnels.reading.stream_sql import Query
from funnels.reading.tags import TooMany
from funnels.reading.texts import NO_TEXTS, Texts
from funnels.reading.ties import by_ids, differing, on_witnesses
from funnels.reading.valued import Which, of_witnesses
from transforms.engine import Engine, Limits

_PEOPLE: Final = "select distinct person_id as unit, person as id from actors where person_id in (select unit from listed)"


@dataclass(frozen=True, slots=True)
class Found:
    """The streams, and how many matching events in the time read are not in them."""

    streams: Streams
    groups: Sequence[tuple[Value, ...]]  # by code of ``streams.values``
    without_unit: int
    bots: int
    internal: int  # that are no bots'
    units: pa.Array  # by code: person_id, account_id, or the number of a session
    event_ids: Texts = NO_TEXTS  # parallel to the streams' events, where they were asked for
    outcome: Outcome | None = None  # of streams that were matched as they were read


def read_streams(engine: Engine, query: Query, limits: Limits, rules: Rules | None = None) -> Found:
    """The streams of a funnel. The engine holds what ``adhoc.Source`` puts into it.

    Bots are left out unless the question asks about ``bot``, internal traffic unless the funnel includes it. ``rules``: the
    streams may be matched as they are read, and then hold the witnesses' events alone. Raises ``TooLarge``.
    """
    plan = direct.plan_of(query)
    if plan is not None and not (rules is None and query.groups_by):
        try:
            with in_turn(engine, limits):
                return _direct(direct.Reading(engine, query, plan, limits), rules)
        except TooMany:
            pass
    return _queried(engine, query, limits)


def _queried(engine: Engine, query: Query, limits: Limits) -> Found:
    if query.prepare is not None:
        query.prepare()
    rows = table_within(engine, query.text(), query.parameters.values, limits)
    bots = np.zeros(len(rows), np.bool_) if query.takes_bots else rows["bot"].to_numpy()
    ours = rows["internal"].to_numpy() & ~bots
    known = rows["unit"].is_valid().to_numpy()
    out = bots | ours
    chosen = rows.filter(pa.array(known & ~out)) if out.any() or not known.all() else rows
    return _found(chosen, query, int((~known & ~out).sum()), int(bots.sum()), int(ours.sum()))


def _direct(reading: direct.Reading, rules: Rules | None) -> Found:
    """Without a query."""
    groups: Sequence[tuple[Value, ...]] = ()
    codes: NDArray[np.integer]
    by = reading.query.funnel.breakdown
    if rules is None or (by is not None and by.attribution == "all"):
        whole = reading.whole()
        streams, codes, outcome = as_streams(whole), whole.codes, None
        if by is not None:
            found = reading.values.of(Which(whole.values, whole.codes[whole.units], whole.times))
            values, groups = reading.values.groups(found)
            streams = replace(streams, values=values)
    else:
        matched = match_parts(reading.parts(), rules, reading.apart, reading.match)
        if by is not None:
            matched, groups = _valued(reading, matched, rules)
        streams, codes, outcome = matched.streams, matched.codes, matched.outcome
    counts = reading.counts
    told = (counts.without_unit, counts.bots, counts.internal, reading.units(codes))
    return Found(streams, groups, *told, NO_TEXTS, outcome)


def _valued(reading: direct.Reading, matched: Matched, rules: Rules) -> tuple[Matched, Sequence[tuple[Value, ...]]]:
    """With the values of witnesses in place of their rows' numbers, and what the values are."""
    by, values = reading.query.funnel.breakdown, reading.values
    assert by is not None
    doubted = on_witnesses(reading.doubted, matched) if reading.doubted else []
    doubted = [one for part in doubted for one in differing(part, values)]
    if doubted:
        matched = with_witnesses(matched, match_part(by_ids(doubted, reading.ids), rules, reading.match))
    streams = matched.streams
    which = Which(streams.values, matched.codes[streams.units], streams.times)
    codes, groups = values.groups(of_witnesses(matched.outcome, rules, which, by.attribution, values, len(by.by)))
    return replace(matched, streams=replace(streams, values=codes)), groups


def unit_names(engine: Engine, unit: str, units: pa.Array) -> list[str]:
    """The public ids of units, in their order: ``user:42``, an account's id, the first event of a session."""
    if unit == "account":
        return [str(one) for one in units.to_pylist()]
    if unit == "session":
        named = session_names(engine, units)
    else:
        engine.bind("listed", pa.table({"unit": units}))
        named = engine.table(_PEOPLE)
    places = pc.index_in(units, named["unit"].combine_chunks())
    return [str(one) for one in named["id"].take(places).to_pylist()]


def missing_names(engine: Engine, names: Sequence[str]) -> dict[str, list[str]]:
    """Of event names, those that never occurred, each with every name that did (for the nearest to be picked)."""
    version = engine.versions["events"]
    events = None if version is None else scan.table(engine.lake, engine.project, version)
    doubtful = [name for name in names if events is None or not events.has(name)]
    if not doubtful:
        return {}
    occurred = set(engine.table("select distinct event from events").column(0).to_pylist())
    return {name: sorted(occurred) for name in doubtful if name not in occurred}


def _found(rows: pa.Table, query: Query, without_unit: int, bots: int, internal: int) -> Found:
    """Number the units and put each one's events in order of time, within an instant of their ids where those matter."""
    encoded = pc.dictionary_encode(rows["unit"].combine_chunks())
    units, times = encoded.indices.to_numpy().astype(np.int32), rows["time"].to_numpy()
    order = np.lexsort((times, units))
    if query.ids:
        ranks = pc.rank(rows["event_id"].combine_chunks(), tiebreaker="dense").to_numpy()
        order = np.lexsort((ranks, times, units))
    count = len(encoded.dictionary)
    values, groups = _values(rows, query)
    streams = Streams(
        units[order],
        times[order],
        rows["mask"].to_numpy()[order],
        count,
        bars=rows["bars"].to_numpy()[order] if query.funnel.exclude else np.zeros(0, np.int64),
        held=_held(rows, query)[order] if query.funnel.hold else np.zeros(0, np.int32),
        instants=_narrow(rows, "instant")[order] if "instant" in rows.column_names else np.zeros(0, np.int32),
        last_instant=_per_unit(rows, "last_instant", units, count).astype(np.int32),
        spent=_per_unit(rows, "spent", units, count),
        values=values[order] if query.groups_by else values,
    )
    ids = Texts(rows["event_id"].combine_chunks().take(pa.array(order))) if query.with_ids else NO_TEXTS
    return Found(streams, groups, without_unit, bots, internal, encoded.dictionary, ids)


def _held(rows: pa.Table, query: Query) -> NDArray[np.int32]:
    return held_codes([rows[f"held{number}"] for number in range(len(query.funnel.hold))])


def _values(rows: pa.Table, query: Query) -> tuple[NDArray[np.int32], Sequence[tuple[Value, ...]]]:
    if not query.groups_by:
        return np.zeros(0, np.int32), ()
    return value_codes([rows[f"value{number}"] for number in range(len(query.groups_by))])


def _narrow(rows: pa.Table, column: str) -> NDArray[np.int32]:
    return np.asarray(rows[column].to_numpy(), np.int32)


def _per_unit(rows: pa.Table, column: str, units: NDArray[np.int32], count: int) -> Ints:
    """A column that is the same for all events of a unit, by unit."""
    if column not in rows.column_names:
        return np.zeros(0, np.int64)
    found = np.zeros(count, np.int64)
    found[units] = rows[column].to_numpy()
    return found
