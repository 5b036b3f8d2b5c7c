"""A build: bring every model up to date with what moved, check the tables, commit what changed, publish a manifest.

    what moved    events and ledger are compared with those of the build in force (``news.py``)
    the plan      per model: keep, repair or whole (``stale.py``)
    who is who    models up to the first one by day, in their order
    days          models by day: a repair in one round; made anew, in a round for each month, from nothing
    the rest      in their order
    then          checks, a commit per table, what past numbers moved (``changes.py``), the manifest

A repair makes the relations that say which keys are stale, gives the model's text just what these keys need, and puts the
rows in the place of those that are stored (``repair.py``). Making anew takes the same way with all rows.

Constraints
- First the ledger of identity gathers the new events' links: facts, true whatever becomes of the build. Nothing else is
  committed before every model ran and every check holds; nothing is in force before the manifest is published. So a fault
  anywhere leaves the last good tables to the readers.
- Building twice changes nothing: where nothing moved no model runs, and rows that are equal are not written.
- The build knows no model by itself: ``CORE`` is data, and whoever builds appends theirs to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ingest.lake import Lake
from transforms import changes, checks, news, spans
from transforms.amend import amend
from transforms.behind import Behind
from transforms.beside import events_checked
from transforms.commits import same_rows
from transforms.draft import Draft
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.errors import CheckFailed, Violation
from transforms.fill import Filling
from transforms.leaf_writer import LEAF_ROWS
from transforms.ledger import LEDGER, gather
from transforms.manifest import Manifest, current, next_number, publish
from transforms.model import Model
from transforms.repair import Repair
from transforms.stale import Known, News, Step, made_of, plan
from transforms.tables import ID_LINKS, TABLES

_MANY: Final = 1_000_000  # events: what fewer move is always repaired


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
    leaf_rows: int = LEAF_ROWS,
) -> BuildResult:
    """Brings every model up to date with the newest events and puts the result in force.

    Raises ``ModelFailed``, ``CheckFailed``, ``Overtaken`` or what the store raises; the last good tables stay in force then.
    """
    began = time.perf_counter()
    previous, number = current(lake, project), next_number(lake, project)
    before = previous.tables if previous else {}
    events = as_built(lake, project, "events", before, lake.version(project, "events"))
    moved = {"events": news.moved(lake, project, "events", before.get("events"), events)}
    ledger = as_built(lake, project, LEDGER, before, _gather(lake, project, events, moved["events"], limits))
    moved[LEDGER] = news.moved(lake, project, LEDGER, before.get(LEDGER), ledger)
    read = {"events": events, LEDGER: ledger}
    known = _known(models, definition_version)
    with ExitStack() as stack:
        engine = stack.enter_context(Engine(lake, project, read, limits))
        behind = stack.enter_context(Behind(lake, project, limits))
        told = _news(engine, moved)
        steps = plan(known, previous.made_of if previous else {}, before, told)
        drafts = _drafts(stack, engine, steps, before, {model.query.name: model for model in models}, leaf_rows, behind)
        if any(step != "keep" for step in steps.values()):
            whole = "whole" in steps.values()
            months = [part.relation for part in spans.parts(lake, project, events)] if whole else []
            found = stack.enter_context(events_checked(lake, project, events, months, limits)) if whole else list
            _run(engine, Repair(engine, models, drafts), steps, events, before)
            _check(engine, steps, months, found, now)
            if previous is not None:
                draft_of = Manifest(number, {}, until, now, definition_version)
                anew = {name for name, step in steps.items() if step == "whole"}
                changes.note(engine, drafts.keys(), anew, previous, draft_of, _zone(models))
        versions = _commit(drafts, before)
        rows = sum(draft.rows for draft in drafts.values())
    changed = any(before.get(name) != version for name, version in versions.items())
    versions |= {name: version for name, version in read.items() if version is not None}
    fingerprints = {one.name: one.made_of for one in known}
    manifest = Manifest(number, versions, until, now, definition_version, fingerprints)
    if previous is not None and _says_the_same(previous, manifest):
        manifest = previous
    else:
        publish(lake, project, manifest)
    return BuildResult(manifest, before, rows, time.perf_counter() - began, changed)


def check_tables(lake: Lake, project: str, limits: Limits = DEFAULT_LIMITS) -> int:
    """Every check over all rows of the tables in force, which builds check no more of than they moved; returns how many ran.

    Raises ``CheckFailed``; the tables stay in force, and a build of everything anew is what mends them.
    """
    manifest = current(lake, project)
    if manifest is None:
        return 0
    with Engine(lake, project, manifest.tables, limits) as engine:
        months = [part.relation for part in spans.parts(lake, project, manifest.tables.get("events"))]
        return checks.run(engine, months=months)


def as_built(lake: Lake, project: str, table: str, built: Mapping[str, int], version: int | None) -> int | None:
    """The version that a build read, where ``version`` has the same rows: tidied or swept since, and nothing else."""
    return built[table] if table in built and same_rows(lake, project, table, built[table], version) else version


def _news(engine: Engine, moved: Mapping[str, news.Moved | None]) -> News:
    """Makes ``moved_events`` and ``moved_id_links``. Where a good part of all events moved, to make all anew costs less."""
    for table, files in moved.items():
        news.bind(engine, engine.lake, engine.project, table, f"moved_{table}", files or news.Moved())
    many = False
    if moved["events"]:
        counts = "select (select count(*) from base.moved_events) as moved, (select count(*) from base.events) as total"
        count = engine.table(counts).to_pylist()[0]
        many = count["moved"] > _MANY and count["moved"] * 4 > count["total"]
    return News(frozenset(name for name, files in moved.items() if files), None not in moved.values() and not many)


def _gather(lake: Lake, project: str, events: int | None, moved: news.Moved | None, limits: Limits) -> int | None:
    if moved is not None and not moved.came:
        return lake.version(project, LEDGER)
    if moved is not None and amend(lake, project, moved, limits):
        return gather(lake, project, events, limits)
    uri = lake.uri(project, "events")
    return gather(lake, project, events, limits, None if moved is None else [f"{uri}/{path}" for path in moved.came])


def _known(models: Sequence[Model], definition_version: str) -> list[Known]:
    """The stored models as the plan looks at them: relations are part of whoever reads them."""
    relations = {model.query.name: model for model in models if model.query.kind == "relation"}

    def reads(model: Model) -> frozenset[str]:
        own = [reads(relations[name]) if name in relations else {name} for name in model.query.reads]
        return frozenset(name for names in own for name in names if name in TABLES or name in ("events", LEDGER))

    def print_of(model: Model) -> str:
        schema = TABLES.get(model.query.name)
        columns = [] if schema is None else [str(column) for column in schema]
        given = f"{model.given} {definition_version if model.inputs else ''}"
        below = [print_of(relations[name]) for name in model.query.reads if name in relations]
        return made_of(model.query.text, columns, model.params, given, below)

    return [
        Known(model.query.name, model.query.kind, reads(model), print_of(model))
        for model in models
        if model.query.name not in relations
    ]


def _drafts(
    stack: ExitStack,
    engine: Engine,
    steps: dict[str, Step],
    before: Mapping[str, int],
    models: Mapping[str, Model],
    leaf_rows: int,
    behind: Behind,
) -> dict[str, Draft]:
    """The stored tables as they are to be repaired; one by day that is made anew begins without a row."""
    drafts = {}
    for name, step in steps.items():
        query = models[name].query
        draft = (
            Filling(engine, query, leaf_rows=leaf_rows)
            if step == "whole" and query.kind == "by_day"
            else Draft(engine, query, before.get(name), leaf_rows=leaf_rows, behind=behind)
        )
        drafts[name] = draft
        stack.callback(draft.discard)
    return drafts


def _run(engine: Engine, repair: Repair, steps: Mapping[str, Step], events: int | None, before: Mapping[str, int]) -> None:
    """Runs the stored models: who is who, days, the rest."""
    stored = [model for model in repair.models if model.query.kind != "relation"]
    by_day = [model for model in stored if model.query.kind == "by_day"]
    first = stored.index(by_day[0]) if by_day else len(stored)
    engine.bind("fresh_links", ID_LINKS.empty_table())
    for model in stored[:first]:
        if model.query.name == "memberships":
            repair.bind_moved()
        repair.make(model, steps[model.query.name])
    _run_days(engine, repair, by_day, steps, events, before)
    for model in stored[first:]:
        if model.query.kind != "by_day":
            repair.make(model, steps[model.query.name])


def _run_days(
    engine: Engine,
    repair: Repair,
    models: Sequence[Model],
    steps: Mapping[str, Step],
    events: int | None,
    before: Mapping[str, int],
) -> None:
    zone = _zone(models)
    every = spans.parts(engine.lake, engine.project, events)
    if repaired := [model for model in models if steps[model.query.name] == "repair"]:
        spans.prepare(engine, every, zone)
        for model in repaired:
            repair.make(model, "repair")
    if anew := [model for model in models if steps[model.query.name] == "whole"]:
        for part in every:
            repair.bind_part(part.relation)
            spans.prepare_part(engine, every, part, zone, alone=len(anew) < len(models))
            for model in anew:
                repair.fill(model, part.month)
        for model in anew:
            repair.finish(model, before)


def _zone(models: Sequence[Model]) -> str:
    return next((str(model.params["zone"]) for model in models if "zone" in model.params), "UTC")


def _check(
    engine: Engine, steps: Mapping[str, Step], months: Sequence[str], found: Callable[[], Sequence[Violation]], now: datetime
) -> None:
    """Of a repair what it moved is checked, of tables made whole everything but what is left for the night."""
    lake, project = engine.lake, engine.project
    try:
        if "whole" in steps.values():
            checks.run(engine, months=months, at_night=False, found=found)
            checks.leave_to_night(lake, project, now)
        else:
            checks.run_repaired(engine)
    except CheckFailed as failed:
        checks.remember(lake, project, now, failed.violations)
        raise
    checks.remember(lake, project, now, ())


def _commit(drafts: Mapping[str, Draft], before: Mapping[str, int]) -> dict[str, int]:
    """The versions that hold the tables: the one in force where it holds the same rows, else a new one."""
    for draft in drafts.values():
        draft.settle()
    versions = {name: draft.commit() for name, draft in drafts.items()}
    return {name: version for name, version in versions.items() if version is not None}


def _says_the_same(one: Manifest, other: Manifest) -> bool:
    parts = [(each.tables, each.complete_until, each.definition_version, each.made_of) for each in (one, other)]
    return parts[0] == parts[1]
