"""Who is who at the newest events, for questions asked on raw events: a merge shows in them before the next build."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import pyarrow as pa

from ingest.lake import Lake
from transforms.build import CORE, make
from transforms.commits import same_rows
from transforms.domains import OFF, Domains, with_domains
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.manifest import Manifest

_TABLES: Final = ("actors", "memberships")


class Identity(NamedTuple):
    """The rows of the tables ``actors`` and ``memberships``."""

    actors: pa.Table
    memberships: pa.Table


def identity(
    lake: Lake,
    project: str,
    events_version: int | None,
    manifest: Manifest | None,
    limits: Limits = DEFAULT_LIMITS,
    domains: Domains = OFF,
) -> Identity:
    """Actors and memberships for one version of the events: the build's, where it read the same rows, else computed.

    The last few answers are kept; versions never change, so they cannot go stale.
    """
    built = manifest is not None and same_rows(lake, project, "events", manifest.tables.get("events"), events_version)
    versions = None
    if manifest is not None and built:
        events_version, versions = manifest.tables.get("events"), tuple(manifest.tables[name] for name in _TABLES)
    return _identity(lake.root, tuple(sorted(lake.storage.items())), project, events_version, versions, limits, domains)


@lru_cache(maxsize=4)
def _identity(
    root: str,
    storage: tuple[tuple[str, str], ...],
    project: str,
    events: int | None,
    versions: tuple[int, ...] | None,
    limits: Limits,
    domains: Domains,
) -> Identity:
    opened: dict[str, int | None] = {"events": events} if versions is None else dict(zip(_TABLES, versions, strict=True))
    with Engine(Lake(root, dict(storage)), project, opened, limits) as engine:
        if versions is not None:
            return Identity(*(engine.table(f"from {name}") for name in _TABLES))
        return Identity(*(make(engine, model) for model in with_domains(CORE, domains) if model.query.name in _TABLES))
