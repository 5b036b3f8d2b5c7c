"""Forgets what no reader can ask for: manifests older than a week, and the files that only their versions read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ingest.lake import Lake
from transforms.manifest import forget, published
from transforms.tables import SCHEMAS

KEPT: Final = timedelta(days=7)


def sweep(lake: Lake, project: str, *, now: datetime) -> int:
    """Removes old manifests and the files of built tables that only they read; returns how many files went.

    Versions that a kept manifest names stay readable however old they are. ``events`` and ``rejected`` have files to remove
    once retention took rows from them. Delta notes a vacuum as a new version, so a table with nothing to remove is left
    alone.
    """
    forget(lake, project, before=now - KEPT)
    kept = published(lake, project)
    removed = 0
    for table in SCHEMAS:
        handle = lake.open(project, table)
        if handle is None:
            continue
        versions = sorted({manifest.tables[table] for manifest in kept if table in manifest.tables})
        hours = int(KEPT / timedelta(hours=1))
        if handle.vacuum(hours, dry_run=True, keep_versions=versions):
            removed += len(handle.vacuum(hours, dry_run=False, keep_versions=versions))
    return removed
