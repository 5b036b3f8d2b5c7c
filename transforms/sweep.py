"""Forgets what no reader can ask for: manifests older than a week, and the files that only their versions read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ingest.lake import Lake
from transforms.changes import TABLE as CHANGES
from transforms.ledger import LEDGER
from transforms.manifest import forget, published
from transforms.tables import TABLES
from transforms.tidy import ORDER, keep_house, vacuum

KEPT: Final = timedelta(days=7)
_APPENDED_TO: Final = (*ORDER, LEDGER, CHANGES)


def sweep(lake: Lake, project: str, *, now: datetime) -> int:
    """Removes old manifests and the files of built tables that only they read; returns how many files went.

    Versions that a kept manifest names stay readable however old they are. With them go the files that retention took rows
    from, and what no version ever named, left by a tidy, a build or a writer that was killed. A table without anything to
    remove gets no new version.
    """
    forget(lake, project, before=now - KEPT)
    kept = published(lake, project)
    removed = 0
    for table in (*_APPENDED_TO, *TABLES):
        handle = lake.open(project, table)
        if handle is None:
            continue
        versions = sorted({manifest.tables[table] for manifest in kept if table in manifest.tables})
        removed += vacuum(handle, int(KEPT / timedelta(hours=1)), versions, full=True)
    for table in _APPENDED_TO:
        keep_house(lake, project, table, now)
    return removed
