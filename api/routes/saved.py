"""``/api/saved-funnels``: funnels kept under a name, made, changed and removed through the API."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import saved
from api.body import json_body
from api.routes.funnels import known
from api.serving import Answer, Asked, Serving, documented

_COLUMNS: Final = ("name", "title", "last", "saved_by", "created", "changed")
_STEPS: Final = [{"event": "Signed Up"}, {"event": "Project Created"}]
_QUESTION: Final = {"steps": _STEPS, "window": "14d", "from": "2026-01-01", "to": "2026-02-01"}
_EXAMPLE: Final = {"title": "Sign-up to project", "question": _QUESTION, "last": "90d"}
_BODY: Final = {"required": True, "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}}


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["funnels"])
    store = serving.saved

    @routes.get("/api/saved-funnels", **documented("The saved funnels with their questions"))
    async def all_(request: Request) -> Response:
        return await serving.answer(request, (), listed, quick=True, columns=_COLUMNS)

    @routes.get("/api/saved-funnels/{name}", **documented("One saved funnel"))
    async def one(request: Request, name: str) -> Response:
        return await serving.answer(request, (), lambda asked: store.get(asked.project.name, name).as_json(), quick=True)

    @routes.post("/api/saved-funnels", **documented("Save a funnel", requestBody=_BODY))
    async def add(request: Request) -> Response:
        serving.caller(request)  # before a body is read
        body = await json_body(request)
        return await serving.answer(request, (), lambda asked: added(asked, body), quick=True)

    @routes.put("/api/saved-funnels/{name}", **documented("Change a saved funnel's title or question", requestBody=_BODY))
    async def change(request: Request, name: str) -> Response:
        serving.caller(request)
        body = await json_body(request)
        return await serving.answer(request, (), lambda asked: changed(asked, name, body), quick=True)

    @routes.delete("/api/saved-funnels/{name}", **documented("Remove a saved funnel"))
    async def remove(request: Request, name: str) -> Response:
        return await serving.answer(request, (), lambda asked: removed(asked, name), quick=True)

    def listed(asked: Asked) -> Answer:
        return {"items": [one.as_json() for one in store.all(asked.project.name)]}

    def added(asked: Asked, body: object) -> Answer:
        new = saved.read(body, asked.key, asked.now, known(serving))
        return store.add(asked.project.name, new, serving.definitions().funnels).as_json()

    def changed(asked: Asked, name: str, body: object) -> Answer:
        found = store.get(asked.project.name, name)
        saved.may_change(found, asked.key)
        new = saved.changed(found, body, asked.now, known(serving))
        return store.change(asked.project.name, new).as_json()

    def removed(asked: Asked, name: str) -> Answer:
        found = store.get(asked.project.name, name)
        saved.may_change(found, asked.key)
        store.remove(asked.project.name, name)
        return found.as_json()

    return routes
