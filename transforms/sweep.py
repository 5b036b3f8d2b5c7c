"""Forgets what no reader can ask for: manifests older than a week, and the files that only their versions read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ingest.lake import Lake
from transforms.manifest import forget, published
from transforms.tables import TABLES
from transforms.tidy import ORDER, keep_house, vacuum

KEPT: Final = timedelta(days=7)


def sweep(lake: Lake, project: str, *, now: datetime) -> int:
    """Removes old manifests and the files of built tables that only they read; returns how many files went.

    Versions that a kept manifest names stay readable however old they are. Of the tables that are appended to go the files
    that retention took rows from, and what no version ever named, a tidy that was killed. A table without anything to remove
    gets no new version.
    """
    forget(lake, project, before=now - KEPT)
    kept = published(lake, project)
    removed = 0
    for table in (*ORDER, *TABLES):
        handle = lake.open(project, table)
        if handle is None:
            continue
        versions = sorted({manifest.tables[table] for manifest in kept if table in manifest.tables})
        removed += vacuum(handle, int(KEPT / timedelta(hours=1)), versions, full=table in ORDER)
    for table in ORDER:
        keep_house(lake, project, table, now)
    return removed
