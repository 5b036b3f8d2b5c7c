"""``GET /api/quality``: whether the numbers can be trusted today."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.quality import quality
from api.serving import Answer, Asked, Serving, documented


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["status"])

    @routes.get("/api/quality", **documented("Checks, freshness, volume, new and vanished events, duplicates, rejections"))
    async def quality_(request: Request) -> Response:
        return await serving.answer(request, (), answer)

    def answer(asked: Asked) -> Answer:
        versions = {table: serving.lake.version(asked.project.name, table) for table in ("events", "rejected")}
        with serving.engine(asked.project.name, versions) as engine:
            return quality(serving.settings, serving.lake, asked.project, asked.now, engine)

    return routes
