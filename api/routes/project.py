"""``GET /api/project``: what a key opens. The dashboard asks it to learn whether a key is good."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.serving import Answer, Asked, Serving, documented


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["project"])

    @routes.get("/api/project", **documented("The project of the key, its time zone and currency"))
    async def project(request: Request) -> Response:
        return await serving.answer(request, (), _project, quick=True)

    return routes


def _project(asked: Asked) -> Answer:
    project = asked.project
    return {"project": project.name, "zone": project.zone, "currency": project.currency, "kind": asked.key.kind}
