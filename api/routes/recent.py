"""``GET /api/events/recent`` and ``/api/rejected/recent``: what came last, for an engineer who wires up an SDK.

Read from the lake's newest files only, so that it costs the same however long the history is.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.parameters import Parameter
from api.serving import Answer, Asked, Serving, documented
from ingest.lake import Lake

_EVENT: Final = (
    "event_id", "received_at", "time", "kind", "event", "user_id", "anonymous_id", "account_id", "source", "library"
)  # fmt: skip
_REJECTED: Final = ("received_at", "source", "path", "reason", "detail", "raw")
_FILES: Final = 16  # at least so many of the newest: several logs write beside one another
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
        return {"items": newest(serving.lake, asked.project.name, "events", _EVENT, asked.parameters["limit"]).to_pylist()}

    def recent_rejected(asked: Asked) -> Answer:
        rows = newest(serving.lake, asked.project.name, "rejected", _REJECTED, asked.parameters["limit"]).to_pylist()
        return {"items": [{**row, "raw": row["raw"][:_RAW].decode("utf-8", "replace")} for row in rows]}

    return routes


def newest(lake: Lake, project: str, table: str, columns: tuple[str, ...], limit: int) -> pa.Table:
    """The rows with the latest ``received_at``, newest first."""
    handle = lake.open(project, table)
    if handle is None:
        return pa.table({column: [] for column in columns})
    added = pa.table(handle.get_add_actions(flatten=True))
    order = pc.sort_indices(added, sort_keys=[("modification_time", "descending")]).to_pylist()
    paths, counts = added["path"].to_pylist(), added["num_records"].to_pylist()
    chosen: set[str] = set()
    found = 0
    for at in order:
        if len(chosen) >= _FILES and found >= limit:
            break
        chosen.add(paths[at])
        found += counts[at] or 0
    dataset = handle.to_pyarrow_dataset()
    fragments = [fragment for fragment in dataset.get_fragments() if fragment.path.endswith(tuple(chosen))]
    if not fragments:
        return pa.table({column: [] for column in columns})
    rows = pa.concat_tables(fragment.to_table(columns=list(columns), schema=dataset.schema) for fragment in fragments)
    return rows.take(pc.select_k_unstable(rows, limit, [("received_at", "descending")]))
