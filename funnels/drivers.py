"""Drivers: which properties, and which other events, go with getting from one step of a funnel to a later one.

    {"steps": [...], ..., "drivers": {"from": 1, "to": 3, "period": "1d", "limit": 50}}

Who is compared: units that reached step ``from`` (default the first), entered while their whole window is over (the mature
range, so that nobody's conversion is still to come); converted is who reached step ``to`` (default the last).

- A property (of the event at step ``from``, or a trait of the person or account as it was then) splits all of them: those
  with a value, or with any value at all, against the rest.
- An event splits them at a landmark (Anderson, Cain and Gelber 1983, Journal of Clinical Oncology 1): did it happen in the
  first ``period`` after step ``from``? Only units that had not reached step ``to`` by then, and still could, are compared,
  by whether they did later. So both sides had the same time to do it: without a landmark, who converts at once has no time
  for anything else, and who takes long has time for everything, and time alone would look like a driver. ``period`` is, by
  default, the time in which a quarter of the conversions happen, at most half of the window (or of the first
  ``within`` on the way). The events of the steps between are no candidates: they are the way itself.

Going with is not causing: whoever means to convert may do the event for that reason.

Thousands of candidates make some shine by chance. So units are halved by a hash of their id. On one half a driver is found:
its p-value (Fisher's exact or chi-square) corrected over all candidates (Benjamini-Hochberg) below 0.05. On the other half,
which had no part in finding it, it is confirmed: p below 0.05, in the same direction. Both halves' figures are told.

A candidate needs 30 units on either side, or 1 % of all where that is more; of a property the 20 most frequent values stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from funnels.adhoc import Source, data_of
from funnels.as_rules import rules_of
from funnels.ask import ANY_EVENT
from funnels.driver_question import DriverQuestion, longest_period, question_as_json
from funnels.driver_sql import Span, count_events, count_halves, count_properties, make_entries
from funnels.filter_sql import Parameters
from funnels.groups import chosen, in_time
from funnels.kernel import Ints
from funnels.match import Outcome, Rules, match_streams
from funnels.reading.streams import Found, read_streams
from funnels.restate import definition
from funnels.stats import Table, corrected, ratio
from funnels.steps import Json, reached_by
from funnels.times import iso
from funnels.traffic import condition
from ingest.numbers import loads
from transforms.engine import Engine

LEAST: Final = 30  # units on either side
ALPHA: Final = 0.05
COLUMNS: Final = ("kind", "property", "op", "value", "event", "confirmed", "significant", "p_corrected")  # of its items
_SECOND: Final = timedelta(seconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A property's value (or, op ``is_set``, that it has one) or an event: on the half that finds, and on the other."""

    name: Json
    found: Table
    held: Table


def explained() -> str:
    """How drivers are found, for readers of the API."""
    return (__doc__ or "").strip()


def drivers(source: Source, question: DriverQuestion) -> Json:
    """The candidates that go with converting most surely first: those confirmed, then those found, then the others."""
    as_of = source.as_of(question.funnel)
    funnel = replace(
        question.funnel, end=max(question.funnel.start, min(question.funnel.end, as_of - question.funnel.window))
    )
    rules = rules_of(funnel, as_of)
    with source.engine() as engine:
        found = read_streams(engine, source.asking(engine, funnel).query(with_ids=True), source.limits)
        outcome = in_time(match_streams(found.streams, rules), rules)
        cases = chosen(outcome, np.flatnonzero(reached_by(outcome, question.start, rules)))
        period = question.period or _quarter(cases, question, rules)
        converted = reached_by(cases, question.end, rules)
        at_risk = _at_risk(cases, question, rules, period)
        span = make_entries(engine, _cases(cases, found, question, converted, at_risk), funnel)
        candidates = list(_candidates(engine, source, question, span, period, converted.size))
    risen, all_converted = int(np.count_nonzero(at_risk)), int(np.count_nonzero(converted))
    return {
        "from": question.start + 1,
        "to": question.end + 1,
        "entries": {"from": iso(rules.start), "to": iso(rules.end)},
        "entrants": int(converted.size),
        "converted": all_converted,
        "conversion": ratio(all_converted, converted.size),
        "period_seconds": period / _SECOND,
        "at_risk": {"entrants": risen, "converted": int(np.count_nonzero(at_risk & converted))},
        "candidates": len(candidates),
        "items": rows_of(candidates)[: question.limit],
        "definition": {**definition(question.funnel, as_of), "drivers": question_as_json(question)},
        "warnings": _warnings(question, converted.size, all_converted),
        "as_of": iso(as_of),
        "data": data_of(source, found),
    }


def _cases(
    cases: Outcome, found: Found, question: DriverQuestion, converted: NDArray[np.bool_], at_risk: NDArray[np.bool_]
) -> pa.Table:
    events = cases.witness[:, question.start]
    return pa.table(
        {
            "unit": found.units.take(pa.array(cases.units)),
            "event_id": found.event_ids.at(events),
            "time": pa.array(cases.event_times[events] if events.size else np.zeros(0, np.int64)),
            "converted": pa.array(converted),
            "at_risk": pa.array(at_risk),
        }
    )


def _at_risk(cases: Outcome, question: DriverQuestion, rules: Rules, period: timedelta) -> NDArray[np.bool_]:
    """Who had not converted by the landmark, and still could."""
    times = cases.times
    landmark = times[:, question.start] + period // _MICROSECOND
    waiting = ~reached_by(cases, question.end, rules) | (times[:, question.end] > landmark)
    in_window: NDArray[np.bool_] = landmark < times[:, 0] + rules.window // _MICROSECOND
    return waiting & in_window


def _quarter(cases: Outcome, question: DriverQuestion, rules: Rules) -> timedelta:
    """The time in which a quarter of the conversions happen, from a second to the longest period."""
    converted = reached_by(cases, question.end, rules)
    taken: Ints = cases.times[converted, question.end] - cases.times[converted, question.start]
    quarter = timedelta(microseconds=int(np.quantile(taken, 0.25))) if taken.size else timedelta()
    return min(max(quarter, _SECOND), longest_period(question))


def _candidates(
    engine: Engine, source: Source, question: DriverQuestion, span: Span, period: timedelta, total: int
) -> Iterator[Candidate]:
    rows = count_halves(engine).to_pylist()
    support = max(LEAST, -(-total // 100))
    for row in count_properties(engine, support, total).to_pylist():
        value = None if row["value"] is None else loads(row["value"])
        told = {"property": row["property"], "op": "is_set" if value is None else "eq", "value": value, "event": None}
        yield Candidate({"kind": "property", **told}, *_tables(row, rows))
    waiting = [row for row in rows if row["at_risk"]]
    parameters, funnel = Parameters(), question.funnel
    ours = "false" if funnel.internal == "include" else condition(engine, source.internal, parameters)
    way = [choice.event for step in funnel.steps[question.start : question.end + 1] for choice in step.choices]
    left = sum(row["found"] + row["held"] for row in waiting)
    names = set(way) - {ANY_EVENT}
    for row in count_events(engine, funnel, span, period, names, ours, parameters, support, left).to_pylist():
        named = {"property": None, "op": None, "value": None, "event": row["event"]}
        yield Candidate({"kind": "event", **named}, *_tables(row, waiting))


def _tables(row: Mapping[str, int], totals: Sequence[Mapping[str, int]]) -> tuple[Table, Table]:
    """Those with it and those without it, of either half."""
    whole = {name: sum(one[name] for one in totals) for name in ("found", "found_converted", "held", "held_converted")}
    found, held = (
        Table(
            row[f"{half}_converted"],
            row[half],
            whole[f"{half}_converted"] - row[f"{half}_converted"],
            whole[half] - row[half],
        )
        for half in ("found", "held")
    )
    return found, held


def rows_of(candidates: Sequence[Candidate]) -> list[Json]:
    """A row per candidate, corrected over all of them, surest first: confirmed, then significant, then the others."""
    p_values = corrected([one.found.p_value() for one in candidates])
    rows = [_row(one, p) for one, p in zip(candidates, p_values, strict=True)]
    return sorted(rows, key=lambda row: (not row["confirmed"], not row["significant"], _p(row), str(row)))


def _p(row: Json) -> float:
    p = row["p_corrected"]
    return p if isinstance(p, float) else 2.0


def _row(one: Candidate, p_corrected: float | None) -> Json:
    significant = p_corrected is not None and p_corrected < ALPHA
    again = one.held.p_value()
    confirmed = significant and again is not None and again < ALPHA and _raises(one.found) == _raises(one.held)
    return {
        **one.name,
        "confirmed": confirmed,
        "significant": significant,
        "p_corrected": p_corrected,
        "found": _half(one.found),
        "held_out": _half(one.held),
    }


def _raises(table: Table) -> bool:
    """Whether the share is greater here than among the rest."""
    return table.part * table.other_whole > table.other_part * table.whole


def _half(table: Table) -> Json:
    """``lift``: the conversion with it over that without it. The odds ratio's interval is at 95 %."""
    odds = table.odds_ratio()
    here, rest = ratio(table.part, table.whole), ratio(table.other_part, table.other_whole)
    return {
        "with": {"entrants": table.whole, "converted": table.part, "conversion": here},
        "without": {"entrants": table.other_whole, "converted": table.other_part, "conversion": rest},
        "lift": None if here is None or not rest else here / rest,
        "odds_ratio": None if odds is None else odds[0],
        "interval": None if odds is None else list(odds[1:]),
        "p_value": table.p_value(),
    }


def _warnings(question: DriverQuestion, entrants: int, converted: int) -> list[str]:
    if entrants < 4 * LEAST:
        return [f"{entrants} units whose window is over reached step {question.start + 1}: too few to tell drivers by"]
    if converted in (0, entrants):
        return ["nobody converted" if converted == 0 else "everybody converted"]
    return []
