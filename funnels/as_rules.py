"""From a question to the matcher's rules."""

from __future__ import annotations

from datetime import datetime

from funnels.ask import Funnel
from funnels.match import Exclusion, Rules
from funnels.periods import periods


def rules_of(request: Funnel, as_of: datetime) -> Rules:
    """The request as the matcher's rules; the trend's edges are those of whole periods."""
    buckets = [] if request.trend is None else periods(request.start, request.end, request.trend, request.zone)
    return Rules(
        withins=tuple(step.within for step in request.steps),
        window=request.window,
        start=request.start,
        end=request.end,
        as_of=as_of,
        edges=(*(bucket.start for bucket in buckets), *(bucket.end for bucket in buckets[-1:])),
        order=request.order,
        ties=request.ties,
        optional=frozenset(number for number, step in enumerate(request.steps) if step.optional),
        reentry=request.reentry,
        witness=request.witness,
        count=request.count,
        exclusions=tuple(Exclusion(one.after, one.before) for one in request.exclude),
    )
