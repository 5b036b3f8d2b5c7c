"""Breakdown: which group each case of an outcome belongs to, and the largest groups beside the rest.

Attribution, by the values of ``by`` at the events of a case's witness:
- ``first``: the value at the entry, else the first non-null one along the witness; ``last``: the last non-null one.
- A step (from 0, a required one): the value at its event; cases that did not reach it form the group null. Under order
  ``any`` step k is the witness's k-th event in time, as it is where steps are counted.
- ``all``: a unit counts for a value if a chain exists all of whose events carry it. The matcher runs once more, over lanes:
  a unit's events of one value, with every excluded event of the unit, whatever its value. Groups overlap, so they do not
  sum to the total. In the row ``other`` a unit counts once, by the lane that got farthest.

Of several properties each is attributed by itself (the plan known at the entry, the country known a step later), except
under ``all``, where events carry all values at once. Null is a group of its own. Attribution costs a few array operations
per step, so a breakdown costs little beside the matching; ``all`` costs a second matching.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from funnels.filters import Scalar
from funnels.kernel import Ints
from funnels.lanes import split
from funnels.match import CONVERTED, Codes, Outcome, Rules, Streams, match_streams
from funnels.reading.codes import together
from funnels.stats import Table
from transforms.engine import DEFAULT_LIMITS, Limits

Values = tuple[Scalar | None, ...]  # one per property of `by`
Attribution = Literal["first", "last", "all"] | int
Match = Callable[[Streams, Rules], Outcome]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The cases of ``outcome`` by group: ``values[codes[case]]``.

    ``whole``: of overlapping groups, the outcome of all units, whom the cases' ``owners`` are; else None.
    """

    outcome: Outcome
    codes: Ints
    values: Sequence[Values]
    whole: Outcome | None = None
    owners: Ints | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One row of a breakdown: its cases among the grouping's, and their conversion beside the rest's."""

    values: Values
    other: bool
    outcome: Outcome
    shares: Table


def breakdown(
    outcome: Outcome,
    streams: Streams,
    rules: Rules,
    values: Sequence[Values],
    attribution: Attribution,
    match: Match = match_streams,
    limits: Limits = DEFAULT_LIMITS,
) -> Grouping:
    """The cases by their values: ``values[streams.values[event]]`` (-1: null) are those of ``by`` at an event.

    ``outcome`` must be what ``match`` made of these very streams and rules. Raises ``TooLarge`` where lanes are.
    """
    if attribution == "all":
        return _in_lanes(outcome, streams, rules, values, match, limits)
    return _attributed(in_time(outcome, rules), streams, values, attribution)


def of_units(outcome: Outcome, codes: Ints, values: Sequence[Values]) -> Grouping:
    """Where each unit has one group from the outset: ``codes`` by unit."""
    return Grouping(outcome, codes[outcome.units], values)


def in_time(outcome: Outcome, rules: Rules) -> Outcome:
    """Under order any, the witness's events by time, so that column k is what counts for step k; else as it is."""
    if rules.order != "any":
        return outcome
    rows = np.sort(outcome.witness.astype(np.uint64), axis=1).astype(np.int64)  # -1 is the greatest unsigned number
    return replace(outcome, witness=rows)


def chosen(outcome: Outcome, cases: Rows) -> Outcome:
    """An outcome of some of the cases; ``mature`` and ``trend`` stay those of all."""
    return replace(
        outcome,
        units=outcome.units.take(cases),  # take: rows of the witness are copied thrice as fast as by an index
        levels=outcome.levels.take(cases),
        states=outcome.states.take(cases),
        witness=outcome.witness.take(cases, axis=0),
        entered=outcome.entered.take(cases),
        barred=outcome.barred.take(cases),
    )


def largest(grouping: Grouping, limit: int) -> list[Group]:
    """The ``limit`` groups with most entrants, largest first (then by their values); what is left over as one, ``other``."""
    sizes = np.bincount(grouping.codes, minlength=len(grouping.values))
    listed = _most(sizes, grouping.values, limit)
    places = np.full(len(grouping.values), len(listed), np.min_scalar_type(len(listed)))
    places[listed] = np.arange(len(listed))
    place = places[grouping.codes]
    order = np.argsort(place, kind="stable")  # of 8 or 16 bits, as a rule: a radix sort
    ends = np.cumsum(np.bincount(place, minlength=len(listed) + 1)).tolist()
    total = _converted(grouping.outcome if grouping.whole is None else grouping.whole)
    found = [
        _group(grouping, order[start:end], grouping.values[code], total, other=False)
        for start, end, code in zip([0, *ends], ends[:-1], listed, strict=False)
    ]
    rest = order[ends[-2] if listed else 0 :]
    return [*found, _group(grouping, _once(grouping, rest), (), total, other=True)] if rest.size else found


def _most(sizes: Ints, values: Sequence[Values], limit: int) -> list[int]:
    """The codes of the largest groups in the order of the list; only those at the edge are compared by name."""
    there = np.flatnonzero(sizes)
    edge = int(np.partition(sizes[there], -limit)[-limit]) if there.size > limit else 0
    sure, even = there[sizes[there] > edge].tolist(), there[sizes[there] == edge].tolist()
    taken = [*sure, *nsmallest(limit - len(sure), even, key=lambda code: _name(values[code]))] if edge else sure
    return sorted(taken, key=lambda code: (-int(sizes[code]), _name(values[code])))


def _name(values: Values) -> tuple[tuple[str, str], ...]:
    """A number comes before the text that is written as it is."""
    return tuple(("", "") if value is None else (str(value), type(value).__name__) for value in values)


def _group(grouping: Grouping, cases: Rows, values: Values, total: int, *, other: bool) -> Group:
    """``total``: how many converted in all."""
    outcome = chosen(grouping.outcome, cases)
    entrants, converted = outcome.levels.size, _converted(outcome)
    whole, inside = grouping.outcome, (entrants, converted)
    if grouping.whole is not None and grouping.owners is not None:
        whole, inside = grouping.whole, _of_units(grouping.whole, np.unique(grouping.owners[cases]))
    shares = Table(converted, entrants, total - inside[1], whole.levels.size - inside[0])
    return Group(values, other, outcome, shares)


def _of_units(whole: Outcome, units: Ints) -> tuple[int, int]:
    """How many cases some units (in order) have, and how many of them converted; the outcome's units are in order, too."""
    starts, ends = np.searchsorted(whole.units, units), np.searchsorted(whole.units, units, "right")
    before = np.concatenate([[0], np.cumsum(whole.states == CONVERTED)])
    return int((ends - starts).sum()), int((before[ends] - before[starts]).sum())


def _converted(outcome: Outcome) -> int:
    return int(np.count_nonzero(outcome.states == CONVERTED))


def _attributed(
    outcome: Outcome, streams: Streams, values: Sequence[Values], attribution: Literal["first", "last"] | int
) -> Grouping:
    """Each property by itself, then the combinations that occurred."""
    steps = range(outcome.steps)
    columns = steps if attribution == "first" else steps[::-1] if attribution == "last" else [int(attribution)]
    width = len(values[0]) if values else 1
    if width == 1:
        codes = _along(outcome.witness, streams.values, np.append(np.arange(len(values)), -1), columns)
        return Grouping(outcome, np.where(codes < 0, len(values), codes), [*values, (None,)])
    parts = [_part([one[place] for one in values]) for place in range(width)]
    found = [_along(outcome.witness, streams.values, codes, columns) for codes, _ in parts]
    combinations, rows = together(found)
    names = [tuple(known[code] for (_, known), code in zip(parts, row, strict=True)) for row in rows]
    return Grouping(outcome, combinations.astype(np.int64), names)


def _along(witness: Ints, values: Codes, part: Ints, columns: Sequence[int]) -> Ints:
    """The first code that is not -1 among these columns of the witness; ``part[code of values]``, the last for null."""
    found, open_cases = np.full(len(witness), -1, np.int64), np.arange(len(witness))
    for column in columns:
        if not open_cases.size:
            break
        events = witness[open_cases, column]
        told = part[np.where(events < 0, -1, values[events])]
        found[open_cases] = told
        open_cases = open_cases[told < 0]
    return found


def _part(values: Sequence[Scalar | None]) -> tuple[Ints, list[Scalar | None]]:
    """One property's values numbered: the number per code of the combined values and -1 for null; each number's value,
    with null's last. Of JSON's types true is not 1."""
    numbers: dict[tuple[bool, Scalar], int] = {}
    codes = [-1 if value is None else numbers.setdefault((isinstance(value, bool), value), len(numbers)) for value in values]
    return np.array([*codes, -1]), [*(value for _, value in numbers), None]


def _in_lanes(
    outcome: Outcome, streams: Streams, rules: Rules, values: Sequence[Values], match: Match, limits: Limits
) -> Grouping:
    lanes = split(streams, rules, len(values), limits)
    found = match(lanes.streams, replace(rules, edges=()))
    names = [*values, (None,) * (len(values[0]) if values else 1)]
    return Grouping(in_time(found, rules), lanes.codes[found.units], names, outcome, lanes.owners[found.units])


def _once(grouping: Grouping, cases: Rows) -> Rows:
    """Of a unit that lies in several overlapping groups, the cases of the lane that got farthest."""
    if grouping.owners is None:
        return cases
    found = grouping.outcome
    order = np.lexsort((cases, found.states[cases], -found.levels[cases], grouping.owners[cases]))
    ordered = cases[order]
    _, firsts = np.unique(grouping.owners[ordered], return_index=True)
    return np.sort(cases[np.isin(found.units[cases], found.units[ordered[firsts]])])
