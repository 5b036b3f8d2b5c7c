"""What does not go together in a funnel's question, each refused with what would.

- order ``any`` has no optional steps, no ``within``, and exclusions without ``after`` and ``before``: there is no order that
  they could speak of.
- A tolerance of ties needs order ``sequential``, no exclusions, and steps that no one event can serve.
- A preset has the options that its product has.
- An exclusion lies between two required steps, a number as attribution names one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import numpy as np

from funnels.as_rules import rules_of
from funnels.ask import ANY_EVENT, Exclude, Funnel, Step
from funnels.durations import format_duration
from funnels.errors import Faults, suggestion
from funnels.filters import COHORT
from funnels.match import Streams
from funnels.presets import PRESETS, refused


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
    _check_preset(funnel, body, faults)
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
        message = "an exclusion lies between two required steps; this funnel has one"
        faults.add(path, _written(body, number), [], message)
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


def _written(body: Mapping[str, object], number: int) -> object:
    exclusions = body.get("exclude")
    return exclusions[number] if isinstance(exclusions, list) else None


def _given(body: Mapping[str, object], number: int) -> list[str]:
    found = _written(body, number)
    return [key for key in ("after", "before") if isinstance(found, Mapping) and found.get(key) is not None]


def _check_attribution(funnel: Funnel, faults: Faults) -> None:
    touch = None if funnel.breakdown is None else funnel.breakdown.attribution
    required = [step + 1 for step in funnel.required]
    if isinstance(touch, int) and touch + 1 not in required:
        faults.add("breakdown.attribution", touch + 1, required, "attribution by a step's number needs a required step")


def _check_preset(funnel: Funnel, body: Mapping[str, object], faults: Faults) -> None:
    """The options that its product has no rule for, as ``funnels.presets`` names them: ``order: any``, ``hold``."""
    if funnel.preset is None:
        return
    none, held = np.zeros(0, np.int64), np.zeros(len(funnel.hold), np.int32)
    streams = Streams(none.astype(np.int32), none, none, 0, held=held)
    for option in refused(funnel.preset, streams, rules_of(replace(funnel, trend=None), funnel.end)):
        key = re.split("[: ]", option)[0]
        path = key if key in body else "preset"
        found = body[path] if key in body else funnel.preset
        faults.add(path, found, sorted(PRESETS[funnel.preset].allows), f"the preset {funnel.preset} has no {option}")


def check_cohorts(body: Mapping[str, object], known: Collection[str], faults: Faults) -> None:
    """Note every cohort that is named anywhere and that there is not."""
    for path, found in _named_cohorts({key: value for key, value in body.items() if key != "cohorts"}, ""):
        name = found.removeprefix(COHORT)
        if name not in known:
            allowed = [f"{COHORT}{one}" for one in sorted(known)]
            faults.add(path, found, allowed, f"no such cohort{suggestion(name, known)}")


def _named_cohorts(found: object, path: str) -> Iterator[tuple[str, str]]:
    """Where a property stands: in conditions, in ``hold`` and in ``by``."""
    if isinstance(found, Mapping):
        for key, value in found.items():
            at = f"{path}.{key}" if path else str(key)
            if key == "property" and isinstance(value, str) and value.startswith(COHORT):
                yield at, value
            elif key in ("hold", "by") and isinstance(value, list):
                names = [(f"{at}[{number}]", one) for number, one in enumerate(value)]
                yield from ((place, one) for place, one in names if isinstance(one, str) and one.startswith(COHORT))
            else:
                yield from _named_cohorts(value, at)
    elif isinstance(found, list):
        for number, value in enumerate(found):
            yield from _named_cohorts(value, f"{path}[{number}]")
