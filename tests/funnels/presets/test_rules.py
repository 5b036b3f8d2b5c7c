"""Each product's rule, read by brute force, against its preset on random streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random

import pytest

from tests.funnels.presets.cases import preset
from tests.funnels.random_streams import dressed_events, random_exclusions, random_question
from tests.oracle import Event, Question, judge

UNITS, QUESTIONS = 60, 60
Level = Callable[[Sequence[Event], Question], int]


def plain_question(random: Random) -> Question:
    question = random_question(random)
    return replace(question, withins=(None,) * len(question.withins), start=-1, end=random.choice([8, 20]))


def agrees(name: str, level: Level, question: Question, units: Sequence[Sequence[Event]]) -> int:
    """How many conversions there were."""
    outcome = preset(name, units, question)
    found = dict(zip(outcome.units.tolist(), outcome.levels.tolist(), strict=True))
    for unit, events in enumerate(units):
        known = sorted((event for event in events if event.time <= question.as_of), key=lambda event: (event.time, event.id))
        once = [event for number, event in enumerate(known) if event.id not in [one.id for one in known[:number]]]
        assert found.get(unit, 0) == level(once, question), (question, once)
    return sum(one == len(question.withins) for one in found.values())


def one_step_each(events: list[Event]) -> list[Event]:
    return [replace(event, steps=frozenset(sorted(event.steps)[:1])) for event in events]


def in_range(events: Sequence[Event], question: Question) -> list[Event]:
    return [event for event in events if question.start <= event.time < question.end]


def by_definition(events: Sequence[Event], question: Question) -> int:
    """Our definition over the events of the range."""
    return judge(in_range(events, question), question).level


def posthog_strict(events: Sequence[Event], question: Question) -> int:
    """The longest beginning of steps that neighbours in the log serve; a repeat of the step just reached breaks nothing."""
    log = in_range(events, question)
    best = 0
    for first, entry in enumerate(log):
        level = 0
        for event in log[first:]:
            if level < len(question.withins) and level in event.steps and event.time - entry.time <= question.window:
                level += 1
            elif level == 0 or level - 1 not in event.steps:
                break
        best = max(best, level)
    return best


def umami(events: Sequence[Event], question: Question) -> int:
    def chains(step: int, last: int) -> Iterator[int]:
        yield step
        for event in in_range(events, question):
            if step < len(question.withins) and step in event.steps and last <= event.time <= last + question.window:
                yield from chains(step + 1, event.time)

    entries = [event for event in in_range(events, question) if 0 in event.steps]
    return max((level for entry in entries for level in chains(1, entry.time)), default=0)


def mixpanel(events: Sequence[Event], question: Question) -> int:
    chain = [event for event in in_range(events, question) if 0 in event.steps][:1]
    if not chain:
        return 0
    end = chain[0].time + question.window
    for step in range(1, len(question.withins)):
        since = chain[-1].time
        served = [event for event in events if step in event.steps and event not in chain and since - 2 <= event.time <= end]
        spans = {number for number, (after, before) in enumerate(question.exclusions) if after < step <= before}
        if not served or any(event.bars & spans and since + 2 < event.time < served[0].time - 2 for event in events):
            break
        chain.append(served[0])
    return len(chain)


def amplitude_any(events: Sequence[Event], question: Question) -> int:
    """Step 1, then distinct events for as many other steps as may be; two alike within a second are one."""
    alone = list({(event.time, event.steps): event for event in reversed(events)}.values())

    def most(steps: Sequence[int], left: Sequence[Event]) -> int:
        if not steps:
            return 0
        others = [most(steps[1:], [e for e in left if e is not event]) + 1 for event in left if steps[0] in event.steps]
        return max([most(steps[1:], left), *others])

    def level(entry: Event) -> int:
        later = [e for e in alone if e is not entry and entry.time <= e.time <= entry.time + question.window]
        return 1 + most(range(1, len(question.withins)), later)

    return max((level(entry) for entry in in_range(alone, question) if 0 in entry.steps), default=0)


def amplitude(events: Sequence[Event], question: Question) -> int:
    seen: set[tuple[int, frozenset[int]]] = set()
    alone = []
    for event in events:
        if (event.time, event.steps) in seen:
            event = replace(event, steps=frozenset())
        seen.add((event.time, event.steps))
        alone.append(event)
    return judge(alone, question).level


@pytest.mark.parametrize(
    ("name", "level", "order", "disjoint", "excluding"),
    [
        ("posthog", by_definition, "sequential", True, False),
        ("posthog", by_definition, "any", True, False),
        ("posthog", posthog_strict, "strict", True, False),
        ("umami", umami, "sequential", False, False),
        ("mixpanel", mixpanel, "sequential", False, True),
        ("amplitude", amplitude, "sequential", False, True),
        ("amplitude", amplitude_any, "any", False, False),
    ],
)
def test_the_preset_follows_its_rule(name: str, level: Level, order: str, disjoint: bool, excluding: bool) -> None:
    converted = 0
    for number in range(QUESTIONS):
        random = Random(f"{name} {order} {number}")
        question = replace(plain_question(random), order=order)  # type: ignore[arg-type]
        question = replace(question, exclusions=random_exclusions(question, random) if excluding else ())
        units = [dressed_events(question, random) for _ in range(UNITS)]
        if disjoint:
            units = [one_step_each(events) for events in units]
        if level is posthog_strict:
            units = [list({event.time: event for event in events}.values()) for events in units]
        converted += agrees(name, level, question, units)
    assert converted > QUESTIONS * UNITS // 20
