"""The way back from a ``Funnel`` to a request, with every default filled in: asked again, it gives the same funnel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from funnels.ask import Breakdown, Choice, Exclude, Funnel, Step, TimeToConvert
from funnels.cohorts import cohort_as_json
from funnels.durations import format_duration
from funnels.filters import Filter, filters_as_json
from funnels.steps import Json
from funnels.times import iso


def definition(funnel: Funnel, as_of: datetime) -> Json:
    """The request with every default filled in; ``as_of`` is the moment that it was answered for."""
    return {
        "steps": [_step(step) for step in funnel.steps],
        "from": iso(funnel.start),
        "to": iso(funnel.end),
        "timezone": funnel.zone.key,
        "window": format_duration(funnel.window),
        "order": funnel.order,
        "ties": format_duration(funnel.ties) if isinstance(funnel.ties, timedelta) else funnel.ties,
        "reentry": funnel.reentry,
        "witness": funnel.witness,
        "unit": funnel.unit,
        "count": funnel.count,
        "hold": list(funnel.hold),
        "exclude": [_exclude(one, funnel) for one in funnel.exclude],
        "where": filters_as_json(funnel.where),
        "breakdown": None if funnel.breakdown is None else _breakdown(funnel.breakdown),
        "trend": funnel.trend,
        "time_to_convert": None if funnel.time_to_convert is None else _time_to_convert(funnel.time_to_convert),
        "as_of": iso(as_of),
        "internal": funnel.internal,
        "preset": funnel.preset,
        "cohorts": {cohort.name: cohort_as_json(cohort) for cohort in funnel.cohorts},
    }


def _step(step: Step) -> Json:
    return {
        **_events(step.choices, step.where),
        "within": None if step.within is None else format_duration(step.within),
        "label": step.label,
        "optional": step.optional,
        "first_ever": step.first_ever,
    }


def _exclude(one: Exclude, funnel: Funnel) -> Json:
    """Under order any, exclusions lie between the first event and the last, and name no steps."""
    bounds = (None, None) if funnel.order == "any" else (one.after + 1, one.before + 1)
    return {**_events(one.choices, one.where), "after": bounds[0], "before": bounds[1]}


def _events(choices: Sequence[Choice], where: Sequence[Filter]) -> Json:
    plain = len(choices) == 1 and not choices[0].where
    several = [{"event": choice.event, "where": filters_as_json(choice.where)} for choice in choices]
    return {**({"event": choices[0].event} if plain else {"any_of": several}), "where": filters_as_json(where)}


def _breakdown(one: Breakdown) -> Json:
    touch = one.attribution + 1 if isinstance(one.attribution, int) else one.attribution
    return {"by": list(one.by), "attribution": touch, "limit": one.limit}


def _time_to_convert(one: TimeToConvert) -> Json:
    return {"from": one.start + 1, "to": one.end + 1, "bins": one.bins}
