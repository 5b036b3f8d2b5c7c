"""A funnel over raw events, from the question to the answer: read the streams, match them, tell the result.

Events and identity are read at one pair of versions, so that no answer mixes two states; ``person_now`` and ``account_now``
are those of the last build. Lists of people and the explanation of one unit read the same way (``listing``, ``explain``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from funnels import presets
from funnels.as_rules import rules_of
from funnels.ask import Funnel
from funnels.bounds import within_limits, within_memory
from funnels.cohort_sql import bind_cohorts
from funnels.definitions.definition import Internal
from funnels.errors import nearest
from funnels.filter_sql import Parameters
from funnels.groups import Grouping, breakdown
from funnels.match import Outcome, Rules, match_streams
from funnels.reading.accounts import Accounts, accounts
from funnels.reading.people import people
from funnels.reading.session_units import find_sessions
from funnels.reading.stream_sql import Query
from funnels.reading.streams import Found, missing_names, read_streams
from funnels.reading.who import Who
from funnels.restate import definition
from funnels.result import GROUPS, Histogram, answer
from funnels.steps import Json
from funnels.times import iso
from funnels.traffic import TABLE, condition
from ingest.lake import Lake
from transforms.domains import OFF, Domains
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.identity import DEFAULT_VIEW, View
from transforms.manifest import Manifest
from transforms.overlay import NEWEST, Identity, identity

NOBODY: Final = Internal()
NO_BUILD: Final = "there is no build yet: person_now, account_now and stages hold nobody"


@dataclass(frozen=True)
class Source:
    """Where a funnel is asked.

    ``complete_until``: the data's completeness mark, the latest ``as_of`` there can be. ``version``: of the events, None
    where there are none. ``domains``: as the build was given. ``view``: how identity is seen. ``internal``: the traffic that
    is left out.
    """

    lake: Lake
    project: str
    version: int | None
    complete_until: datetime
    manifest: Manifest | None
    limits: Limits = DEFAULT_LIMITS
    domains: Domains = OFF
    view: View = DEFAULT_VIEW
    internal: Internal = NOBODY
    ledger: int | None = NEWEST  # version of the ledger of identity

    def as_of(self, request: Funnel) -> datetime:
        return self.complete_until if request.as_of is None else min(request.as_of, self.complete_until)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """Events at one version, who is who at the same, and the last build's people and accounts; within the limits."""
        tables = {} if self.manifest is None else self.manifest.tables
        known = self.identity()
        built = {name: tables.get(name) for name in ("people", "accounts", "stages", TABLE)}
        versions = {"events": self.version, **built, **known.built}
        with (
            Engine(self.lake, self.project, versions, self.limits, known.bind) as engine,
            within_limits(engine, self.limits),
        ):
            yield engine

    def identity(self) -> Identity:
        with within_memory(self.limits):
            return identity(
                self.lake, self.project, self.version, self.manifest, self.limits, self.domains, self.view, self.ledger
            )

    def who(self) -> Who:
        return people(self.lake, self.project, self.identity(), self.manifest)

    def accounts(self, who: Who) -> Accounts:
        """Those of the people ``who``."""
        return accounts(self.lake, self.project, self.identity(), who)

    def asking(self, engine: Engine, request: Funnel, *, named: bool = False) -> Asking:
        """Makes the relations that the question's queries read; ``named``: its units will be."""
        as_of = self.as_of(request)
        sessions = None
        if request.unit == "session":
            query = Query(request, as_of)
            whole = named or any(step.first_ever for step in request.steps)
            span = (None if whole else query.first_moment, None if named else query.last_moment)
            sessions = partial(find_sessions, engine, *span)
        if named and sessions is not None:
            sessions()
        internal = None if request.internal == "include" else self.internal
        cohorts = bind_cohorts(engine, {cohort.name: cohort for cohort in request.cohorts}, as_of, internal)
        return Asking(engine, request, as_of, internal, cohorts, self.who, self.accounts, named, None if named else sessions)


@dataclass(frozen=True)
class Asking:
    """A question with all that its queries need. ``internal``: the traffic that is left out, None where none is."""

    engine: Engine
    request: Funnel
    as_of: datetime
    internal: Internal | None
    cohorts: Mapping[str, str]
    who: Callable[[], Who]
    accounts: Callable[[Who], Accounts]
    named: bool
    prepare: Callable[[], None] | None

    def query(self, *, with_ids: bool = False, unit: object = None) -> Query:
        """Of all units, or of one; ``with_ids``: events are told by their ids."""
        parameters = Parameters()
        left_out = "false" if self.internal is None else condition(self.engine, self.internal, parameters)
        insiders = () if self.internal is None else self.internal.where
        asked = Query(self.request, self.as_of, left_out, parameters, self.cohorts, with_ids, unit)
        asked = replace(asked, insiders=insiders, named=self.named, prepare=self.prepare)
        return replace(asked, who=self.who, accounts=self.accounts)


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
    """The answer of section 7 to a request that ``funnels.request.parse`` has read; see ``Source``."""
    version = lake.version(project, "events")
    source = Source(lake, project, version, complete_until, manifest, limits, domains, view, internal)
    return answer_of(source, request)


def answer_of(source: Source, request: Funnel) -> Json:
    """The answer of section 7."""
    with source.engine() as engine:
        rules = rules_of(request, source.as_of(request))
        found = read_streams(engine, source.asking(engine, request).query(), source.limits, rules)
        missing = missing_names(engine, request.named)
    matched = match(request, found, rules, source.limits)
    labels = [step.label for step in request.steps]
    limit = GROUPS if request.breakdown is None else request.breakdown.limit
    times = request.time_to_convert
    histogram = None if times is None else Histogram(times.start, times.end, times.bins)
    return {
        **answer(matched.outcome, labels, matched.rules, request.zone, matched.grouping, limit, histogram),
        "definition": definition(request, matched.rules.as_of),
        "warnings": [
            *_moved(request, matched.rules.as_of),
            *map(_never, missing, missing.values()),
            *([NO_BUILD] if request.reads_build and source.manifest is None else []),
        ],
        "data": data_of(source, found),
    }


@dataclass(frozen=True)
class Matched:
    """What became of each unit, and the groups if they were asked for."""

    rules: Rules
    outcome: Outcome
    grouping: Grouping | None


def match(request: Funnel, found: Found, rules: Rules, limits: Limits) -> Matched:
    """Match every unit: by the definition, or by a preset's rules. Raises ``TooLarge``."""
    streams, by = found.streams, request.breakdown
    matcher = match_streams if request.preset is None else partial(presets.match, request.preset)
    with within_memory(limits):
        outcome = found.outcome or matcher(streams, rules)
        if by is None:
            return Matched(rules, outcome, None)
        return Matched(rules, outcome, breakdown(outcome, streams, rules, found.groups, by.attribution, matcher, limits))


def data_of(source: Source, found: Found) -> Json:
    """Which data was read, and how many events of it are in no stream."""
    return {
        "events": source.version,
        "actors": None if source.manifest is None else source.manifest.number,
        "complete_until": iso(source.complete_until),
        "events_without_unit": found.without_unit,
        "bots_left_out": found.bots,
        "internal_left_out": found.internal,
    }


def _moved(request: Funnel, as_of: datetime) -> list[str]:
    if request.as_of is None or request.as_of == as_of:
        return []
    return [f"as_of {iso(request.as_of)} is later than the data is complete: brought back to {iso(as_of)}"]


def _never(name: str, occurred: list[str]) -> str:
    near = ", ".join(repr(other) for other in nearest(name, occurred))
    return f"no event {name!r} has ever occurred" + (f"; the nearest names are {near}" if near else "")
