"""The oracle: a brute-force reading of the funnel's definition, to be checked line by line against that page.

It lists every valid chain of a unit and looks at the list. It shares no code with the engine and is slow on purpose: no
greedy step, no pruning beyond what the definition itself says. Sections named below are those of the funnel's definition.

Covered: order sequential, ties in_order, total window, within, range of entries, as_of, states, witness earliest,
mature figures, trend.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Event:
    """One event: when, and which steps (from 0) it matches."""

    time: int
    steps: frozenset[int]


@dataclass(frozen=True)
class Question:
    """A funnel of ``len(withins)`` steps; times and durations in one unit, any unit."""

    withins: tuple[int | None, ...]  # per step; the first is None
    window: int
    start: int  # entries: start <= t < end
    end: int
    as_of: int


@dataclass(frozen=True)
class Verdict:
    """What the definition says of one unit; a unit that did not enter has level 0 and state None."""

    level: int
    state: str | None
    witness: tuple[int, ...]


def judge(events: Sequence[Event], question: Question) -> Verdict:
    known = [event for event in events if event.time <= question.as_of]  # section 3: not after as_of
    chains = list(valid_chains(known, question))
    if not chains:
        return Verdict(0, None, ())
    level = max(len(chain) for chain in chains)  # section 1: the largest number of steps that a valid chain matches
    witness = min(times(chain) for chain in chains if len(chain) == level)  # section 4: lexicographically smallest times
    if level == len(question.withins):
        state = "converted"
    elif any(may_go_on(chain, question) for chain in chains):
        state = "pending"
    else:
        state = "lost"
    return Verdict(level, state, witness)


def mature(question: Question) -> Question:
    """Section 3: the same funnel, ``to`` moved back to as_of - window."""
    return replace(question, end=min(question.end, question.as_of - question.window))


def bucket(question: Question, start: int, end: int) -> Question:
    """Section 5: a bucket of the trend is its own funnel over the entries in it."""
    return replace(question, start=max(question.start, start), end=min(question.end, end))


def valid_chains(events: Sequence[Event], question: Question) -> Iterator[list[Event]]:
    """Every valid chain, each of its beginnings being one too."""
    for number, event in enumerate(events):
        if 0 in event.steps and question.start <= event.time < question.end:
            yield from longer(events, [number], question)


def longer(events: Sequence[Event], chain: list[int], question: Question) -> Iterator[list[Event]]:
    yield [events[number] for number in chain]
    step = len(chain)
    if step == len(question.withins):
        return
    for number in range(len(events)):
        if number not in chain and fits(events[number], step, [events[earlier] for earlier in chain], question):
            yield from longer(events, [*chain, number], question)


def fits(event: Event, step: int, chain: Sequence[Event], question: Question) -> bool:
    """Section 2: may this event serve the step after this chain?"""
    within = question.withins[step]
    return (
        step in event.steps
        and event.time >= chain[-1].time  # rules 1 and 2: times do not decrease; at one instant any order will do
        and event.time - chain[0].time <= question.window  # rule 3, inclusive
        and (within is None or event.time - chain[-1].time <= within)  # rule 4, inclusive
    )


def may_go_on(chain: Sequence[Event], question: Question) -> bool:
    """Section 3, pending: both the window and the next step's ``within`` end after as_of."""
    within = question.withins[len(chain)]
    return chain[0].time + question.window > question.as_of and (within is None or chain[-1].time + within > question.as_of)


def times(chain: Sequence[Event]) -> tuple[int, ...]:
    return tuple(event.time for event in chain)
