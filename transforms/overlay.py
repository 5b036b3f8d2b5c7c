"""Who is who at the newest events and the newest ledger, for questions asked on raw events.

A merge or its undo shows in them before the next build.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import pyarrow as pa

from ingest.lake import Lake
from transforms.build import make, who_is_who
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.identity import DEFAULT_VIEW, View
from transforms.ledger import LEDGER
from transforms.manifest import Manifest
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
    view: View = DEFAULT_VIEW,
) -> Identity:
    """Actors and memberships for one version of the events: the build's, where it read that very version, else computed.

    The last few answers are kept; versions never change, so they cannot go stale.
    """
    read = (events, lake.version(project, LEDGER))
    built = manifest is not None and view.known_at == EVER and read == tuple(map(manifest.tables.get, ("events", LEDGER)))
    versions = tuple(manifest.tables[name] for name in _TABLES) if manifest is not None and built else None
    return _identity(lake.root, tuple(sorted(lake.storage.items())), project, read, versions, limits, view)


@lru_cache(maxsize=4)
def _identity(
    root: str,
    storage: tuple[tuple[str, str], ...],
    project: str,
    read: tuple[int | None, int | None],
    versions: tuple[int, ...] | None,
    limits: Limits,
    view: View,
) -> Identity:
    names, numbers = (("events", LEDGER), read) if versions is None else (_TABLES, versions)
    with Engine(Lake(root, dict(storage)), project, dict(zip(names, numbers, strict=True)), limits) as engine:
        if versions is not None:
            return Identity(*(engine.table(f"from {name}") for name in _TABLES))
        made = {model.query.name: make(engine, model) for model in who_is_who(view)}
        return Identity(*(made[name] for name in _TABLES))
