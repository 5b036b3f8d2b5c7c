"""``GET /api/metrics`` (the catalogue) and ``/api/metrics/{name}`` (one metric's answer)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.parameters import FROM, TO, Parameter
from api.serving import Answer, Asked, Serving, documented
from funnels import metrics

_PARAMETERS: Final = (
    FROM,
    TO,
    Parameter("grain", "Length of a period of the series.", "choice", ("day", "week", "month")),
    Parameter("by", "Also apart by channel.", "choice", ("channel",)),
    Parameter("internal", "include puts internal traffic back in, where events are read.", "choice", ("exclude", "include")),
    Parameter("compare", "Also the value of the range before.", "choice", ("previous",)),
)


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["metrics"])

    @routes.get("/api/metrics", **documented("The metrics that there are: question, unit, grain, owner, SQL, settings"))
    async def catalogue(request: Request) -> Response:
        return await serving.answer(request, (), listed)

    def listed(asked: Asked) -> Answer:
        definitions = serving.definitions()
        return {"items": [metric.as_json(definitions) for metric in metrics.CATALOGUE]}

    @routes.get("/api/metrics/{name}", **documented("One metric: value, interval, series, groups", _PARAMETERS))
    async def metric(request: Request, name: str) -> Response:
        return await serving.answer(request, None, lambda asked: measured(serving, asked, name))

    return routes


def measured(serving: Serving, asked: Asked, name: str) -> Answer:
    """Before the first build: the answer over empty tables, with ``no_build`` as its reason."""
    definitions = serving.definitions()
    project, manifest = asked.project, serving.manifest_or_empty(asked)
    found = metrics.answer(
        serving.lake, project.name, definitions, name, asked.parameters, manifest, project.zone, serving.limits
    )
    return serving.marked(asked, found)
