"""The oracle itself, held to cases worked out by hand from the definition (times are seconds, the window 10)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracle import Event, Question, Verdict, cases, judge, judge_value, read

PLAIN = Question((None, None, None), 10, 0, 100, 100)
LATER = {"A": 0, "B": 1, "C": 2, "D": 3}


def stream(text: str) -> list[Event]:
    """``"A0 AX5"``: A to D serve the steps, X is excluded by exclusion 0; a dot puts a held value behind (``A0.1``)."""
    events = []
    for number, word in enumerate(text.split()):
        when, _, held = word.lstrip("ABCDEX").partition(".")
        steps = frozenset(LATER[name] for name in word if name in LATER)
        value = int(held) if held else None
        bars = frozenset({0} if "X" in word else ())
        events.append(Event(int(when), steps, number, bars=bars, held=value, value=value))
    return events


def judged(text: str, question: Question = PLAIN) -> tuple[int, str | None, list[int | None]]:
    return told(judge(stream(text), question))


def told(verdict: Verdict) -> tuple[int, str | None, list[int | None]]:
    return verdict.level, verdict.state, [None if event is None else event.time for event in verdict.witness]


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ("A0 B5 C10", {}, (3, "converted", [0, 5, 10])),
        ("A0 B5 C11", {}, (2, "lost", [0, 5, None])),
        ("ABC3 ABC3 ABC3", {}, (3, "converted", [3, 3, 3])),
        ("A3 B3 C4", {"ties": "strict"}, (1, "lost", [3, None, None])),
        ("B2 A3 C4", {"ties": 1}, (3, "converted", [3, 2, 4])),
        ("B1 A3 C4", {"ties": 1}, (1, "lost", [3, None, None])),
        ("A0 E1 B2 A3 B4 C4", {"order": "strict"}, (3, "converted", [3, 4, 4])),
        ("A0 E0 B1 E1 C2", {"order": "strict"}, (3, "converted", [0, 1, 2])),
        ("C1 A3 B4", {"order": "any"}, (3, "converted", [3, 4, 1])),
        ("C1 A3 B12", {"order": "any"}, (2, "lost", [3, None, 1])),
        ("A0 C3", {"optional": frozenset({1})}, (2, "converted", [0, None, 3])),
        ("A0 B1", {"optional": frozenset({1})}, (1, "lost", [0, 1, None])),
        ("A0 B1", {"optional": frozenset({1}), "witness": "shortest"}, (1, "lost", [0, None, None])),
        ("A0 A5 B6 C7", {"witness": "shortest"}, (3, "converted", [5, 6, 7])),
        ("A0 X1 B2 C3", {"exclusions": ((0, 2),)}, (1, "excluded", [0, None, None])),
        ("A0 X1 A1 B2 C3", {"exclusions": ((0, 2),)}, (3, "converted", [1, 2, 3])),
        ("A0 B1 X2 C3", {"exclusions": ((0, 1),)}, (3, "converted", [0, 1, 3])),
        ("A0 BX1 C3", {"exclusions": ((0, 2),)}, (2, "excluded", [0, 1, None])),
        ("A0 B1 X1 C1", {"exclusions": ((0, 2),)}, (3, "converted", [0, 1, 1])),
        ("A0 X11", {"exclusions": ((0, 2),)}, (1, "lost", [0, None, None])),
        ("A0 X5", {"exclusions": ((0, 2),), "withins": (None, 4, None)}, (1, "lost", [0, None, None])),
        ("A0.1 B1.2 C2.1 B3.1 C4.1", {"hold": True}, (3, "converted", [0, 3, 4])),
        ("A0 B1.1", {"hold": True}, (0, None, [])),
        ("A0 A5 B11", {"reentry": "first"}, (1, "lost", [0, None, None])),
        ("A0 B1", {"as_of": 9}, (2, "pending", [0, 1, None])),
        ("A0 B1", {"as_of": 10}, (2, "lost", [0, 1, None])),
        ("A0 B1 X2", {"as_of": 9, "exclusions": ((1, 2),)}, (2, "pending", [0, 1, None])),
        ("A0 X2", {"as_of": 9, "exclusions": ((0, 1),)}, (1, "excluded", [0, None, None])),
        ("A0 E1", {"as_of": 9, "order": "strict"}, (1, "lost", [0, None, None])),
    ],
)
def test_a_stream_is_judged_as_by_hand(
    text: str, changes: dict[str, object], expected: tuple[int, str | None, list[int | None]]
) -> None:
    assert judged(text, replace(PLAIN, **changes)) == expected  # type: ignore[arg-type]


def test_a_first_ever_step_is_the_first_of_its_names_before_any_filter() -> None:
    failing = Event(1, frozenset(), 1, named=frozenset({1}))
    events = [Event(0, frozenset({0}), 0), failing, Event(2, frozenset({1}), 2)]
    question = Question((None, None), 10, 0, 100, 5, first_ever=frozenset({1}))
    assert told(judge(events, question)) == (1, "lost", [0, None])  # spent: it cannot come any more
    assert told(judge([events[0], events[2]], question)) == (2, "converted", [0, 2])
    assert told(judge(events[:1], question)) == (1, "pending", [0, None])


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ("A0 A5 B6 A6 A7 B8", {}, [("converted", 0), ("converted", 7)]),  # A6 comes not after the conversion
        ("A0 A8 B15 A18 A29", {}, [("converted", 0), ("lost", 18), ("lost", 29)]),
        ("A0 A10 A20 A31", {}, [("lost", 0), ("lost", 31)]),  # each renews the window, to its very end
        ("A0 X3 A3 B4", {"exclusions": ((0, 1),)}, [("excluded", 0), ("converted", 3)]),
        ("A0 X3 A3 B4", {}, [("converted", 0)]),
        ("A0 B3 A95", {}, [("converted", 0), ("pending", 95)]),
    ],
)
def test_attempts_open_renew_and_end(text: str, changes: dict[str, object], expected: list[tuple[str, int]]) -> None:
    question = replace(PLAIN, withins=(None, None), count="attempts", **changes)  # type: ignore[arg-type]
    found = cases(read(stream(text), question), question.start, question.end)
    assert [(verdict.state, verdict.entered) for verdict in found] == expected


def test_under_all_a_chain_carries_one_value() -> None:
    events = stream("A0.1 B1.2 A2.2 B3.2")
    question = replace(PLAIN, withins=(None, None))
    assert [told(judge_value(events, question, value)) for value in (1, 2, 3)] == [
        (1, "lost", [0, None]),
        (2, "converted", [2, 3]),
        (0, None, []),
    ]


def test_duplicates_are_one_event() -> None:
    twice = [Event(0, frozenset({0, 1}), 7), Event(0, frozenset({0, 1}), 7)]
    assert told(judge(twice, replace(PLAIN, withins=(None, None)))) == (1, "lost", [0, None])
