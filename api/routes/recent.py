"""``GET /api/events/recent`` and ``/api/rejected/recent``: what came last, for an engineer who wires up an SDK.

Read from the lake's newest files only, so that it costs the same however long the history is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.parameters import Parameter
from api.serving import Answer, Asked, Serving, documented
from ingest.lake import Lake
from transforms.engine import Engine, Limits

_EVENT: Final = (
    "event_id", "received_at", "time", "kind", "event", "user_id", "anonymous_id", "account_id", "source", "library"
)  # fmt: skip
_REJECTED: Final = ("received_at", "source", "path", "reason", "detail", "raw")
_RAW: Final = 4096  # bytes of a rejected event that are shown

EVENTS_LIMIT: Final = Parameter("limit", "How many at most.", "number", default=50, most=500)
REJECTED_LIMIT: Final = Parameter("limit", "How many at most.", "number", default=20, most=500)


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["ingestion"])

    @routes.get("/api/events/recent", **documented("The events received last", (EVENTS_LIMIT,)))
    async def events(request: Request) -> Response:
        return await serving.answer(request, (EVENTS_LIMIT,), recent_events, quick=True, columns=_EVENT)

    @routes.get("/api/rejected/recent", **documented("The events rejected last: reason, raw text", (REJECTED_LIMIT,)))
    async def rejected(request: Request) -> Response:
        return await serving.answer(request, (REJECTED_LIMIT,), recent_rejected, quick=True, columns=_REJECTED)

    def recent_events(asked: Asked) -> Answer:
        return {"items": rows_of(asked, "events", _EVENT).to_pylist()}

    def recent_rejected(asked: Asked) -> Answer:
        rows = rows_of(asked, "rejected", _REJECTED).to_pylist()
        return {"items": [{**row, **shown(row)} for row in rows]}

    def rows_of(asked: Asked, table: str, columns: tuple[str, ...]) -> pa.Table:
        return newest(serving.lake, asked.project.name, table, columns, asked.parameters["limit"], serving.limits)

    return routes


def shown(row: Mapping[str, Any]) -> dict[str, str]:
    """A rejected event's path and the beginning of its bytes, for whoever reads them."""
    return {"path": row["path"].partition("?")[0], "raw": row["raw"][:_RAW].decode("utf-8", "replace")}


def newest(
    lake: Lake,
    project: str,
    table: str,
    columns: tuple[str, ...],
    limit: int,
    limits: Limits,
    *,
    among: int | None = None,
    where: str = "true",
    parameters: Mapping[str, str | None] | None = None,
) -> pa.Table:
    """The rows with the latest ``received_at``, newest first; of the last ``among`` those that match ``where``."""
    handle = lake.open(project, table)
    among = among or limit
    paths = [] if handle is None else _files_of_newest(pa.table(handle.get_add_actions(flatten=True)), among)
    if handle is None or not paths:
        return pa.table({column: [] for column in columns})
    with Engine(lake, project, {}, limits) as engine:
        engine.bind_files("newest", handle, paths)
        return engine.table(
            f"""with last_received as (select {", ".join(columns)} from newest order by received_at desc limit $among)
            select {", ".join(columns)} from last_received where {where} order by received_at desc limit $limit""",
            {"limit": limit, "among": among, **(parameters or {})},
        )


def _files_of_newest(added: pa.Table, limit: int) -> list[str]:
    """The files that can hold them: from those received last as many as hold ``limit`` rows, and all that reach as late.

    Whatever file the log tells no bounds of, as some that were written again, is one of them.
    """
    known = added.select(["path", "num_records", "min.received_at", "max.received_at"])
    files = list(zip(*(column.to_pylist() for column in known.columns), strict=True))
    untold = [path for path, count, first, last in files if None in (count, first, last)]
    rows = sorted((row for row in files if row[0] not in untold), key=lambda row: row[3], reverse=True)
    found, least = 0, None
    for at, (_, count, first, last) in enumerate(rows):
        if found >= limit and least is not None and last < least:
            return untold + [row[0] for row in rows[:at]]
        if found < limit:
            found, least = found + count, first if least is None else min(first, least)
    return untold + [row[0] for row in rows]
