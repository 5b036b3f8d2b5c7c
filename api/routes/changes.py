"""``GET /api/changes``: which numbers of past days moved, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.parameters import Parameter
from api.serving import Answer, Asked, Serving, documented
from transforms.changes import since, why

_DEFAULT: Final = timedelta(days=7)
SINCE: Final = Parameter(
    "since", "Builds from then on: a date in the project's time zone, or a time; without it, of seven days.", "time"
)


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["status"])

    @routes.get("/api/changes", **documented("Numbers of past days that builds moved, and why", (SINCE,)))
    async def changes(request: Request) -> Response:
        return await serving.answer(request, (SINCE,), answer)

    def answer(asked: Asked) -> Answer:
        moment = asked.parameters["since"] or asked.now - _DEFAULT
        rows = since(serving.lake, asked.project.name, moment, serving.limits)
        return {"since": moment, "items": [{**row, "why": why(row)} for row in rows]}

    return routes
