"""A build: run the models over the events of one version, check them, store what changed, publish a manifest.

Constraints
- Nothing is written before every model ran and every check holds; nothing is in force before the manifest is published. So a
  fault anywhere leaves the last good tables to the readers.
- Building twice changes nothing: rows come in the order of their grain, and a table equal to the stored one is not written.
- The build knows no model by itself: ``CORE`` is data, and whoever builds appends theirs to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyarrow as pa

from ingest.lake import Lake
from sql.loader import Query, load
from transforms import checks, identity
from transforms.commits import same_rows
from transforms.domains import OFF
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.errors import CheckFailed, ModelFailed
from transforms.manifest import Manifest, current, next_number, publish
from transforms.tables import TABLES

Inputs = Callable[[Engine], Mapping[str, pa.Table]]


@dataclass(frozen=True)
class Model:
    """A query with its parameters, and relations that must be bound before it runs.

    A query of kind 'relation' is not stored, only bound for the models after it.
    """

    query: Query
    params: Mapping[str, object] = field(default_factory=dict)
    inputs: Inputs | None = None


CORE: Final[tuple[Model, ...]] = (
    Model(load("models", "actors"), inputs=identity.relations),
    Model(load("models", "memberships"), params=OFF.params, inputs=OFF.relations),
    Model(load("models", "traits")),
    Model(load("models", "sessions")),
    Model(load("models", "first_touches"), params={"sign_up": "Signed Up"}),
    Model(load("models", "people")),
    Model(load("models", "accounts")),
)


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
    events = lake.version(project, "events")
    if same_rows(lake, project, "events", before.get("events"), events):  # tidied since, and nothing else
        events = before.get("events")
    try:
        tables = run(lake, project, models, events, limits)
    except CheckFailed as failed:
        checks.remember(lake, project, now, failed.violations)
        raise
    checks.remember(lake, project, now, ())
    versions = _store(lake, project, tables, before)
    changed = any(before.get(name) != version for name, version in versions.items())
    if events is not None:
        versions["events"] = events
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


def run(lake: Lake, project: str, models: Sequence[Model], events: int | None, limits: Limits) -> dict[str, pa.Table]:
    """The tables the models make of one version of the events, checked, not stored."""
    with Engine(lake, project, {"events": events}, limits) as engine:
        made = {model.query.name: make(engine, model) for model in models}
        checks.run(engine)
    return {name: rows for name, rows in made.items() if name in TABLES}


def make(engine: Engine, model: Model) -> pa.Table:
    """The rows of one model in the order of its grain; they are bound under its name for the models after it."""
    query = model.query
    try:
        for name, relation in (model.inputs(engine) if model.inputs else {}).items():
            engine.bind(name, relation)
        rows = engine.table(query.text, model.params).sort_by([(column, "ascending") for column in query.grain])
        if query.kind != "relation":
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
