"""Tidy: keeps the tables that are appended to, events and rejected, in few large sorted files, for years of commits.

The flush adds a small file per month and commit. ``layout.py`` says which files are to be one, ``rewrite.py`` writes the
sorted run and swaps it for them. Flushes, builds and queries go on meanwhile: versions never change, and a swap removes
exactly the files it read, so whatever was appended since stays. Its steps, and what a crash behind each leaves:

    planned   Nothing has changed.
    written   The run lies in the table's folder, no version names it: the nightly sweep removes it after a week.
    swapped   The run is in the place of its files, which stay on disk for who reads an older version.
    vacuumed  Files that commits of before SAFE took out are gone, unless a kept manifest's version names them.
    cleaned   And so are these commits.
Every step begun again finds what there is and goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from ingest.lake import TOLD, Lake
from transforms import commits
from transforms.engine import DEFAULT_LIMITS, Limits
from transforms.layout import Rules, plan
from transforms.manifest import current, published
from transforms.rewrite import files_of, rewrite, swap

SAFE: Final = timedelta(hours=2)  # a reader opens the version it took, and a build reads what came since the last one
ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "events": ("event", "time", "event_id"),
    "rejected": ("received_at", "log", "log_offset"),
}
_MANY: Final = 1_000  # needless commits, at which they are removed
_ROUNDS: Final = 20  # of planning anew in one run
_CHECKPOINT: Final = 20  # commits between two checkpoints: opening costs 0.5 ms for each commit since the last one

# Files taken out would be remembered in every checkpoint, and those of four hours make opening three times as slow; the
# commits tell of them long enough. Commits are removed here, since a manifest may name a version of any age.
_PROPERTIES: Final = {
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
    "delta.enableExpiredLogCleanup": "false",
    "delta.checkpointInterval": str(_CHECKPOINT),
}


@dataclass(frozen=True)
class Tidied:
    """What a run of tidy did: versions of the tables before and after, and the rows it wrote again."""

    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)
    rows: int = 0
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        return self.before != self.after


def wanted(lake: Lake, project: str, now: datetime, rules: Rules) -> bool:
    """Whether there is anything to gather, merge or settle."""
    handles = [lake.open(project, table) for table in ORDER]
    return any(plan(files_of(handle), rules, now) for handle in handles if handle is not None)


def tidy(
    lake: Lake,
    project: str,
    now: datetime,
    *,
    rules: Rules,
    limits: Limits = DEFAULT_LIMITS,
    at: Callable[[str], None] = lambda step: None,
    safe: timedelta = SAFE,
) -> Tidied:
    """Does all there is to do. Raises what the store or DuckDB raise; the tables have all their rows whenever it ends.

    ``at`` is told the name of each step when it is done; tests crash, and append, there.
    """
    began = time.perf_counter()
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    rows = 0
    for table in ORDER:
        handle = lake.open(project, table)
        if handle is None:
            continue
        before[table] = after[table] = handle.version()
        _prepare(handle)
        merged, version = _merge_all(lake, project, table, now, rules, limits, at)
        rows += merged
        after[table] = version or after[table]
        keep_house(lake, project, table, now, safe=safe, least=_MANY, at=at)
    return Tidied(before, after, rows, time.perf_counter() - began)


def keep_house(
    lake: Lake,
    project: str,
    table: str,
    now: datetime,
    *,
    safe: timedelta = SAFE,
    least: int = 0,
    at: Callable[[str], None] = lambda step: None,
) -> None:
    """Removes the files and commits that no reader can ask for, once there are ``least`` such commits.

    Kept are the versions of the last ``safe``, those that a kept manifest names, and the commits since the one in force.
    """
    if lake.version(project, table) is None:
        return
    readable = {manifest.tables[table] for manifest in published(lake, project) if table in manifest.tables}
    in_force = current(lake, project)
    since = in_force.tables.get(table) if in_force is not None else None
    found = commits.log(lake, project, table)
    if len(commits.needless(found, readable, since, now, safe)) < least:
        return
    checkpoint(lake, project, table)
    names = commits.needless(commits.log(lake, project, table), readable, since, now, safe)
    # Looked at before the list of what stands: a file that was taken out never comes back.
    gone = commits.removed_by(lake, project, table, names)
    standing = {file for version in (None, *sorted(readable)) for file in paths(lake, project, table, version)}
    commits.remove_files(lake, project, table, gone - standing)
    at("vacuumed")
    commits.remove(lake, project, table, names)
    at("cleaned")


def paths(lake: Lake, project: str, table: str, version: int | None) -> set[str]:
    try:
        handle = lake.open(project, table, version)
    except TableNotFoundError:  # a manifest that nobody can read any more holds nothing back
        return set()
    return set() if handle is None else set(pa.table(handle.get_add_actions(flatten=True))["path"].to_pylist())


def vacuum(handle: DeltaTable, hours: int, versions: list[int], *, full: bool) -> int:
    """Removes the files that were taken out of the table ``hours`` ago (``full``: whatever so old it does not name), except
    those of ``versions``; returns how many. Delta notes a vacuum as a new version, so one of nothing is not made."""
    keep = [version for version in versions if version <= handle.version()]

    def removes(dry_run: bool) -> int:
        return len(handle.vacuum(hours, dry_run, enforce_retention_duration=False, full=full, keep_versions=keep))

    return removes(dry_run=False) if removes(dry_run=True) else 0


def checkpoint(lake: Lake, project: str, table: str) -> None:
    """Makes one, where the flush has not made one of late."""
    newest = max(commits.log(lake, project, table).checkpoints, default=0)
    handle = lake.open(project, table)
    if handle is not None and handle.version() - newest >= _CHECKPOINT:
        handle.create_checkpoint()


def _prepare(handle: DeltaTable) -> None:
    """Properties of the table, once. Least and greatest are kept of few columns: of all, an append takes twice as long."""
    told = ",".join(name for name in TOLD if name in pa.schema(handle.schema()).names)
    wished = {**_PROPERTIES, "delta.dataSkippingStatsColumns": told}
    known = handle.metadata().configuration
    if any(known.get(name) != value for name, value in wished.items()):
        try:
            handle.alter.set_table_properties(wished)
        except CommitFailedError:  # the flush came first; the next run does it
            return


def _merge_all(
    lake: Lake,
    project: str,
    table: str,
    now: datetime,
    rules: Rules,
    limits: Limits,
    at: Callable[[str], None],
) -> tuple[int, int | None]:
    """Plans and merges until there is no more to do; rows written, and the version of the last swap."""
    rows, last = 0, None
    for _ in range(_ROUNDS):
        handle = lake.open(project, table)
        merges = plan(files_of(handle), rules, now) if handle is not None else []
        at("planned")
        if handle is None or not merges:
            break
        for merge in merges:
            added = rewrite(lake, handle, merge, ORDER[table], rules.file_bytes, limits)
            at("written")
            version = swap(lake, project, table, merge, added)
            at("swapped")
            if version is not None:
                rows, last = rows + sum(file.rows for file in merge.files), version
    return rows, last
