"""The status of a project, for ``GET /api/status`` and ``jcurve status``; the shape is the API's."""

from __future__ import annotations

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from api.settings import Settings
from ingest import ids
from ingest.lake import Lake
from ingest.progress import complete_until
from transforms.engine import Engine
from transforms.manifest import Manifest, current
from transforms.schedule import Run, runs

VERSION: Final = version("jcurve")
LOW_SHARE: Final = 0.05
_RUNS: Final = 5  # of each job: tidy runs every few minutes and must not hide the builds
_LOOKED_AT: Final = 1_000
_SHOWN: Final = 20
_WORST: Final = "select id, others from runaway_ids order by others desc, id limit $limit"
_KEPT: Final = 10.0  # seconds for which the size of a folder of many files is not added up again


def status(settings: Settings, lake: Lake, project: str, now: datetime) -> dict[str, Any]:
    folder = settings.folder
    complete = complete_until(folder.log, now)
    outcomes = ids.counts(folder.index, project)
    manifest = current(lake, project)
    last_hour = ids.received_since(folder.index, project, now - timedelta(hours=1))
    return {
        "project": project,
        "now": now,
        "received": {"last_hour": last_hour, "total": sum(outcomes.values())},
        "outcomes": outcomes,
        "lag": {
            "log_to_lake_seconds": round((now - complete.until).total_seconds(), 1),
            "lake_to_build_seconds": _behind(complete.until, manifest),
        },
        "complete_until": complete.until,
        "held_back_by": complete.held_back_by,
        "runs": [_run(run) for run in last_of_each_job(runs(folder.work, project, _LOOKED_AT))],
        "runaway_ids": runaways(lake, project, manifest),
        "disk": disk(folder.root, settings.low_disk),
        "version": VERSION,
    }


def _behind(until: datetime, manifest: Manifest | None) -> float | None:
    """How much of what is in the lake is not in the tables yet; None before the first build."""
    return None if manifest is None else max(0.0, round((until - manifest.complete_until).total_seconds(), 1))


def last_of_each_job(found: Sequence[Run]) -> list[Run]:
    """The newest of each job, in the order they were found."""
    by_job: dict[str, list[Run]] = defaultdict(list)
    for run in found:
        by_job[run.job].append(run)
    kept = {id(run) for of_job in by_job.values() for run in of_job[:_RUNS]}
    return [run for run in found if id(run) in kept]


def runaways(lake: Lake, project: str, manifest: Manifest | None) -> list[dict[str, Any]]:
    """Ids that the last build found linked to too many others, the worst first: their links are not in force."""
    version = None if manifest is None else manifest.tables.get("runaway_ids")
    return [] if version is None else _runaways(lake.root, tuple(sorted(lake.storage.items())), project, version)


@lru_cache(maxsize=64)
def _runaways(root: str, storage: tuple[tuple[str, str], ...], project: str, version: int) -> list[dict[str, Any]]:
    with Engine(Lake(root, dict(storage)), project, {"runaway_ids": version}) as engine:
        found: list[dict[str, Any]] = engine.table(_WORST, {"limit": _SHOWN}).to_pylist()
        return found


def _run(run: Run) -> dict[str, Any]:
    return {
        "job": run.job,
        "started": run.started,
        "seconds": run.seconds,
        "status": "ok" if run.status in ("done", "unchanged") else run.status,
        "from": run.from_versions,
        "to": run.to_versions,
        "rows": run.rows,
        "error": run.error,
    }


def disk(root: Path, low: int) -> dict[str, Any]:
    """``low`` well before the collector must refuse: under the setting, or under 5 % of the disk."""
    usage = shutil.disk_usage(root)
    return {
        "data_bytes": _sizes.of(root),
        "free_bytes": usage.free,
        "low": usage.free < max(low, usage.total * LOW_SHARE),
    }


@dataclass
class _Sizes:
    """The size of a folder, kept for a moment: a dashboard asks every few seconds."""

    root: Path | None = None
    measured: float = 0.0
    size: int = 0

    def of(self, root: Path) -> int:
        if root != self.root or time.monotonic() - self.measured > _KEPT:
            self.root, self.measured, self.size = root, time.monotonic(), _size(root)
        return self.size


_sizes: Final = _Sizes()


def _size(root: Path) -> int:
    """Bytes on disk (the index is a sparse file); files that vanish while one looks count nothing."""
    total = 0
    try:
        entries = list(os.scandir(root))
    except OSError:
        return 0
    for entry in entries:
        try:
            total += _size(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else entry.stat().st_blocks * 512
        except OSError:
            continue
    return total
