"""``/api/rejected``: events that broke a rule, with their raw bytes; counted, written out, and replayed (admin key)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import anyio.to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.auth import must_be_admin
from api.body import json_body
from api.clock import now
from api.decoding import decoder_of
from api.errors import Detail, Unprocessable
from api.parameters import CURSOR, LIMIT, read
from api.rejected import CHOICE, COLUMNS, Rejected
from api.serving import Answer, Asked, Serving, documented
from ingest.plan import CurrentPlan

_LIST: Final = (*CHOICE, CURSOR, LIMIT)
_COUNTED: Final = ("reason", "source", "path", "events", "first", "last", "detail", "raw")
_EXAMPLE: Final = {"reason": "too_large", "source": "web", "from": "2026-01-01", "to": "2026-02-01", "dry_run": True}
_BODY: Final = {"required": True, "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}}


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["ingestion"])
    plan = CurrentPlan(serving.settings.plan_folder)

    @routes.get("/api/rejected", **documented("Rejected events, the newest first, by page", _LIST))
    async def page(request: Request) -> Response:
        return await serving.answer(request, _LIST, paged, columns=(*COLUMNS, "raw"))

    @routes.get("/api/rejected/counts", **documented("Rejected events per reason, source and path", CHOICE))
    async def counts(request: Request) -> Response:
        return await serving.answer(request, CHOICE, counted, columns=_COUNTED)

    @routes.get("/api/rejected/download", **documented("Rejected events as JSON lines, raw bytes in full", CHOICE))
    async def download(request: Request) -> Response:
        key = serving.caller(request)
        found = await anyio.to_thread.run_sync(lambda: chosen(key.project, dict(request.query_params)))
        headers = {"Content-Disposition": 'attachment; filename="rejected.jsonl"'}
        return StreamingResponse(found.lines(), media_type="application/x-ndjson", headers=headers)

    @routes.post("/api/rejected/replay", **documented("Decode rejected events again (admin key)", requestBody=_BODY))
    async def replay(request: Request) -> Response:
        must_be_admin(serving.caller(request))  # before a body is read
        body = await json_body(request)
        return await serving.answer(request, (), lambda asked: replayed(asked, body))

    def paged(asked: Asked) -> Answer:
        found = of(asked.project.name, asked.parameters)
        items, after = found.page(asked.parameters["limit"], asked.parameters["cursor"])
        return {"items": items, "next": after}

    def counted(asked: Asked) -> Answer:
        return {"items": of(asked.project.name, asked.parameters).counts()}

    def replayed(asked: Asked, body: object) -> Answer:
        given, rehearsal = _read(body)
        folder = serving.settings.folder.imports
        found = chosen(asked.project.name, given)
        made = found.replay(decoder_of(serving.settings, plan), None if rehearsal else folder, _micros)
        return {**made, "handed_over": len(made["handed_over"]), "dry_run": rehearsal}

    def chosen(project: str, given: Mapping[str, str]) -> Rejected:
        return of(project, read(given, CHOICE, serving.projects(project).timezone))

    def of(project: str, choice: Mapping[str, Any]) -> Rejected:
        return Rejected(serving.lake, project, serving.limits, choice)

    return routes


def _read(body: object) -> tuple[dict[str, str], bool]:
    """The choice and ``dry_run`` of a request; raises 422 with every fault."""
    names = [*(one.name for one in CHOICE), "dry_run"]
    given = body if isinstance(body, dict) else {"": body}
    faults = [Detail(name, value, names, "no such field") for name, value in given.items() if name not in names]
    rehearsal = given.get("dry_run", False)
    if not isinstance(rehearsal, bool):
        faults.append(Detail("dry_run", rehearsal, [True, False], "say whether anything is stored"))
    choice = {str(name): value for name, value in given.items() if name in names[:-1]}
    faults += [Detail(name, value, "text", "write it as text") for name, value in choice.items() if type(value) is not str]
    if faults:
        raise Unprocessable(f"What to replay: an object with any of {', '.join(names)}.", faults)
    return {name: str(value) for name, value in choice.items()}, rehearsal is True


def _micros() -> int:
    return int(now().timestamp() * 1_000_000)
