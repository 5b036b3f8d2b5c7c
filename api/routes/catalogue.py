"""``GET /api/catalogue``: the event names and properties that exist, for whoever builds a question."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.catalogue import Kept, catalogue
from api.serving import Answer, Asked, Serving, documented


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["funnels"])
    kept = Kept()

    @routes.get(
        "/api/catalogue", **documented("Event names that came, their properties, types and values seen, cohorts, stages")
    )
    async def catalogue_(request: Request) -> Response:
        return await serving.answer(request, (), answer)

    def answer(asked: Asked) -> Answer:
        project = asked.project.name
        version = serving.lake.version(project, "events")

        def make() -> dict[str, Any]:
            with serving.engine(project, {"events": version}) as engine:
                return catalogue(engine)

        known = serving.definitions()
        return {**kept(project, version, make), "cohorts": sorted(known.cohorts), "stages": sorted(known.stages)}

    return routes
