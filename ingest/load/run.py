"""An import from its files to its report: look, stage, cut, hand over, wait for the flush, add up."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingest import ids
from ingest.lake import Lake
from ingest.load import CHUNK, CannotImport, place, plain, rows, spool
from ingest.load.chunks import CHUNK_ROWS, chunks, known
from ingest.load.detect import Found, detect
from ingest.load.plan import Plan, Request, finish, opened
from ingest.load.report import Report, report
from ingest.load.staged import Staged

_AHEAD: Final = 2  # chunks that may wait for the flush


@dataclass(frozen=True)
class Place:
    """Where an import works, and what it needs from outside. ``clock`` is in microseconds.

    ``pause`` is called again and again while the flush is waited for. ``tell`` is told of (step, rows done since).
    ``at`` is told of each step that is done; tests crash there.
    """

    imports: Path
    index: Path
    lake: Lake
    clock: Callable[[], int]
    pause: Callable[[], None]
    tell: Callable[[str, int], None] = lambda step, done: None
    at: Callable[[str], None] = lambda step: None
    chunk_rows: int = CHUNK_ROWS


def load(request: Request, where: Place) -> Report:
    """Import, or go on where a killed import ended. Raises ``CannotImport`` before anything is taken."""
    found = [detect(path, request.format) for path in request.files]
    with opened(where.imports, request, where.clock()) as plan:
        where.at("planned")
        try:
            _stage(plan, found, where)
        except CannotImport:
            if not plan.resumed:
                finish(plan)  # nothing was handed over, and the files must change: nobody comes back for it
            raise
        _hand_over(plan, where)
        _wait(plan, where, 0)
        made = report(plan, where.index)
        where.at("stored")
        finish(plan)
    return made


def _stage(plan: Plan, found: list[Found], where: Place) -> None:
    for number, (path, kind) in enumerate(zip(plan.request.files, found, strict=True)):
        counts = Staged(plan.staged, number).counts()
        if counts is not None:
            where.tell("read", counts.rows)
            continue
        stage = plain.stage if kind.format == "plain" else rows.stage
        try:
            stage(plan, number, path, kind, lambda done: where.tell("read", done))
        except (EOFError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, pa.ArrowException, duckdb.Error) as fault:
            raise CannotImport(f"{path}: cannot be read to its end: {fault}") from None
        where.at("staged")


def _hand_over(plan: Plan, where: Place) -> None:
    waiting = [
        place(path)[0] for path in plan.folder.glob(f"*{CHUNK}")
    ]  # looked at before the watermark: a chunk is in either
    behind = max([ids.watermark(where.index, plan.identity), *waiting])
    sender = spool.Sender(plan.folder, plan.request.project, plan.request.source, plan.identity)
    for number, table, made in chunks(plan, behind, where.chunk_rows):
        stored: dict[str, int] = {}
        if table == "events" and (copies := known(plan, where.lake, made)):
            is_copy = _in_lake(made, copies)
            stored = {row["values"]: row["counts"] for row in pc.value_counts(made["month"].filter(is_copy)).to_pylist()}
            made = made.filter(pc.invert(is_copy))
        _wait(plan, where, _AHEAD)
        spool.write(sender, number, table, made, stored, where.clock)
        where.at("handed over")
        where.tell("stored", len(made) + sum(stored.values()))


def _in_lake(made: pa.Table, copies: dict[str, set[str]]) -> pa.ChunkedArray:
    ids = {month: pa.array(sorted(known), made["event_id"].type) for month, known in copies.items()}
    each = [
        pc.and_(pc.equal(made["month"], month), pc.is_in(made["event_id"], value_set=known)) for month, known in ids.items()
    ]
    return reduce(pc.or_, each)


def _wait(plan: Plan, where: Place, most: int) -> None:
    """Until at most ``most`` chunks wait for the flush."""
    while sum(1 for _ in plan.folder.glob(f"*{CHUNK}")) > most:
        where.pause()
