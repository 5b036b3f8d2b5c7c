"""A build: run the models over the events of one version, check them, store what changed, publish a manifest.

Constraints
- First the ledger of identity gathers the new events' links: facts, true whatever becomes of the build. Nothing else is
  written before every model ran and every check holds; nothing is in force before the manifest is published. So a fault
  anywhere leaves the last good tables to the readers.
- Building twice changes nothing: rows come in the order of their grain, and a table equal to the stored one is not written.
- The build knows no model by itself: ``CORE`` is data, and whoever builds appends theirs to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import pyarrow as pa

from ingest.lake import Lake
from sql.loader import Query, load
from transforms import checks, identity
from transforms.commits import same_rows
from transforms.domains import OFF, Domains
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.errors import CheckFailed, ModelFailed
from transforms.ledger import LEDGER, gather
from transforms.manifest import Manifest, current, next_number, publish
from transforms.tables import ID_LINKS, TABLES

Inputs = Callable[[Engine], Mapping[str, pa.Table]]


@dataclass(frozen=True)
class Model:
    """A query with its parameters, and relations that must be bound before it runs.

    A query of kind 'relation' is not stored, only bound for the models after it.
    """

    query: Query
    params: Mapping[str, object] = field(default_factory=dict)
    inputs: Inputs | None = None


def who_is_who(view: identity.View = identity.DEFAULT_VIEW, domains: Domains = OFF) -> tuple[Model, ...]:
    """From the ledger to ``actors`` and ``memberships``, as a view of identity has it and e-mail domains form accounts."""
    return (
        Model(load("models", "links"), {"known_at": view.known_at}, partial(identity.ledger_relations, view)),
        Model(load("models", "runaway_ids"), {"runaway_links": view.runaway_links}),
        Model(load("models", "link_states")),
        Model(load("models", "seen_ids")),
        Model(load("models", "actors"), inputs=identity.user_roots),
        Model(load("models", "memberships"), params=domains.params, inputs=domains.relations),
    )


ABOUT_THEM: Final[tuple[Model, ...]] = (
    Model(load("models", "traits")),
    Model(load("models", "sessions")),
    Model(load("models", "first_touches"), params={"sign_up": "Signed Up"}),
    Model(load("models", "people")),
)


def core(view: identity.View = identity.DEFAULT_VIEW, domains: Domains = OFF, zone: str = "UTC") -> tuple[Model, ...]:
    """The models of every project; ``zone`` is an IANA name such as ``Europe/Berlin``, whose days ``activity`` counts by."""
    activity = Model(load("models", "activity"), params={"zone": zone})
    return (*who_is_who(view, domains), *ABOUT_THEM, activity, Model(load("models", "accounts")))


CORE: Final[tuple[Model, ...]] = core()


@dataclass(frozen=True)
class BuildResult:
    manifest: Manifest
    before: Mapping[str, int]  # the versions in force before
    rows: int  # in all tables the manifest names, events aside
    seconds: float
    changed: bool  # whether any table got a new version

    @property
    def after(self) -> Mapping[str, int]:
        return self.manifest.tables


def build(
    lake: Lake,
    project: str,
    models: Sequence[Model],
    *,
    until: datetime,
    definition_version: str,
    now: datetime,
    limits: Limits = DEFAULT_LIMITS,
) -> BuildResult:
    """Builds every model from the newest events and puts the result in force.

    Raises ``ModelFailed``, ``CheckFailed``, ``Overtaken`` or what the store raises; the last good tables stay in force then.
    """
    began = time.perf_counter()
    previous, number = current(lake, project), next_number(lake, project)
    before = previous.tables if previous else {}
    events = as_built(lake, project, "events", before, lake.version(project, "events"))
    ledger = as_built(lake, project, LEDGER, before, gather(lake, project, events, limits))
    try:
        tables = run(lake, project, models, events, ledger, limits)
    except CheckFailed as failed:
        checks.remember(lake, project, now, failed.violations)
        raise
    checks.remember(lake, project, now, ())
    versions = _store(lake, project, tables, before)
    changed = any(before.get(name) != version for name, version in versions.items())
    read = {"events": events, LEDGER: ledger}
    versions |= {name: version for name, version in read.items() if version is not None}
    same = previous is not None and (previous.tables, previous.complete_until, previous.definition_version) == (
        versions,
        until,
        definition_version,
    )
    if previous is None or not same:
        previous = Manifest(number, versions, until, now, definition_version)
        publish(lake, project, previous)
    rows = sum(rows.num_rows for rows in tables.values())
    return BuildResult(previous, before, rows, time.perf_counter() - began, changed)


def as_built(lake: Lake, project: str, table: str, built: Mapping[str, int], version: int | None) -> int | None:
    """The version that a build read, where ``version`` has the same rows: tidied or swept since, and nothing else."""
    return built[table] if table in built and same_rows(lake, project, table, built[table], version) else version


def run(
    lake: Lake, project: str, models: Sequence[Model], events: int | None, ledger: int | None, limits: Limits
) -> dict[str, pa.Table]:
    """The tables the models make of one version of the events and a ledger that has their links; checked, not stored."""
    with Engine(lake, project, {"events": events, LEDGER: ledger}, limits) as engine:
        engine.bind("fresh_links", ID_LINKS.empty_table())
        made = {model.query.name: make(engine, model) for model in models}
        checks.run(engine)
    return {name: rows for name, rows in made.items() if name in TABLES}


def make(engine: Engine, model: Model) -> pa.Table:
    """The rows of one model in the order of its grain; they are bound under its name for the models after it."""
    query = model.query
    try:
        for name, relation in (model.inputs(engine) if model.inputs else {}).items():
            engine.bind(name, relation)
        rows = engine.table(query.text, model.params)
        if query.kind != "relation":
            rows = rows.sort_by([(column, "ascending") for column in query.grain])
            rows = rows.select(TABLES[query.name].names).cast(TABLES[query.name])
    except Exception as error:
        raise ModelFailed(query.name, error) from error
    engine.bind(query.name, rows)
    return rows


def _store(lake: Lake, project: str, tables: Mapping[str, pa.Table], before: Mapping[str, int]) -> dict[str, int]:
    """The versions that hold ``tables``: the one in force where it holds the same rows, else a new one."""
    known = {name: before[name] for name in tables if name in before}
    with Engine(lake, project, known) as engine:
        same = {name for name in known if _equal(engine.table(f"from {name}"), tables[name])}
    return {name: before[name] if name in same else lake.replace(project, name, rows) for name, rows in tables.items()}


def _equal(stored: pa.Table, made: pa.Table) -> bool:
    """Whether two tables hold the same rows; their order does not matter."""
    if stored.num_rows != made.num_rows or stored.column_names != made.column_names:
        return False
    order = [(column, "ascending") for column in made.column_names]
    return bool(stored.cast(made.schema).sort_by(order).equals(made.sort_by(order)))
