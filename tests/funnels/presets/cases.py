"""Small worlds for presets: one unit written as a line of text."""

from __future__ import annotations

from collections.abc import Sequence

from funnels.match import CONVERTED, EXCLUDED, LOST, PENDING, Outcome, Streams
from funnels.presets import match
from tests.funnels.random_streams import as_rules, as_streams, rows_of, without_idle_rows
from tests.oracle import Event, Question

STATES = {CONVERTED: "converted", PENDING: "pending", EXCLUDED: "excluded", LOST: "lost"}
Told = tuple[int, str, list[int | None]]


def events_of(text: str) -> list[Event]:
    """``"A0 AB5 X7 E8"``: A to D serve steps, X is an excluded event, E serves nothing; ids are as they stand."""
    events = []
    for number, word in enumerate(text.split()):
        when = word.lstrip("ABCDEX")
        steps = frozenset("ABCD".index(name) for name in word if name in "ABCD")
        events.append(Event(int(when), steps, number, bars=frozenset({0} if "X" in word else ())))
    return events


def preset(name: str, units: Sequence[Sequence[Event]], question: Question, edges: Sequence[int] = ()) -> Outcome:
    """The streams as they are read from a lake: without the events that serve nothing."""
    streams, _ = without_idle_rows(as_streams(units, question), rows_of(units))
    return match(name, streams, as_rules(question, edges))


def told(name: str, text: str, question: Question) -> Told:
    """Level, state and the witness's seconds of a single unit; (0, "", []) where it is no case."""
    cases = told_all(name, text, question)
    return cases[0] if cases else (0, "", [])


def told_all(name: str, text: str, question: Question) -> list[Told]:
    outcome = preset(name, [events_of(text)], question)
    times = [[None if time < 0 else int(time) // 1_000_000 for time in row] for row in outcome.times]
    return [
        (int(level), STATES[int(state)], row)
        for level, state, row in zip(outcome.levels, outcome.states, times, strict=True)
    ]


def streams_of(units: Sequence[Sequence[Event]], question: Question) -> Streams:
    return without_idle_rows(as_streams(units, question), rows_of(units))[0]
