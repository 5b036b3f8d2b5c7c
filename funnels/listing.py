"""Who stands behind a number of the chart: ``POST /api/funnel/people``.

    {"steps": [...], ..., "state": "dropped", "step": 2, "group": ["free"], "limit": 50, "after": "next of the page before"}

A row is one case: a unit, or an attempt of one, with the times of its witness; ordered by the witness's entry, then by id.
A list is as long as its number in the chart, because both are read from the same outcome. Pages fit together because the
cursor keeps what the first page was read from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from funnels.adhoc import Matched, Source, data_of, match
from funnels.as_rules import rules_of
from funnels.ask import Funnel
from funnels.errors import Faults
from funnels.filters import Scalar
from funnels.groups import Values, chosen, in_time, largest
from funnels.kernel import Ints
from funnels.match import CONVERTED, EXCLUDED, LOST, NEVER, PENDING, Outcome
from funnels.reader import Reader
from funnels.reading.streams import read_streams, unit_names
from funnels.request import KEYS, MAX_BY, NOTHING, Known, body_of, read
from funnels.steps import Json, last_steps, reached_by
from funnels.times import iso_of

State = Literal["reached", "dropped", "converted", "pending", "excluded", "lost"]
STATES: Final[tuple[State, ...]] = get_args(State)
OF_STEP: Final = ("reached", "dropped")
MOST: Final = 1000
OWN_KEYS: Final = ("state", "step", "group", "limit", "after")
COLUMNS: Final = ("unit", "state", "entered", "reached")
_CODES: Final = {"converted": CONVERTED, "pending": PENDING, "excluded": EXCLUDED, "lost": LOST}
_NAMES: Final = {code: name for name, code in _CODES.items()}
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ListQuestion:
    """A funnel, and which of its cases are listed.

    ``step`` counts from 0; ``group`` holds the values of a row of the breakdown, () is the row other.
    """

    funnel: Funnel
    state: State
    step: int | None = None
    group: Values | None = None
    limit: int = 50
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """``last``: the entry (microseconds since 1970) and id of the last item, None on the last page."""

    items: list[Json]
    total: int
    last: tuple[int, str] | None
    data: Json
    as_of: datetime


def parse_list(body: object, known: Known = NOTHING) -> ListQuestion:
    """Raises ``BadRequest`` with every fault."""
    found, faults = body_of(body), Faults()
    faults.unknown_keys(found, (*KEYS, *OWN_KEYS), "")
    funnel, reader = read(found, known, faults), Reader(found, "", faults)
    state = reader.maybe_one_of("state", STATES)
    if found.get("state") is None:
        faults.add("state", None, STATES, f"name the state: {', '.join(STATES)}")
    question = ListQuestion(
        funnel,
        state or "converted",
        _step(reader, state, funnel),
        _group(reader, funnel),
        reader.number("limit", 1, MOST, 50),
        reader.text("after"),
    )
    faults.raise_any()
    return question


def _step(reader: Reader, state: State | None, funnel: Funnel) -> int | None:
    found, steps = reader.found.get("step"), max(len(funnel.steps), 1)
    if state in OF_STEP and found is None:
        reader.faults.add("step", None, [f"1 to {steps}"], f"{state} needs the number of a step")
    if state is not None and state not in OF_STEP and found is not None:
        reader.faults.add("step", found, [None], f"step goes with {' and '.join(OF_STEP)}, not with {state}")
    return None if found is None else reader.number("step", 1, steps, 1) - 1


def _group(reader: Reader, funnel: Funnel) -> Values | None:
    found, by = reader.found.get("group"), funnel.breakdown
    if found is None:
        return None
    if by is None:
        reader.faults.add("group", found, [None], "group names a row of a breakdown; this question has none")
        return None
    values = reader.items("group", MAX_BY, "values")
    if len(values) not in (0, len(by.by)):
        count = len(by.by)
        reader.faults.add(
            "group", found, [f"{count} values", []], f"write the {count} values of a group, or [] for the row other"
        )
    return tuple(_value(value, number, reader.faults) for number, value in enumerate(values))


def _value(found: object, number: int, faults: Faults) -> Scalar | None:
    if found is None or isinstance(found, str | int | float | bool):
        return found
    faults.add(
        f"group[{number}]", found, ["a value as in the answer's groups"], "write one text, number, true, false or null"
    )
    return None


def page(source: Source, question: ListQuestion, after: tuple[int, str] | None = None) -> Page:
    """The items that come after this entry and id; ``source`` must be the first page's."""
    request = question.funnel
    with source.engine() as engine:
        asking, rules = source.asking(engine, request, named=True), rules_of(request, source.as_of(request))
        found = read_streams(engine, asking.query(), source.limits, rules)
        matched = match(request, found, rules, source.limits)
        outcome, owners = listed(matched, question)
        cases = _upcoming(outcome, after, question.limit)
        names = unit_names(engine, request.unit, found.units.take(pa.array(owners[cases])))
    entries = _entries(outcome)[cases].tolist()
    order = sorted((key, case) for key, case in zip(zip(entries, names, strict=True), cases.tolist(), strict=True))
    rest = [(key, case) for key, case in order if after is None or key > after]
    shown = rest[: question.limit]
    items = [_item(outcome, case, key[1]) for key, case in shown]
    last = shown[-1][0] if len(rest) > len(shown) else None
    return Page(items, outcome.levels.size, last, data_of(source, found), matched.rules.as_of)


def listed(matched: Matched, question: ListQuestion) -> tuple[Outcome, Ints]:
    """The cases that the chart counts for this state, step and group, and each one's unit."""
    outcome = in_time(matched.outcome, matched.rules)
    owner = np.arange(int(outcome.units.max(initial=-1)) + 1)
    if question.group is not None and matched.grouping is not None:
        outcome, owner = _of_group(matched, question)
    outcome = _chosen(outcome, _in_state(outcome, matched, question))
    return outcome, owner[outcome.units]


def _of_group(matched: Matched, question: ListQuestion) -> tuple[Outcome, Ints]:
    """The cases of one group; of overlapping groups a case's unit is a lane, whose owner is the unit."""
    grouping, by = matched.grouping, question.funnel.breakdown
    assert grouping is not None and by is not None
    owner = np.arange(int(grouping.outcome.units.max(initial=-1)) + 1)
    if grouping.owners is not None:
        owner[grouping.outcome.units] = grouping.owners
    other = question.group == ()
    groups = largest(grouping, by.limit if other else max(len(grouping.values), 1))
    for group in groups:
        if group.other == other and _same(group.values, question.group or ()):
            return group.outcome, owner
    return _chosen(grouping.outcome, np.zeros(grouping.outcome.levels.size, np.bool_)), owner


def _same(one: Values, other: Values) -> bool:
    """Of JSON's types true is not 1."""
    return [(isinstance(value, bool), value) for value in one] == [(isinstance(value, bool), value) for value in other]


def _in_state(outcome: Outcome, matched: Matched, question: ListQuestion) -> Flags:
    if question.state == "reached":
        return reached_by(outcome, question.step or 0, matched.rules)
    if question.state == "dropped":
        dropped: Flags = (last_steps(outcome, matched.rules) == (question.step or 0)) & (outcome.states != CONVERTED)
        return dropped
    here: Flags = outcome.states == _CODES[question.state]
    return here


def _chosen(outcome: Outcome, among: Flags) -> Outcome:
    return chosen(outcome, np.flatnonzero(among))


def _entries(outcome: Outcome) -> Ints:
    """When each case's witness begins."""
    return outcome.times[:, 0]


def _upcoming(outcome: Outcome, after: tuple[int, str] | None, limit: int) -> Ints:
    """Cases among which the page's are: as many as it takes, with all that tie with the first or the last of them."""
    entries = _entries(outcome)
    rows = np.flatnonzero(entries >= (NEVER if after is None else after[0]))
    rows = rows[np.argsort(entries[rows], kind="stable")]
    tied = 0 if after is None else int(np.searchsorted(entries[rows], after[0], "right"))
    if rows.size <= tied + limit + 1:
        return rows
    return rows[: np.searchsorted(entries[rows], entries[rows[tied + limit]], "right")]


def _item(outcome: Outcome, case: int, name: str) -> Json:
    times = outcome.times[case].tolist()
    return {
        "unit": name,
        "state": _NAMES[int(outcome.states[case])],
        "entered": iso_of(times[0]),
        "reached": int(outcome.levels[case]),
        "times": [None if time == NEVER else iso_of(time) for time in times],
    }


def same_question(body: Mapping[str, object]) -> Mapping[str, object]:
    """What a cursor belongs to: all of a body but the page."""
    return {key: value for key, value in body.items() if key not in ("limit", "after")}
