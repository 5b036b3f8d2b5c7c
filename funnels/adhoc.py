"""A funnel over raw events, from the question to the answer: read the streams, match them, tell the result.

Events and identity are read at one pair of versions, so that no answer mixes two states; ``person_now`` and ``account_now``
are those of the last build.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from funnels.ask import Funnel, definition
from funnels.definition import Internal
from funnels.errors import nearest
from funnels.match import Rules, match_streams
from funnels.periods import periods
from funnels.result import Json, answer, iso
from funnels.streams import Found, missing_names, read_streams
from funnels.traffic import TABLE
from ingest.lake import Lake
from transforms.domains import OFF, Domains
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.identity import DEFAULT_VIEW, View
from transforms.manifest import Manifest
from transforms.overlay import identity

NOBODY: Final = Internal()


def funnel(
    lake: Lake,
    project: str,
    request: Funnel,
    *,
    complete_until: datetime,
    manifest: Manifest | None,
    limits: Limits = DEFAULT_LIMITS,
    domains: Domains = OFF,
    view: View = DEFAULT_VIEW,
    internal: Internal = NOBODY,
) -> Json:
    """The answer of section 7 to a request that ``funnels.request.parse`` has read.

    ``complete_until``: the data's completeness mark, the latest ``as_of`` there can be. ``domains``: as the build was given.
    ``view``: how identity is seen. ``internal``: the traffic that is left out.
    """
    as_of = complete_until if request.as_of is None else min(request.as_of, complete_until)
    version = lake.version(project, "events")
    with _engine(lake, project, version, manifest, limits, domains, view) as engine:
        found = read_streams(engine, request, as_of, internal)
        missing = missing_names(engine, request.event_names)
    rules = rules_of(request, as_of)
    outcome = match_streams(found.streams, rules)
    return {
        **answer(outcome, [step.label for step in request.steps], rules, request.zone),
        "definition": definition(request, as_of),
        "warnings": [*_moved(request, as_of), *map(_never, missing, missing.values())],
        "data": _data(version, manifest, complete_until, found),
    }


def rules_of(request: Funnel, as_of: datetime) -> Rules:
    """The request as the matcher's rules."""
    buckets = [] if request.trend is None else periods(request.start, request.end, request.trend, request.zone)
    edges = (*(bucket.start for bucket in buckets), *(bucket.end for bucket in buckets[-1:]))
    withins = tuple(step.within for step in request.steps)
    return Rules(withins, request.window, request.start, request.end, as_of, edges)


def _engine(
    lake: Lake,
    project: str,
    version: int | None,
    manifest: Manifest | None,
    limits: Limits,
    domains: Domains,
    view: View,
) -> Engine:
    """Events at one version, who is who at the same, and the last build's people and accounts."""
    tables = {} if manifest is None else manifest.tables
    known = identity(lake, project, version, manifest, limits, domains, view)
    built = {name: tables.get(name) for name in ("people", "accounts", TABLE)}
    engine = Engine(lake, project, {"events": version, **built, **known.built}, limits)
    known.bind(engine)
    return engine


def _moved(request: Funnel, as_of: datetime) -> list[str]:
    if request.as_of is None or request.as_of == as_of:
        return []
    return [f"as_of {iso(request.as_of)} is later than the data is complete: brought back to {iso(as_of)}"]


def _never(name: str, occurred: list[str]) -> str:
    near = ", ".join(repr(other) for other in nearest(name, occurred))
    return f"no event {name!r} has ever occurred" + (f"; the nearest names are {near}" if near else "")


def _data(version: int | None, manifest: Manifest | None, complete_until: datetime, found: Found) -> Json:
    return {
        "events": version,
        "actors": None if manifest is None else manifest.number,
        "complete_until": iso(complete_until),
        "events_without_unit": found.without_unit,
        "bots_left_out": found.bots,
        "internal_left_out": found.internal,
    }
