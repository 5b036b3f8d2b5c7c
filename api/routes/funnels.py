"""``GET /api/funnels``, ``/api/funnels/{name}`` (over stages) and ``POST /api/funnel`` (any funnel over raw events)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.body import json_body
from api.parameters import FROM, KNOWN_AT, TO, Parameter
from api.serving import Answer, Asked, Serving, documented
from funnels.adhoc import funnel
from funnels.plg import stage_funnel
from funnels.request import parse
from ingest.progress import complete_until

_PARAMETERS: Final = (
    FROM,
    TO,
    Parameter("unit", "Who is counted; by default the funnel's own unit.", "choice", ("person", "account")),
    Parameter("by", "Also apart by channel.", "choice", ("channel",)),
    Parameter("trend", "Also each period as a funnel of its own.", "choice", ("day", "week", "month")),
    Parameter("internal", "Stages leave internal traffic out; POST /api/funnel can include it.", "choice", ("exclude",)),
    Parameter("window", "Time from the first step to the last, such as 14d; by default the funnel's own."),
)
_VIEW: Final = (KNOWN_AT,)
_EXAMPLE: Final = {
    "steps": [{"event": "Signed Up", "label": "Registered"}, {"event": "Project Created", "within": "7d"}],
    "from": "2026-01-01",
    "to": "2026-02-01",
    "window": "14d",
    "unit": "person",
    "trend": "week",
}
_BODY: Final = {"required": True, "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}}


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["funnels"])

    @routes.get("/api/funnels", **documented("The funnels that there are"))
    async def funnels(request: Request) -> Response:
        return await serving.answer(request, (), listed)

    def listed(asked: Asked) -> Answer:
        found = serving.definitions().funnels.values()
        own = [{"name": one.name, "title": one.title, "unit": one.unit, "steps": list(one.steps)} for one in found]
        return {"items": [{**one, "saved": False} for one in own]}

    @routes.get("/api/funnels/{name}", **documented("A funnel over stages, such as plg", _PARAMETERS))
    async def stages(request: Request, name: str) -> Response:
        return await serving.answer(request, None, lambda asked: over_stages(serving, asked, name))

    @routes.post(
        "/api/funnel", **documented("A funnel over raw events, by the definition of a funnel", _VIEW, requestBody=_BODY)
    )
    async def ad_hoc(request: Request) -> Response:
        serving.caller(request)  # before a body is read
        body = await json_body(request)
        return await serving.answer(request, _VIEW, lambda asked: over_events(serving, asked, body))

    return routes


def over_events(serving: Serving, asked: Asked, body: object) -> Answer:
    """Any funnel, over all events that are in the lake now; identity is as of these very events."""
    question = parse(body)
    until = complete_until(serving.settings.folder.log, asked.now).until  # before the events' version is read
    return funnel(
        serving.lake,
        asked.project.name,
        question,
        complete_until=until,
        manifest=asked.manifest,
        limits=serving.limits,
        domains=serving.domains(asked),
        view=serving.view(asked),
        internal=serving.definitions().internal,
    )


def over_stages(serving: Serving, asked: Asked, name: str) -> Answer:
    """Before the first build: the answer over empty tables, with ``no_build`` as its reason."""
    project, manifest = asked.project, serving.manifest_or_empty(asked)
    definitions = serving.definitions()
    found = stage_funnel(
        serving.lake, project.name, definitions, name, asked.parameters, manifest, project.zone, serving.limits
    )
    return serving.marked(asked, found)
