"""``GET /api/status``: what came in, how it ended, how fresh the lake and the tables are, the last runs, the disk."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.serving import Answer, Asked, Serving, documented
from api.status import status


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["status"])

    @routes.get("/api/status", **documented("Received events by outcome, lags, runs, disk"))
    async def status_(request: Request) -> Response:
        return await serving.answer(request, (), answer, quick=True)

    def answer(asked: Asked) -> Answer:
        return status(serving.settings, serving.lake, asked.project.name, asked.now)

    return routes
