"""The oracle: a brute-force reading of the funnel's definition, to be checked line by line against that page.

It lists every valid chain of a unit and looks at the list. It shares no code with the engine and is slow on purpose: no
greedy step, no pruning beyond what the definition itself says. Sections named below are those of the funnel's definition,
which stands in ``funnels/match.py``.

What the definition leaves to its reader was settled so, before either side was written:
- "Smallest event id" compares, after the times, the ids in the same order as the times: required steps, then optional ones.
  Under ``any`` times, then ids, then step numbers are compared in the chain's own order, not in that of the steps.
- ``shortest`` measures to the last event of the chain, optional or not; under a tolerance that may be less than nothing.
- ``reentry: "first"`` leaves one single event as entry, the first in the whole range, also within a bucket of the trend.
  Other events of its instant may serve other steps.
- Under ``any`` every event that serves a step is an entry, and ties are of no account.
- A step "that may come next" is the next required one or an optional one before it. Pending looks only at those that are
  not spent, excluded at all of them; a strict neighbour or a spent step does not keep a unit from being excluded.
- Exclusions and neighbours compare times alone: what lies at the same instant is not between. An event is barred by
  whatever it is, also by an exclusion of its own step's name.
- A chain converts (attempts) at the latest time among its events. Chains of a converted attempt are those that were there
  by then. An attempt is ended by exclusions at the first moment at which each chain begun before it, single entries
  included, has met one; a passed ``within`` ends nothing here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

NONE: frozenset[int] = frozenset()
FOREVER = 1 << 62
Order = Literal["sequential", "strict", "any"]
Ties = Literal["in_order", "strict"] | int


@dataclass(frozen=True, slots=True)
class Event:
    """One event: when, which steps (from 0) it passes with all filters, and what else the rules ask of it."""

    time: int
    steps: frozenset[int]
    id: int | None = None  # the event id; events without one are all different, and ordered as they came
    named: frozenset[int] | None = None  # the steps whose names it has, whatever the filters say; None: ``steps``
    bars: frozenset[int] = NONE  # the exclusions of the question that it is an excluded event of
    held: int | None = 0  # hold constant: its values; None where one is null
    value: Hashable = None  # of the breakdown's property


@dataclass(frozen=True)
class Question:
    """A funnel of ``len(withins)`` steps; times and durations in one unit, any unit."""

    withins: tuple[int | None, ...]  # per step; the first is None
    window: int
    start: int  # entries: start <= t < end
    end: int
    as_of: int
    order: Order = "sequential"
    ties: Ties = "in_order"  # a number: the tolerance
    optional: frozenset[int] = NONE
    first_ever: frozenset[int] = NONE
    reentry: Literal["any", "first"] = "any"
    witness: Literal["earliest", "shortest"] = "earliest"
    count: Literal["units", "attempts"] = "units"
    exclusions: tuple[tuple[int, int], ...] = ()  # (after, before), steps from 0
    hold: bool = False

    @cached_property
    def required(self) -> list[int]:
        return [step for step in range(len(self.withins)) if step not in self.optional]


@dataclass(frozen=True)
class Verdict:
    """What the definition says of one case: a unit, or an attempt of one. A unit that did not enter: level 0, state None."""

    level: int
    state: str | None
    witness: tuple[Event | None, ...] = ()  # per step
    entered: int | None = None  # the time of its first entry in range
    barred: int | None = None  # excluded: when


Link = tuple[int, Event]  # a step and the event that serves it
Chain = tuple[Link, ...]


@dataclass(frozen=True)
class Unit:
    """Section 1: one unit's stream, and every valid chain of it that begins in range."""

    stream: Sequence[Event]
    question: Question
    spent: frozenset[int]
    chains: list[Chain] = field(default_factory=list)


def judge(events: Sequence[Event], question: Question) -> Verdict:
    """Section 3: the one state of a unit (``count: "units"``)."""
    unit = read(events, question)
    return verdict(unit, unit.chains) if unit.chains else Verdict(0, None)


def judge_value(events: Sequence[Event], question: Question, value: Hashable) -> Verdict:
    """Section 6, attribution ``all``: the unit within the group of a value, by the chains all of whose events carry it."""
    unit = read(events, question)
    chains = [chain for chain in unit.chains if all(event.value == value for _, event in chain)]
    return verdict(unit, chains) if chains else Verdict(0, None)


def cases(unit: Unit, start: int, end: int) -> list[Verdict]:
    """Sections 3 and 5: one verdict per unit or attempt, over the entries in [start, end) (range, mature, a bucket)."""
    chains = [chain for chain in unit.chains if start <= chain[0][1].time < end]
    if unit.question.count == "attempts":
        return [verdict(unit, attempt) for attempt in attempts(unit, chains)]
    return [verdict(unit, chains)] if chains else []


def ripe(question: Question) -> int:
    """Section 3, mature: ``to`` moved back to as_of - window."""
    return min(question.end, question.as_of - question.window)


def read(events: Sequence[Event], question: Question) -> Unit:
    """Section 1: the stream, each event once, by time; section 3: nothing after as_of. Then all its chains."""
    numbered = [event if event.id is not None else replace(event, id=number) for number, event in enumerate(events)]
    once = {event.id: event for event in numbered if event.time <= question.as_of}
    stream = sorted(once.values(), key=lambda event: (event.time, event.id))
    first = {step: next((event for event in stream if step in names(event)), None) for step in question.first_ever}
    stream = [serving(event, may_serve(event, question, first)) for event in stream]
    unit = Unit(stream, question, frozenset(step for step, event in first.items() if event is not None))
    unit.chains.extend(valid_chains(unit))
    return unit


def names(event: Event) -> frozenset[int]:
    return event.steps if event.named is None else event.named


def serving(event: Event, steps: frozenset[int]) -> Event:
    return event if steps == event.steps else replace(event, steps=steps)


def may_serve(event: Event, question: Question, first: dict[int, Event | None]) -> frozenset[int]:
    """Section 2, rule 8: of a first-ever step only the first event of its names; rule 5: no event with a null held value."""
    if question.hold and event.held is None:
        return NONE
    return frozenset(step for step in event.steps if step not in first or first[step] is event)


# Section 2: when is a chain valid


def valid_chains(unit: Unit) -> Iterator[Chain]:
    """Every valid chain; since each of its beginnings is one too, all are found by lengthening."""
    for event, steps in entries(unit):
        for step in steps:
            yield from longer(unit, ((step, event),))


def entries(unit: Unit) -> list[tuple[Event, list[int]]]:
    """Section 1: an event that matches step 1 (any order: whichever step); section 3: in range; section 2, rule 9."""
    question = unit.question
    entering = range(len(question.withins)) if question.order == "any" else range(1)
    found = [
        (event, [step for step in entering if step in event.steps])
        for event in unit.stream
        if question.start <= event.time < question.end
    ]
    found = [(event, steps) for event, steps in found if steps]
    return found[:1] if question.reentry == "first" else found


def longer(unit: Unit, chain: Chain) -> Iterator[Chain]:
    yield chain
    taken = {event.id for _, event in chain}
    for step in next_steps(chain, unit.question):
        for event in unit.stream:
            if step in event.steps and event.id not in taken:
                lengthened = (*chain, (step, event))
                if is_valid(lengthened, unit):
                    yield from longer(unit, lengthened)


def next_steps(chain: Chain, question: Question) -> list[int]:
    """Section 1: the steps' order, leaving out only optional ones; section 2, rule 1: any order."""
    if question.order == "any":
        served = [step for step, _ in chain]
        return [step for step in range(len(question.withins)) if step not in served]
    found = []
    for step in range(chain[-1][0] + 1, len(question.withins)):
        found.append(step)
        if step not in question.optional:
            break
    return found


def is_valid(chain: Chain, unit: Unit) -> bool:
    """Does the chain obey section 2, if without its last event it does?"""
    return (
        in_order(chain, unit.question)
        and in_window(chain, unit.question)
        and in_within(chain, unit.question)
        and is_held(chain, unit.question)
        and not neighbours_lie_between(chain, unit)
        and not exclusion_lies_between(chain, unit)
    )


def in_order(chain: Chain, question: Question) -> bool:
    """Rules 1 and 2. Under any order the chain is its events in the order of the stream, so that each stands here once."""
    before, after = chain[-2][1], chain[-1][1]
    if question.order == "any":
        return (after.time, after.id) > (before.time, before.id)
    if question.ties == "in_order":
        return after.time >= before.time
    if question.ties == "strict":
        return after.time > before.time
    return after.time >= before.time - question.ties


def in_window(chain: Chain, question: Question) -> bool:
    """Rule 3, inclusive."""
    return chain[-1][1].time - chain[0][1].time <= question.window


def in_within(chain: Chain, question: Question) -> bool:
    """Rule 4, inclusive: since the previous matched step."""
    within = question.withins[chain[-1][0]]
    return within is None or chain[-1][1].time - chain[-2][1].time <= within


def is_held(chain: Chain, question: Question) -> bool:
    """Rule 5; a null serves no step (``may_serve``)."""
    return not question.hold or chain[-1][1].held == chain[0][1].held


def neighbours_lie_between(chain: Chain, unit: Unit) -> bool:
    """Rule 1, strict: another event of any name strictly between two neighbours."""
    if unit.question.order != "strict":
        return False
    return any(chain[-2][1].time < event.time < chain[-1][1].time for event in unit.stream)


def exclusion_lies_between(chain: Chain, unit: Unit) -> bool:
    """Rule 6: an excluded event strictly after step ``after`` and strictly before the chain's step min(k, ``before``)."""
    times = {step: event.time for step, event in chain}
    for number, (after, before) in enumerate(unit.question.exclusions):
        if unit.question.order == "any":
            since, until = chain[0][1].time, chain[-1][1].time
        elif after in times:
            since, until = times[after], times[min(chain[-1][0], before)]
        else:
            continue
        if any(since < event.time < until for event in excluded_events(number, chain, unit)):
            return True
    return False


def excluded_events(number: int, chain: Chain, unit: Unit) -> Iterator[Event]:
    """Rule 6's events, of the chain's held values only (rule 5)."""
    held = chain[0][1].held
    return (event for event in unit.stream if number in event.bars and (not unit.question.hold or event.held == held))


# Section 3: states


def level(chain: Chain, question: Question) -> int:
    """Section 1: how many required steps it matches."""
    return sum(step not in question.optional for step, _ in chain)


def is_complete(chain: Chain, question: Question) -> bool:
    return level(chain, question) == len(question.required)


def verdict(unit: Unit, chains: Sequence[Chain]) -> Verdict:
    """The first state that holds, of a unit or attempt that has these chains."""
    question = unit.question
    reached = max(level(chain, question) for chain in chains)
    found = witness([chain for chain in chains if level(chain, question) == reached], question)
    entered = min(chain[0][1].time for chain in chains)
    served = dict(found)
    told = tuple(served.get(step) for step in range(len(question.withins)))
    if is_complete(found, question):
        return Verdict(reached, "converted", told, entered)
    if any(is_pending(chain, unit) for chain in chains):
        return Verdict(reached, "pending", told, entered)
    barred = barred_at(found, unit)
    return Verdict(reached, "lost" if barred is None else "excluded", told, entered, barred)


def is_pending(chain: Chain, unit: Unit) -> bool:
    """Could events after as_of complete this chain?"""
    question, now = unit.question, unit.question.as_of
    if is_complete(chain, question) or chain[0][1].time + question.window <= now:
        return False
    served, last = [step for step, _ in chain], chain[-1][1].time
    to_come = [step for step in question.required if step not in served and (question.order == "any" or step > served[-1])]
    following = [step for step in next_steps(chain, question) if step not in unit.spent]
    return (
        any(ends_within(step, last, question) > now for step in following)
        and not any(step in unit.spent for step in to_come)
        and not (question.order == "strict" and any(event.time > last for event in unit.stream))
        and not met_exclusions(chain, unit)
    )


def ends_within(step: int, last: int, question: Question) -> int:
    """When the step's ``within`` ends after a chain whose last event is at ``last``."""
    within = question.withins[step]
    return FOREVER if within is None else last + within


def met_exclusions(chain: Chain, unit: Unit) -> list[int]:
    """Rule 6: when excluded events came that let an unfinished chain get no further."""
    times = {step: event.time for step, event in chain}
    found = []
    for number, (after, before) in enumerate(unit.question.exclusions):
        if unit.question.order == "any":
            since = None if is_complete(chain, unit.question) else chain[0][1].time
        else:
            since = times[after] if after in times and chain[-1][0] < before else None
        if since is not None:
            found += [event.time for event in excluded_events(number, chain, unit) if event.time > since]
    return found


def barred_at(chain: Chain, unit: Unit) -> int | None:
    """Excluded: the exclusion that ended the witness no later than its window or its next step's ``within``."""
    window = chain[0][1].time + unit.question.window
    within = max(ends_within(step, chain[-1][1].time, unit.question) for step in next_steps(chain, unit.question))
    return min((time for time in met_exclusions(chain, unit) if time <= min(window, within)), default=None)


# Section 4: the witness


def witness(chains: Sequence[Chain], question: Question) -> Chain:
    """Of the chains of the unit's level."""
    if question.witness == "shortest":
        return min(chains, key=lambda chain: (chain[-1][1].time - chain[0][1].time, earliest(chain, question)))
    return min(chains, key=lambda chain: earliest(chain, question))


def earliest(chain: Chain, question: Question) -> tuple[tuple[int, ...], ...]:
    """Times over the required steps, then over the optional ones (a missing one last); then the ids likewise."""
    if question.order == "any":
        steps = tuple(step for step, _ in chain)
        return tuple(event.time for _, event in chain), tuple(event.id or 0 for _, event in chain), steps
    places = {step: (event.time, event.id or 0) for step, event in chain}
    steps = (*(step for step in question.required if step in places), *sorted(question.optional))
    times, ids = zip(*(places.get(step, (FOREVER, FOREVER)) for step in steps), strict=True)
    return times, ids


# Section 5: attempts


def attempts(unit: Unit, chains: Sequence[Chain]) -> Iterator[list[Chain]]:
    """The chains of each attempt, in order."""
    begun: list[Chain] = []
    for entry in sorted({(chain[0][1].time, chain[0][1].id) for chain in chains}):
        if begun and is_over(begun, entry[0], unit):
            yield by_conversion(begun, unit.question)
            begun = []
        begun += [chain for chain in chains if (chain[0][1].time, chain[0][1].id) == entry]
    if begun:
        yield by_conversion(begun, unit.question)


def is_over(begun: Sequence[Chain], time: int, unit: Unit) -> bool:
    """The next entry comes strictly after a conversion or the last window's end, and not before an excluding event."""
    converted, barred = conversion(begun, unit.question), ended_by_exclusions(begun, unit)
    last = max(chain[0][1].time for chain in begun)
    return (
        (converted is not None and time > converted)
        or time > last + unit.question.window
        or (barred is not None and time >= barred)
    )


def conversion(begun: Sequence[Chain], question: Question) -> int | None:
    """The first conversion of any chain begun in it."""
    return min((completed(chain) for chain in begun if is_complete(chain, question)), default=None)


def completed(chain: Chain) -> int:
    return max(event.time for _, event in chain)


def ended_by_exclusions(begun: Sequence[Chain], unit: Unit) -> int | None:
    """The first moment at which exclusions have ended all chains that were begun before it."""
    met = [(chain, met_exclusions(chain, unit)) for chain in begun]
    for moment in sorted({time for _, times in met for time in times}):
        there = [times for chain, times in met if chain[0][1].time < moment and completed(chain) <= moment]
        if there and all(any(time <= moment for time in times) for times in there):
            return moment
    return None


def by_conversion(begun: Sequence[Chain], question: Question) -> list[Chain]:
    converted = conversion(begun, question)
    return [chain for chain in begun if converted is None or completed(chain) <= converted]
