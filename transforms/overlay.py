"""Who is who at the newest events and the newest ledger, for questions asked on raw events.

A merge or its undo shows in them before the next build, as a small change laid over the built tables: of the few ids that
changed since (``identity.stale``) ``actors`` and memberships are worked out again by the models of the build, all others
stay as they are.

Constraints
- A build's versions and the newest are compared by their files. Where files of the build are gone, tidy rewrote them, and
  the log tells which files were added with new rows (``commits.py``; tidy leaves them on disk until the next build). Where
  rows were removed, or the log tells no more, everyone is worked out, as for a past moment (``View.known_at``).
- Everyone is worked out inside DuckDB, and the rows are handed on in a file mapped into memory: millions of them neither
  have to fit nor to be copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa

from ingest.lake import Lake
from transforms.build import as_built
from transforms.commits import added_since
from transforms.core import who_is_who
from transforms.domains import OFF, Domains
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.errors import ModelFailed
from transforms.identity import DEFAULT_VIEW, NARROW, RUNAWAYS, View, stale
from transforms.ledger import LEDGER, fresh_links
from transforms.manifest import Manifest
from transforms.model import Model
from transforms.tables import ACTORS, ID_LINKS, MEMBERSHIPS, SOLE_MEMBERSHIPS
from transforms.undo import EVER

_SCHEMAS: Final = {"actors": ACTORS, "memberships": MEMBERSHIPS, "sole_memberships": SOLE_MEMBERSHIPS}
_TABLES: Final = tuple(_SCHEMAS)
_NEEDED: Final = (*_TABLES, "runaway_ids", "seen_ids")
_LIMIT: Final = 1_000_000  # ids; where more changed, working out everyone costs no more
_ROWS: Final = 100_000  # handed on at a time
NEWEST: Final = -1  # version of the ledger

_ACTING: Final = """
select
    actor_id,
    case when user_id is not null then 'user:' || user_id else 'anonymous:' || anonymous_id end as id,
    min(time) as first_seen,
    bool_or( -- may belong to an account by it, or to one no more
        kind = 'group' or ($by_email and kind = 'identify') or (kind = 'track' and event = $left_by)
    ) as grouped
from events
group by all
"""
_GAINED: Final = """
select actor_id, owner_actor_id from gained_links
union all
select actor_id, owner_actor_id from fresh_links
"""
_NEWLY_SEEN: Final = """
select acting.actor_id, acting.id
from acting left join base.actors on actors.actor_id = acting.actor_id
where actors.actor_id is null or acting.first_seen < actors.first_seen
"""
_SEEN: Final = """
with seen as (
    select actor_id, id, first_seen from stale_seen
    union all
    select actor_id, id, first_seen from acting where actor_id in (select actor_id from stale_ids)
)
select actor_id, id, min(first_seen) as first_seen from seen group by actor_id, id
"""
_RUNAWAYS: Final = f"select * from base.runaway_ids where id not in (select id from stale_ids) union all {RUNAWAYS}"
_REGROUPED: Final = """
select person_id from base.actors where actor_id in (select actor_id from stale_ids)
union
select person_id from made_actors
union
select actors.person_id from actors join acting on acting.actor_id = actors.actor_id where acting.grouped
"""
_GROUPS: Final = """
select kind, event, account_id, time, event_id, actor_id, properties
from base.events
where event in ('$group', '$identify', $left_by)
    and (kind = 'group' or ($by_email and kind = 'identify') or (kind = 'track' and event = $left_by))
    and actor_id in (select actor_id from regrouped_actors)
"""
_LAID_OVER: Final[Mapping[str, str]] = {
    "actors": "select * from base.actors where actor_id not in (select actor_id from gone_actors)"
    " union all by name select * from made_actors",
    **{
        name: f"select * from base.{name} where person_id not in (select person_id from gone_{name})"
        f" union all by name select * from made_{name}"
        for name in ("memberships", "sole_memberships")
    },
}


@dataclass(frozen=True)
class Identity:
    """Who is who: what is to be laid over the tables of a build.

    ``built``: the versions of ``actors`` and both tables of memberships that the asking engine is to open, none where
    everyone was worked out. ``gone``: the keys of the built rows that count no more (``actor_id``, ``person_id``); ``made``:
    rows beside.
    """

    built: Mapping[str, int]
    made: Mapping[str, pa.Table]
    gone: Mapping[str, pa.Table] = field(default_factory=dict)

    def bind(self, engine: Engine) -> None:
        """Makes ``actors`` and memberships what they are now, in an engine that was opened with ``built``."""
        if not self.built:
            for name, rows in self.made.items():
                engine.bind(name, rows)
            return
        for name, rows in self.made.items():
            engine.bind(f"gone_{name}", self.gone[name])
            engine.bind(f"made_{name}", rows)
            engine.view(f"narrow.{name}", _LAID_OVER[name])


def identity(
    lake: Lake,
    project: str,
    events: int | None,
    manifest: Manifest | None,
    limits: Limits = DEFAULT_LIMITS,
    domains: Domains = OFF,
    view: View = DEFAULT_VIEW,
    ledger: int | None = NEWEST,
) -> Identity:
    """Actors and memberships for one version of the events and one of the ledger (None: before it had any entry).

    The build's tables where it read the same rows; where the lake only gained rows since, these with whom that touched
    worked out again; else everyone worked out. ``domains``: as the build was given.
    The last few answers are kept: versions never change.
    """
    tables = {} if manifest is None or view.known_at != EVER else manifest.tables
    asked = {"events": events, LEDGER: lake.version(project, LEDGER) if ledger == NEWEST else ledger}
    read = tuple(as_built(lake, project, table, tables, version) for table, version in asked.items())
    return _identity(
        lake.root, tuple(sorted(lake.storage.items())), project, read, tuple(tables.items()), limits, domains, view
    )


@lru_cache(maxsize=4)
def _identity(
    root: str,
    storage: tuple[tuple[str, str], ...],
    project: str,
    read: tuple[int | None, ...],
    tables: tuple[tuple[str, int], ...],
    limits: Limits,
    domains: Domains,
    view: View,
) -> Identity:
    """``tables``: the versions of the build in force, none where it does not help."""
    lake, built = Lake(root, dict(storage)), dict(tables)
    if built.keys() >= set(_TABLES) and read == (built.get("events"), built.get(LEDGER)):
        return Identity({name: built[name] for name in _TABLES}, {})
    events, ledger = read
    if events is not None and (found := again(lake, project, Since(events, ledger, built), limits, domains, view)):
        return found
    return everyone(lake, project, read, limits, domains, view)


def everyone(
    lake: Lake, project: str, read: tuple[int | None, ...], limits: Limits, domains: Domains, view: View
) -> Identity:
    """All rows, worked out from these versions of events and ledger."""
    with Engine(lake, project, dict(zip(("events", LEDGER), read, strict=True)), limits) as engine:
        for model in who_is_who(view, domains):
            work_out(engine, model)
        return Identity({}, {name: _mapped(engine, name, schema) for name, schema in _SCHEMAS.items()})


@dataclass(frozen=True)
class Since:
    """The versions to answer for, and the build to start from."""

    events: int
    ledger: int | None
    built: Mapping[str, int]


def again(lake: Lake, project: str, since: Since, limits: Limits, domains: Domains, view: View) -> Identity | None:
    """What changed since a build; None where everyone must be worked out."""
    if not lake.is_local or not since.built.keys() >= set(_NEEDED):
        return None
    events = _gained(lake, project, "events", since.built.get("events"), since.events)
    links = _gained(lake, project, LEDGER, since.built.get(LEDGER), since.ledger)
    if events is None or links is None:
        return None
    fresh, acting = _new(lake, project, since, events, limits, domains)
    opened = {name: since.built[name] for name in _NEEDED}
    with Engine(lake, project, {**opened, "events": since.events, LEDGER: since.ledger}, limits) as engine:
        for name, rows in (("fresh_links", fresh), ("acting", acting)):
            engine.bind(name, rows)
        engine.read("gained_links", LEDGER, links)
        engine.view("gained", _GAINED)
        engine.make("newly_seen", _NEWLY_SEEN)
        if stale(engine, "gained", "newly_seen", view) > _LIMIT:
            return None
        return _remade(engine, view, domains)


def _remade(engine: Engine, view: View, domains: Domains) -> Identity:
    models = {model.query.name: model for model in who_is_who(view, domains)}
    engine.make("stale_now", _SEEN)
    engine.make("narrow.seen_ids", "from stale_now")
    engine.make("narrow.id_links", NARROW["links"]["id_links"])
    engine.bind("fresh_links", ID_LINKS.empty_table())
    work_out(engine, models["links"])
    work_out(engine, models["runaway_ids"], "made_runaway_ids")
    engine.make("narrow.runaway_ids", _RUNAWAYS)
    for name in ("link_states", "id_roots"):
        work_out(engine, models[name])
    work_out(engine, models["actors"], "made_actors")
    engine.make("gone_actors", "select actor_id from stale_ids")
    engine.view("narrow.actors", _LAID_OVER["actors"])
    engine.make("gone_memberships", _REGROUPED)
    engine.make("regrouped_actors", "select * from actors where person_id in (select person_id from gone_memberships)")
    engine.make("narrow.events", _GROUPS, domains.params)
    engine.view("narrow.actors", "from regrouped_actors")
    work_out(engine, models["memberships"], "made_memberships")
    engine.view("gone_sole_memberships", "from gone_memberships")
    engine.view("narrow.memberships", "from made_memberships")
    work_out(engine, models["sole_memberships"], "made_sole_memberships")
    made = {name: engine.table(f"from made_{name}").select(schema.names).cast(schema) for name, schema in _SCHEMAS.items()}
    gone = {name: engine.table(f"from gone_{name}") for name in _TABLES}
    return Identity({name: engine.versions[name] or 0 for name in _TABLES}, made, gone)


def work_out(engine: Engine, model: Model, name: str | None = None) -> None:
    """Makes the rows of a model a table of the engine, under its own name unless another is given."""
    try:
        for relation, rows in (model.inputs(engine) if model.inputs else {}).items():
            engine.bind(relation, rows)
        engine.make(name or model.query.name, model.query.text, model.params)
    except Exception as error:
        raise ModelFailed(model.query.name, error) from error
    if model.query.name == "link_states":
        engine.drop("links")  # of millions of links there is no room for the texts twice


def _gained(lake: Lake, project: str, table: str, before: int | None, now: int | None) -> list[str] | None:
    """Files with the rows that a table has gained, and no others; None where it has lost any."""
    old = set() if before is None else set(lake.files(project, table, before))
    new = set() if now is None else set(lake.files(project, table, now))
    if old <= new:
        return sorted(unquote(file) for file in new - old)
    if before is None or now is None or (added := added_since(lake, project, table, before, now)) is None:
        return None
    files = [f"{lake.uri(project, table)}/{path}" for path in added]
    return files if all(Path(file).exists() for file in files) else None


def _new(
    lake: Lake, project: str, since: Since, files: list[str], limits: Limits, domains: Domains
) -> tuple[pa.Table, pa.Table]:
    """The links that the new events make and the ledger lacks, and who acted in them."""
    with Engine(lake, project, {LEDGER: since.ledger}, limits) as engine:
        engine.read("events", "events", files)
        return fresh_links(engine) if files else ID_LINKS.empty_table(), engine.table(_ACTING, domains.params)


def _mapped(engine: Engine, name: str, schema: pa.Schema) -> pa.Table:
    """The rows of a relation, in a file that goes with the engine's folder and is mapped as long as they are."""
    file = str(engine.scratch / f"{name}.arrow")
    with pa.OSFile(file, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in engine.batches(f"select {', '.join(schema.names)} from {name}", _ROWS):
            writer.write_batch(batch.cast(schema))
    return pa.ipc.open_file(pa.memory_map(file)).read_all()
