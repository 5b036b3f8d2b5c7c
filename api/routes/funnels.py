"""``GET /api/funnels``, ``/api/funnels/{name}`` (over stages) and ``POST /api/funnel`` (any funnel over raw events)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.serving import Answer, Asked, Serving, documented


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["funnels"])

    @routes.get("/api/funnels", **documented("The funnels that there are"))
    async def funnels(request: Request) -> Response:
        return await serving.answer(request, (), listed)

    def listed(asked: Asked) -> Answer:
        return {
            "items": [
                {
                    "name": funnel.name,
                    "title": funnel.title,
                    "unit": funnel.unit,
                    "steps": list(funnel.steps),
                    "saved": False,
                }
                for funnel in serving.definitions().funnels.values()
            ]
        }

    return routes
