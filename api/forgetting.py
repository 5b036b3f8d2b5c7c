"""Requests to forget a person: small files in ``<data>/forget/`` that the work role brings to their end, step by step.

    asked     a file names the person; the command line or the API wrote it, nobody has touched anything
    buried    tombstones stand for all ids of the person: what the flush decodes from now on is kept out (``tombstones``)
    removed   everything received before the burial is in the lake (completeness mark), hence out of the log; the person
              was taken out of every table, and the tables were built anew: no answer knows the person any more
    (done)    SAFE later, when no question reads older files and no import runs: old versions went, and so did what killed
              imports, builds and tidies left; every file of the data folder, and of the project's lake where that lies
              elsewhere, was searched, the receipt stands in the table ``forgotten``, and the request is gone

Decision. Context: the flush owns the index and writes to ``events``; builds own the tables. Choice: no new lock: the work
role does it under the project's lease, beside a running flush, whose appends a rewrite of files does not touch; the flush
learns of it by the tombstones. Each step may be done again. Price: bytes stay SAFE longer, unless ``--now`` cuts questions
off.
A fault (a check that fails, no room) leaves the step, is told by ``jcurve forget --list``, and is tried again after RETRY.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from api.publishing import replace_file
from api.settings import Settings
from ingest.lake import Lake
from ingest.load import plan
from ingest.progress import complete_until
from ingest.tombstones import Tombstones
from transforms import scratch
from transforms.build import BuildResult
from transforms.engine import Limits
from transforms.errors import Busy
from transforms.forget import Ids, erase, ids_of, take_out
from transforms.runs import lease, withdraw
from transforms.tables import FORGOTTEN
from transforms.traces import Traces, traces, traces_of_lake

SAFE: Final = timedelta(minutes=10)
RETRY: Final = timedelta(minutes=5)
_DAMAGED: Final = "*.damaged"

Build = Callable[[str, datetime], BuildResult]
Clock = Callable[[], datetime]

logger = logging.getLogger(__name__)


class Unknown(Exception):
    """Nobody has that id; the message says which forms there are."""


@dataclass(frozen=True)
class Request:
    """``at`` is when ``step`` was reached, ``counts`` what was done so far; times are ISO 8601."""

    token: str
    project: str
    ids: tuple[str, ...]
    why: str
    by: str
    asked_at: str
    step: str = "asked"
    at: str = ""
    counts: dict[str, int] | None = None
    error: str | None = None
    not_before: str | None = None

    @property
    def person(self) -> Ids:
        return Ids(frozenset(self.ids))


def ask(settings: Settings, lake: Lake, project: str, given: str, why: str, by: str, now: datetime) -> Request:
    """Note a request; raises ``Unknown``, or ``ValueError`` where the reason would keep the id."""
    found = ids_of(lake, project, given, Limits(scratch=settings.folder.scratch))
    if found is None:
        if given.partition(":")[0] not in ("user", "anonymous"):
            raise Unknown(f"Nobody has the id '{given}'. To keep it out all the same, send it typed: user:{given}")
        found = Ids(frozenset({given}))
    if any(plain in why.split() for plain in found.plain) or (found.pattern and found.pattern.search(why)):
        raise ValueError("the reason is kept in the receipt and must not name the person; send a ticket's number instead")
    request = Request(
        secrets.token_hex(8), project, tuple(sorted(found.typed)), why, by, now.isoformat(), at=now.isoformat()
    )
    settings.folder.forget.mkdir(mode=0o700, exist_ok=True)
    _save(settings, request)
    return request


def waiting(settings: Settings, project: str | None = None) -> list[Request]:
    """Requests that are not done, the oldest first."""
    found = []
    for path in settings.folder.forget.glob("*.json"):
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        found.append(Request(**{**content, "ids": tuple(content["ids"])}))
    return sorted((one for one in found if project in (None, one.project)), key=lambda one: one.asked_at)


def receipts(lake: Lake, project: str) -> list[dict[str, Any]]:
    handle = lake.open(project, "forgotten")
    rows = [] if handle is None else handle.to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: row["erased_at"])


def advance_all(settings: Settings, lake: Lake, build: Build, clock: Clock) -> None:
    """What the work role does at each look: every request as far as it can go now."""
    for request in waiting(settings):
        advance(settings, lake, build, clock, request)


def advance(
    settings: Settings, lake: Lake, build: Build, clock: Clock, request: Request, *, at_once: bool = False
) -> Traces | None:
    """Bring a request as far as it can go now; the traces that are left once it is done, None while it waits.

    ``at_once``: do not wait for questions that may be reading old files, nor after a fault.
    """
    if not at_once and request.not_before is not None and clock() < datetime.fromisoformat(request.not_before):
        return None
    try:
        if request.step == "asked":
            request = _bury(settings, lake, request, clock)
        if request.step == "buried":
            if complete_until(settings.folder.log, clock()).until < datetime.fromisoformat(request.at):
                return None
            with lease(settings.folder.work, request.project, clock):
                known = _known(settings, request)
                if known is None or known.step == "removed":  # another process went on with it
                    return None
                request = _remove(settings, lake, build, clock, known)
        running = plan.clear(settings.folder.imports)
        if not at_once and (running or clock() < datetime.fromisoformat(request.at) + SAFE):
            return None
        with lease(settings.folder.work, request.project, clock):
            return None if _known(settings, request) is None else _finish(settings, lake, clock, request)
    except Busy:
        return None
    except Exception as error:
        logger.exception("a person could not be forgotten yet (step '%s'); next try in %s", request.step, RETRY)
        _save(
            settings,
            replace(
                _known(settings, request) or request,
                error=f"{type(error).__name__}: {error}",
                not_before=(clock() + RETRY).isoformat(),
            ),
        )
        return None


def _known(settings: Settings, request: Request) -> Request | None:
    """The request as it stands now; None once it is done."""
    return next((one for one in waiting(settings) if one.token == request.token), None)


def _bury(settings: Settings, lake: Lake, request: Request, clock: Clock) -> Request:
    tombstones = Tombstones(settings.folder.tombstones)
    tombstones.bury(request.project, request.ids)
    return _save(settings, replace(request, step="buried", at=clock().isoformat()))


def _remove(settings: Settings, lake: Lake, build: Build, clock: Clock, request: Request) -> Request:
    ids = request.person
    for typed in request.ids:  # what was linked to the person between the question and the burial
        found = ids_of(lake, request.project, typed, Limits(scratch=settings.folder.scratch))
        ids = Ids(ids.typed | (found.typed if found else frozenset()))
    if ids.typed != request.person.typed:
        Tombstones(settings.folder.tombstones).bury(request.project, ids.typed)
    taken = asdict(take_out(lake, request.project, ids, lake.tables(request.project)))
    counts = {name: number + (request.counts or {}).get(name, 0) for name, number in taken.items()}
    request = _save(
        settings, replace(request, ids=tuple(sorted(ids.typed)), counts=counts)
    )  # a build that fails comes again
    build(request.project, clock())
    return _save(settings, replace(request, step="removed", at=clock().isoformat()))


def _finish(settings: Settings, lake: Lake, clock: Clock, request: Request) -> Traces:
    ids, folder = request.person, settings.folder
    again = asdict(take_out(lake, request.project, ids, lake.tables(request.project)))  # bodies that nobody could read
    counts = {name: number + (request.counts or {}).get(name, 0) for name, number in again.items()}
    gone = erase(lake, request.project, lake.tables(request.project), now=clock())
    gone += _drop_damaged(folder.log, ids)
    scratch.clear(folder.scratch)
    withdraw(folder.work, lambda error: any(typed in error for typed in ids.typed) or _holds(ids, error))
    left = traces(folder.root, ids, leave_out=[folder.forget, *_of_others(settings, lake, request.project)])
    if not _is_inside(settings, lake):
        left += traces_of_lake(lake, request.project, ids)
    row = {
        "receipt": Tombstones(folder.tombstones).receipt(request.project, ids.typed),
        "asked_at": datetime.fromisoformat(request.asked_at),
        "removed_at": datetime.fromisoformat(request.at),
        "erased_at": clock(),
        "why": request.why,
        "by": request.by,
        "ids": len(ids.typed),
        **counts,
        "files_removed": gone,
        "files_scanned": left.files,
        "bytes_scanned": left.bytes,
        "traces": len(left.found),
    }
    rows = pa.Table.from_pylist([row], schema=FORGOTTEN)
    lake.append(request.project, "forgotten", rows, writer=f"forget:{request.token}", batch=1, partition=None)
    for place in left.found:
        logger.error("a person was forgotten, but an id is left in %s; remove it by hand", place)
    _path(settings, request).unlink()
    return left


def _is_inside(settings: Settings, lake: Lake) -> bool:
    return lake.is_local and Path(lake.root).absolute().is_relative_to(settings.folder.root.absolute())


def _of_others(settings: Settings, lake: Lake, project: str) -> list[Path]:
    """The folders of other projects in the lake: whoever has the same id there is somebody else."""
    if not _is_inside(settings, lake):
        return []
    # As the data folder's own path leads there, which is the one that is walked.
    root = settings.folder.root / Path(lake.root).absolute().relative_to(settings.folder.root.absolute())
    return [path for path in root.iterdir() if path.is_dir() and path.name != project]


def _drop_damaged(log: Path, ids: Ids) -> int:
    """Segments that were set aside, already flushed as far as they can be read: those that hold a long id go."""
    forms = [form.encode() for form in ids.forms]
    theirs = [path for path in log.rglob(_DAMAGED) if any(form in path.read_bytes() for form in forms)]
    for path in theirs:
        path.unlink()
    return len(theirs)


def _holds(ids: Ids, text: str) -> bool:
    return bool(ids.pattern and ids.pattern.search(text))


def _path(settings: Settings, request: Request) -> Path:
    return settings.folder.forget / f"{request.token}.json"


def _save(settings: Settings, request: Request) -> Request:
    replace_file(_path(settings, request), json.dumps(asdict(request)).encode())
    return request
