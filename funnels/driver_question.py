"""What is asked about drivers: a funnel's body with one key more, read into a frozen question.

{"steps": [...], ..., "drivers": {"from": 1, "to": 3, "period": "1d", "limit": 50}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from funnels.ask import Funnel
from funnels.driver_sql import CANDIDATES
from funnels.durations import format_duration
from funnels.errors import Faults
from funnels.reader import Reader
from funnels.request import KEYS, NOTHING, Known, body_of, read
from funnels.steps import Json

_KEYS: Final = ("from", "to", "period", "limit")


@dataclass(frozen=True, slots=True)
class DriverQuestion:
    """Steps count from 0; ``period`` None: a quarter of the conversions."""

    funnel: Funnel
    start: int
    end: int
    period: timedelta | None = None
    limit: int = 50


def parse_drivers(body: object, known: Known = NOTHING) -> DriverQuestion:
    """A funnel's body with ``drivers``; what only shapes a funnel's answer is left aside. Raises ``BadRequest``."""
    found, faults = body_of(body), Faults()
    faults.unknown_keys(found, (*KEYS, "drivers"), "")
    funnel = replace(read(found, known, faults), breakdown=None, trend=None, time_to_convert=None)
    own = found.get("drivers")
    if not isinstance(own, Mapping | None):
        faults.add("drivers", own, ['{"from": 1, "to": 2}', None], "write an object with from, to, period and limit")
        own = None
    faults.unknown_keys(own or {}, _KEYS, "drivers")
    reader, last = Reader(own or {}, "drivers.", faults), max(len(funnel.steps), 1)
    question = DriverQuestion(
        funnel,
        reader.number("from", 1, last, 1) - 1,
        reader.number("to", 1, last, last) - 1,
        reader.duration("period", required=False),
        reader.number("limit", 1, CANDIDATES, 50),
    )
    _check(question, faults)
    faults.raise_any()
    return question


def _check(question: DriverQuestion, faults: Faults) -> None:
    funnel, between = question.funnel, (question.start, question.end)
    required = [step + 1 for step in funnel.required]
    if question.start >= question.end:
        faults.add("drivers.to", question.end + 1, [f"{question.start + 2} or more"], "to is a later step than from")
    for name, step in zip(("from", "to"), between, strict=True):
        if step not in funnel.required and step < len(funnel.steps):
            faults.add(f"drivers.{name}", step + 1, required, "an optional step is no beginning or end")
    options: dict[str, tuple[object, tuple[str | None, ...]]] = {
        "unit": (funnel.unit, ("person", "account")),
        "count": (funnel.count, ("units",)),
        "preset": (funnel.preset, (None,)),
    }
    for option, (value, those) in options.items():
        if value not in those:
            faults.add(option, value, those, f"drivers are found with {option} {' or '.join(map(json.dumps, those))}")
    longest = longest_period(question) if funnel.steps else funnel.window
    if question.period is not None and not timedelta() < question.period <= longest:
        allowed = [f"more than nothing, at most {format_duration(timedelta(seconds=longest // timedelta(seconds=1)))}"]
        faults.add("drivers.period", format_duration(question.period), allowed, "period leaves no time to convert after it")


def longest_period(question: DriverQuestion) -> timedelta:
    """Half of what there is to convert in: the window, or the first ``within`` on the way."""
    withins = (question.funnel.steps[step].within for step in range(question.start + 1, question.end + 1))
    known = [within for within in withins if within is not None]
    return min([question.funnel.window, *known[:1]]) / 2


def question_as_json(question: DriverQuestion) -> Json:
    period = None if question.period is None else format_duration(question.period)
    return {"from": question.start + 1, "to": question.end + 1, "period": period, "limit": question.limit}
