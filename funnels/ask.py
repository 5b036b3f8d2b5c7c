"""A funnel as a question: frozen, checked, with every default filled in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from funnels.durations import format_duration
from funnels.filters import Filter, conditions, filters_as_json
from funnels.periods import Grain
from funnels.result import iso

Unit = Literal["person", "account"]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)
Traffic = Literal["exclude", "include"]  # internal traffic: left out, or put back in
TRAFFIC: Final[tuple[Traffic, ...]] = get_args(Traffic)
ANY_EVENT: Final = "*"

# What the definition has and this engine answers in one way only: the values each option takes, its default first.
FIXED: Final[dict[str, tuple[object, ...]]] = {
    "order": ("sequential",),
    "ties": ("in_order",),
    "reentry": ("any",),
    "witness": ("earliest",),
    "count": ("units",),
    "hold": ([],),
    "exclude": ([],),
    "breakdown": (None,),
    "time_to_convert": (None,),
}
FIXED_OF_STEP: Final[dict[str, tuple[object, ...]]] = {"optional": (False,), "first_ever": (False,)}


@dataclass(frozen=True, slots=True)
class Choice:
    """One kind of event that serves a step: its name (or ANY_EVENT), and all that must hold of it."""

    event: str
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Any of ``choices`` serves it; ``where`` must hold besides."""

    choices: tuple[Choice, ...]
    label: str
    within: timedelta | None = None
    where: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Funnel:
    """One question. Entries count if ``start <= t < end``; ``as_of`` None is the data's completeness mark."""

    steps: tuple[Step, ...]
    start: datetime
    end: datetime
    window: timedelta
    zone: ZoneInfo
    unit: Unit = "person"
    where: tuple[Filter, ...] = ()
    trend: Grain | None = None
    as_of: datetime | None = None
    internal: Traffic = "exclude"

    @property
    def event_names(self) -> tuple[str, ...]:
        """The names asked for, each once, in order; without ANY_EVENT."""
        names = (choice.event for step in self.steps for choice in step.choices)
        return tuple(dict.fromkeys(name for name in names if name != ANY_EVENT))

    @property
    def takes_any_event(self) -> bool:
        return any(choice.event == ANY_EVENT for step in self.steps for choice in step.choices)

    @property
    def properties(self) -> frozenset[str]:
        """Every property that a filter reads."""
        parts = [self.where, *(part for step in self.steps for part in (step.where, *(one.where for one in step.choices)))]
        return frozenset(condition.property for part in parts for condition in conditions(part))


def definition(funnel: Funnel, as_of: datetime) -> dict[str, object]:
    """The request with every default filled in: asked again, it gives the same funnel."""
    fixed = {name: values[0] for name, values in FIXED.items()}
    return {
        "steps": [_step_as_json(step) for step in funnel.steps],
        "from": iso(funnel.start),
        "to": iso(funnel.end),
        "timezone": funnel.zone.key,
        "window": format_duration(funnel.window),
        "unit": funnel.unit,
        "where": filters_as_json(funnel.where),
        "trend": funnel.trend,
        "as_of": iso(as_of),
        "internal": funnel.internal,
        **fixed,
    }


def _step_as_json(step: Step) -> dict[str, object]:
    events = [{"event": choice.event, "where": filters_as_json(choice.where)} for choice in step.choices]
    return {
        **({"event": step.choices[0].event} if len(events) == 1 and not step.choices[0].where else {"any_of": events}),
        "where": filters_as_json(step.where),
        "within": None if step.within is None else format_duration(step.within),
        "label": step.label,
        **{name: values[0] for name, values in FIXED_OF_STEP.items()},
    }
