"""What does not go together in a funnel's question, each refused with what would.

- order ``any`` has no optional steps, no ``within``, and exclusions without ``after`` and ``before``: there is no order that
  they could speak of.
- A tolerance of ties needs order ``sequential``, no exclusions, and steps that no one event can serve.
- An exclusion lies between two required steps, a number as attribution names one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import combinations

from funnels.ask import ANY_EVENT, Exclude, Funnel, Step
from funnels.durations import format_duration
from funnels.errors import Faults


def check_together(funnel: Funnel, body: Mapping[str, object], faults: Faults) -> None:
    """Note what does not go together in the funnel that was read from ``body``."""
    if not funnel.steps:
        return
    if funnel.order == "any":
        _check_any_order(funnel, faults)
    if isinstance(funnel.ties, timedelta):
        _check_tolerance(funnel, body.get("ties"), faults)
    for number, one in enumerate(funnel.exclude):
        if one.choices:  # else it could not be read
            _check_exclusion(one, number, funnel, body, faults)
    _check_attribution(funnel, faults)
    times = funnel.time_to_convert
    if times is not None and times.start >= times.end:
        allowed = ["a step after time_to_convert.from"]
        faults.add("time_to_convert.to", times.end + 1, allowed, "time_to_convert goes from one step to a later one")


def _check_any_order(funnel: Funnel, faults: Faults) -> None:
    for number, step in enumerate(funnel.steps):
        if step.optional:
            faults.add(f"steps[{number}].optional", True, [False], "under order any no step is optional")
        if step.within is not None and number > 0:
            message = "under order any there is no step before; use window"
            faults.add(f"steps[{number}].within", format_duration(step.within), [None], message)


def _check_tolerance(funnel: Funnel, found: object, faults: Faults) -> None:
    if funnel.order != "sequential":
        faults.add("ties", found, ["in_order", "strict"], f"a tolerance needs order sequential, not {funnel.order}")
    if funnel.exclude:
        faults.add("ties", found, ["in_order", "strict"], "a tolerance does not go with exclusions")
    for one, other in _overlapping(funnel.steps):
        message = f"a tolerance needs steps that no one event can serve; {one + 1} and {other + 1} may share one"
        faults.add("ties", found, ["in_order", "strict"], message)


def _overlapping(steps: tuple[Step, ...]) -> Iterator[tuple[int, int]]:
    """Pairs of steps with a name in common, whatever their filters say."""
    for (one, step), (other, later) in combinations(enumerate(steps), 2):
        if ANY_EVENT in step.event_names | later.event_names or step.event_names & later.event_names:
            yield one, other


def _check_exclusion(one: Exclude, number: int, funnel: Funnel, body: Mapping[str, object], faults: Faults) -> None:
    path, required = f"exclude[{number}]", [step + 1 for step in funnel.required]
    if len(required) < 2:
        faults.add(path, None, [], "an exclusion lies between two required steps; this funnel has one")
        return
    if funnel.order == "any":
        for key in _given(body, number):
            message = "under order any an exclusion lies between the first event and the last, and names no steps"
            faults.add(f"{path}.{key}", getattr(one, key) + 1, [None], message)
        return
    for key, step in (("after", one.after), ("before", one.before)):
        if step + 1 not in required:
            faults.add(f"{path}.{key}", step + 1, required, f"{key} must be a required step")
    if one.after >= one.before:
        later = [step for step in required if step > one.after + 1]
        faults.add(f"{path}.before", one.before + 1, later, "before must be a later step than after")


def _given(body: Mapping[str, object], number: int) -> list[str]:
    exclusions = body.get("exclude")
    found = exclusions[number] if isinstance(exclusions, list) else None
    return [key for key in ("after", "before") if isinstance(found, Mapping) and found.get(key) is not None]


def _check_attribution(funnel: Funnel, faults: Faults) -> None:
    touch = None if funnel.breakdown is None else funnel.breakdown.attribution
    required = [step + 1 for step in funnel.required]
    if isinstance(touch, int) and touch + 1 not in required:
        faults.add("breakdown.attribution", touch + 1, required, "attribution by a step's number needs a required step")
