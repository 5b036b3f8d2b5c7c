"""The people of a question: who each actor is, as ``who`` has it, made once per build and state of identity.

The table of a build's actors is kept; what changed since (``transforms.overlay``) is laid over a copy of it. Both are found
again by what they were made of: versions of tables, and the very answer of the overlay, which is itself kept.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from funnels.reading.who import Who, laid_over, who
from funnels.traffic import TABLE
from ingest.lake import Lake
from transforms.manifest import Manifest
from transforms.overlay import Identity

Ints = NDArray[np.int64]

_KEPT: Final = 3
_recent: Final[list[tuple[Identity, tuple[object, ...], Who]]] = []  # the last few answers, newest last
_lock: Final = threading.Lock()


def people(lake: Lake, project: str, known: Identity, manifest: Manifest | None) -> Who:
    """Who is who by ``known``. Internal are the actors that the build of ``manifest`` found to be."""
    version = None if manifest is None else manifest.tables.get(TABLE)
    storage = tuple(sorted(lake.storage.items()))
    key = (lake.root, storage, project, version)
    with _lock:
        for one, made_of, found in _recent:
            if one is known and made_of == key:
                return found
        found = _people(lake, project, known, version)
        _recent.append((known, key, found))
        del _recent[:-_KEPT]
        return found


def _people(lake: Lake, project: str, known: Identity, internal: int | None) -> Who:
    storage = tuple(sorted(lake.storage.items()))
    outside = _columns(lake, project, TABLE, internal, "actor_id")[0]
    made = [_numbers(known.made, "actors", name) for name in ("actor_id", "person_id")]
    if not known.built:
        return who(made[0], made[1], outside)
    base = _base(lake.root, storage, project, known.built.get("actors"), internal)
    gone = _numbers(known.gone, "actors", "actor_id")
    return base if not gone.size and not made[0].size else laid_over(base, gone, made[0], made[1], outside)


@lru_cache(maxsize=2)
def _base(root: str, storage: tuple[tuple[str, str], ...], project: str, version: int | None, internal: int | None) -> Who:
    lake = Lake(root, dict(storage))
    actors, owners = _columns(lake, project, "actors", version, "actor_id", "person_id")
    return who(actors, owners, _columns(lake, project, TABLE, internal, "actor_id")[0])


def _columns(lake: Lake, project: str, table: str, version: int | None, *names: str) -> list[Ints]:
    found = None if version is None else lake.dataset(project, table, version)
    if found is None:
        return [np.zeros(0, np.int64) for _ in names]
    rows = found.to_table(columns=list(names))
    return [rows[name].to_numpy() for name in names]


def _numbers(tables: Mapping[str, pa.Table], table: str, column: str) -> Ints:
    rows = tables.get(table)
    return np.zeros(0, np.int64) if rows is None else np.asarray(rows[column].to_numpy(), np.int64)
