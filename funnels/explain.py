"""Why a unit stands where it stands: its events, and of each the step it served or the rule that kept it out.

``POST /api/funnel/explain`` takes the body of a funnel and ``unit_id``. The events are those whose names the question knows
(of any name under order strict), in all history, by time and id. Each has one ``code``, the first of these that holds:

    served             it serves ``step`` in the witness (of the ``case``-th attempt, where attempts are counted)
    bot                it is a bot's, and bots are left out
    internal           it is internal traffic, which is left out
    after_as_of        it is later than ``as_of``
    no_step            its name belongs to no step and no exclusion (order strict lists it, for it may stand between)
    filtered           a step or an exclusion has its name, but its filters, or those at the top, say no
    not_first_ever     it is not the unit's first event of the step's names
    no_held_value      a held property is null
    before_range       it is earlier than ``from``, so that it begins nothing and nothing begun in the range is before it
    no_entry           nothing that may begin a chain lies in the range; ``after_range`` where it would itself begin one
    after_range        it could only begin a chain, at or after ``to``
    ended_it           it is the excluded event that ended the witness
    not_between        it is an excluded event and fits no step; it does not lie between the steps of its exclusion
    other_held_value   its held values are not those of the witness
    not_first_entry    it could only begin a chain, and only the first entry may (reentry first)
    other_entry        it could only begin a chain, and the witness begins with another event
    before_entry       it lies before the witness's entry
    after_window       it lies after the witness's window
    step_taken         every step it fits is served by another event
    out_of_order       the steps it fits come after one that the witness did not reach
    before_previous    it lies before the event of the step before its own
    after_next         it lies after the event of the step after its own (an optional step)
    not_later          it lies at the instant of a neighbouring step's event, and ties are strict
    after_exclusion    the witness had been ended by an exclusion
    after_within       more time than the step's ``within`` has passed since the step before
    not_adjacent       under order strict, another event lies between it and the step before
    not_chosen         under a preset: its product's rules did not take it

A code speaks of the witness, the one chain that the unit is counted by. With a preset, whose rules are others, only
``other_entry``, ``step_taken`` and ``not_chosen`` are told of an event that nothing keeps out of every chain. The matching
is that of the chart: the same query, read for this unit alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from funnels.adhoc import Source, data_of, match
from funnels.as_rules import rules_of
from funnels.ask import Funnel
from funnels.errors import Faults
from funnels.match import CONVERTED, EXCLUDED, LOST, NEVER, PENDING, Outcome, Rules, microseconds
from funnels.reader import Reader
from funnels.reading.streams import Found, read_streams
from funnels.request import KEYS, NOTHING, Known, body_of, read
from funnels.steps import Json
from funnels.story import Told, find_unit, read_story
from funnels.times import iso_of

_STATES: Final = {CONVERTED: "converted", PENDING: "pending", EXCLUDED: "excluded", LOST: "lost"}
COLUMNS: Final = ("id", "name", "time", "code", "step")


@dataclass(frozen=True, slots=True)
class UnitQuestion:
    funnel: Funnel
    unit_id: str


def parse_unit(body: object, known: Known = NOTHING) -> UnitQuestion:
    """Raises ``BadRequest`` with every fault."""
    found, faults = body_of(body), Faults()
    faults.unknown_keys(found, (*KEYS, "unit_id"), "")
    funnel, unit_id = read(found, known, faults), Reader(found, "", faults).text("unit_id")
    if not unit_id:
        faults.add("unit_id", found.get("unit_id"), ["an id of the unit"], "name the unit, such as user:42")
    faults.raise_any()
    return UnitQuestion(funnel, unit_id or "")


def explain(source: Source, question: UnitQuestion) -> Json:
    """The unit's events with their codes, and its cases; raises ``NoSuchUnit``."""
    request = question.funnel
    with source.engine() as engine:
        asking = source.asking(engine, request, named=True)
        unit = find_unit(engine, request.unit, question.unit_id)
        found = read_streams(engine, asking.query(with_ids=True, unit=unit.key), source.limits)
        told = read_story(engine, asking.query(unit=unit.key), source.limits)
    rules = rules_of(request, source.as_of(request))
    outcome = match(replace(request, breakdown=None), found, rules, source.limits).outcome
    held = {one.id: one.held for one in told}
    cases = [_case(outcome, found, held, case) for case in range(outcome.levels.size)]
    coder = Coder(request, rules, cases)
    return {
        "unit": unit.name,
        "cases": [case.as_json for case in cases],
        "items": [_item(one, *coder.code(one)) for one in told],
        "data": data_of(source, found),
    }


@dataclass(frozen=True, slots=True)
class Case:
    """One case's witness. ``served``: step by event id; ``at``: time by step."""

    served: Mapping[str, int]
    at: Mapping[int, int]
    held: int
    level: int
    state: int
    entry: int
    barred: int

    @property
    def as_json(self) -> Json:
        return {"state": _STATES[self.state], "reached": self.level, "entered": iso_of(self.entry)}


def _case(outcome: Outcome, found: Found, held: Mapping[str, int], case: int) -> Case:
    """``held``: the code of the held values by event id."""
    rows = {step: int(row) for step, row in enumerate(outcome.witness[case]) if row >= 0}
    served = {found.event_ids[row]: step for step, row in reversed(rows.items())}  # under a preset one may serve several
    at = {step: int(found.streams.times[row]) for step, row in rows.items()}
    return Case(
        served,
        at,
        held[next(iter(served))],
        int(outcome.levels[case]),
        int(outcome.states[case]),
        min(at.values()),
        int(outcome.barred[case]),
    )


def _item(one: Told, code: str, step: int | None, case: int | None) -> Json:
    number = {} if case is None else {"case": case + 1}
    return {
        "id": one.id,
        "name": one.name,
        "time": iso_of(one.time),
        "code": code,
        "step": None if step is None else step + 1,
        **number,
    }


@dataclass(frozen=True)
class Coder:
    """Finds the code of one event after the other."""

    funnel: Funnel
    rules: Rules
    cases: list[Case]

    def code(self, event: Told) -> tuple[str, int | None, int | None]:
        """The code, the step it serves, and the number of the attempt where attempts are counted."""
        attempts = self.funnel.count == "attempts"
        for number, case in enumerate(self.cases):
            if event.id in case.served:
                return "served", case.served[event.id], number if attempts else None
        left = self._left_out(event)
        if left is not None:
            return left, None, None
        if not self.cases:
            return self._without_entry(event) if self.funnel.preset is None else "not_chosen", None, None
        number = self._nearest(event)
        return self._beside(event, self.cases[number]), None, number if attempts else None

    def _left_out(self, event: Told) -> str | None:
        """What keeps it out of every chain."""
        if event.bot:
            return "bot"
        if event.internal:
            return "internal"
        if event.time > microseconds(self.rules.as_of):
            return "after_as_of"
        if not event.named:
            return "no_step"
        if not event.fits_filters:
            return "filtered"
        if not event.mask and not event.bars:
            return "not_first_ever"
        if event.held_missing:
            return "no_held_value"
        if event.time < self._first_moment:
            return "before_range"
        return None

    @property
    def _first_moment(self) -> int:
        ties = self.funnel.ties
        slack = ties if isinstance(ties, timedelta) else timedelta()
        return microseconds(self.funnel.start - slack * (len(self.funnel.steps) - 1))

    def _without_entry(self, event: Told) -> str:
        if self._begins(event) and event.time >= microseconds(self.funnel.end):
            return "after_range"
        return "not_between" if not event.mask else "no_entry"

    def _begins(self, event: Told) -> bool:
        """Whether it can only begin a chain."""
        return event.mask != 0 if self.funnel.order == "any" else event.mask == 1

    def _nearest(self, event: Told) -> int:
        """Of several attempts, the last that had begun."""
        begun = [number for number, case in enumerate(self.cases) if case.entry <= event.time]
        return begun[-1] if begun else 0

    def _beside(self, event: Told, case: Case) -> str:
        """What keeps it out of the witness."""
        if self.funnel.preset is not None:
            return self._by_preset(event, case)
        if self._ended(event, case):
            return "ended_it"
        if not event.mask:
            return "not_between"
        if self.funnel.hold and event.held != case.held:
            return "other_held_value"
        if self.funnel.order != "any" and event.mask == 1:
            return self._other_entry(event)
        if event.time < case.entry and not self._reversed(event, case):
            return "before_entry"
        if event.time > case.entry + _micros(self.rules.window):
            return "after_window"
        free = self._free(event, case)
        if not free:
            return "step_taken"
        if self.funnel.order == "any":  # within the window nothing else can keep it out: the witness is of the unit's level
            return "after_exclusion"
        return self._of_step(event, case, free)

    def _by_preset(self, event: Told, case: Case) -> str:
        if event.mask == 1:
            return "other_entry"
        return "not_chosen" if self._free(event, case) or not event.mask else "step_taken"

    def _free(self, event: Told, case: Case) -> list[int]:
        """The steps that it fits and that nothing serves."""
        return [step for step in range(len(self.funnel.steps)) if event.mask >> step & 1 and step not in case.at]

    def _ended(self, event: Told, case: Case) -> bool:
        """Whether it is an excluded event that lay in the witness's way, at the instant that ended it."""
        if case.state != EXCLUDED or event.time != case.barred or (self.funnel.hold and event.held != case.held):
            return False
        barring = [one for number, one in enumerate(self.rules.exclusions) if event.bars >> number & 1]
        return any(self.funnel.order == "any" or (one.after in case.at and one.before not in case.at) for one in barring)

    def _other_entry(self, event: Told) -> str:
        if event.time >= microseconds(self.funnel.end):
            return "after_range"
        return "not_first_entry" if self.funnel.reentry == "first" else "other_entry"

    def _reversed(self, event: Told, case: Case) -> bool:
        """Whether a tolerance may let it follow the entry, though it is earlier."""
        return isinstance(self.funnel.ties, timedelta) and event.time >= case.entry - _micros(self.funnel.ties)

    def _of_step(self, event: Told, case: Case, free: list[int]) -> str:
        """It fits steps that nothing serves: why not the first of them that could have been next?"""
        required = self.funnel.required
        following = required[case.level] if case.level < len(required) else len(self.funnel.steps)
        reachable = [step for step in free if step <= following]
        if not reachable:
            return "out_of_order"
        return self._after_previous(event, case, reachable[-1])

    def _after_previous(self, event: Told, case: Case, step: int) -> str:
        before = case.at[max(number for number in case.at if number < step)]
        ties, within = self.funnel.ties, self.funnel.steps[step].within
        slack = _micros(ties) if isinstance(ties, timedelta) else 0
        if event.time < before - slack:
            return "before_previous"
        if event.time == before and ties == "strict":
            return "not_later"
        if case.state == EXCLUDED and case.barred != NEVER and event.time > case.barred:
            return "after_exclusion"
        later = min((time for number, time in case.at.items() if number > step), default=None)
        if later is not None and event.time > later + slack:
            return "after_next"
        if later == event.time and ties == "strict":
            return "not_later"
        if within is not None and event.time - before > _micros(within):
            return "after_within"
        return "not_adjacent" if self.funnel.order == "strict" else "not_chosen"


def _micros(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
