"""Who is who at the newest events and the newest ledger, for questions asked on raw events.

A merge or its undo shows in them before the next build.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import pyarrow as pa

from ingest.lake import Lake
from transforms.build import as_built
from transforms.core import who_is_who
from transforms.domains import OFF, Domains
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.identity import DEFAULT_VIEW, View
from transforms.ledger import LEDGER
from transforms.manifest import Manifest
from transforms.model import make
from transforms.touched import Since, again
from transforms.undo import EVER

_TABLES: Final = ("actors", "memberships")


class Identity(NamedTuple):
    """The rows of the tables ``actors`` and ``memberships``."""

    actors: pa.Table
    memberships: pa.Table


def identity(
    lake: Lake,
    project: str,
    events: int | None,
    manifest: Manifest | None,
    limits: Limits = DEFAULT_LIMITS,
    domains: Domains = OFF,
    view: View = DEFAULT_VIEW,
) -> Identity:
    """Actors and memberships for one version of the events and the newest ledger.

    The build's tables where it read the same rows; where the lake only gained rows since, these with whom that touched
    worked out again; else everyone worked out. ``domains``: as the build was given.
    The last few answers are kept: versions never change.
    """
    tables = {} if manifest is None or view.known_at != EVER else manifest.tables
    newest = {"events": events, LEDGER: lake.version(project, LEDGER)}
    read = tuple(as_built(lake, project, table, tables, version) for table, version in newest.items())
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
    if built and read == (built.get("events"), built.get(LEDGER)):
        with Engine(lake, project, {name: built[name] for name in _TABLES}, limits) as engine:
            return Identity(*(engine.table(f"from {name}") for name in _TABLES))
    events, ledger = read
    if events is not None and (found := again(lake, project, Since(events, ledger, built), limits, domains, view)):
        return Identity(*found)
    with Engine(lake, project, dict(zip(("events", LEDGER), read, strict=True)), limits) as engine:
        made = {model.query.name: make(engine, model) for model in who_is_who(view, domains)}
        return Identity(*(made[name] for name in _TABLES))
