"""``GET /api/funnels``, ``/api/funnels/{name}`` (over stages) and ``POST /api/funnel`` (any funnel over raw events)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.body import json_body
from api.parameters import FROM, KNOWN_AT, TO, Parameter
from api.saved import Saved
from api.serving import Answer, Asked, Serving, documented
from funnels.adhoc import funnel
from funnels.plg import stage_funnel
from funnels.request import parse
from funnels.unknown import UnknownName
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
        kept = serving.saved.all(asked.project.name)
        return {"items": [*({**one, "saved": False} for one in own), *map(_kept, kept)]}

    @routes.get("/api/funnels/{name}", **documented("A funnel by its name: over stages, such as plg, or saved", _PARAMETERS))
    async def stages(request: Request, name: str) -> Response:
        return await serving.answer(request, None, lambda asked: by_name(serving, asked, name))

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


def by_name(serving: Serving, asked: Asked, name: str) -> Answer:
    """One of the definitions' files, else a saved one: its question, of which the parameters say single values anew."""
    definitions = serving.definitions()
    kept = None if name in definitions.funnels else serving.saved.find(asked.project.name, name)
    if kept is not None:
        return over_events(serving, asked, {**kept.asked(asked.now), **anew(asked.parameters)})
    if name not in definitions.funnels:
        saved = [one.name for one in serving.saved.all(asked.project.name)]
        raise UnknownName("funnel", name, [*definitions.funnels, *saved])
    return over_stages(serving, asked, name)


def anew(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``by`` is a property here, or several with commas between them; every other name is the request's own."""
    given = dict(parameters)
    by = given.pop("by", None)
    return given if by is None else {**given, "breakdown": {"by": by.split(",")}}


def _kept(one: Saved) -> dict[str, Any]:
    unit = one.question.get("unit") or "person"
    return {"name": one.name, "title": one.title, "unit": unit, "steps": one.steps, "saved": True}


def over_stages(serving: Serving, asked: Asked, name: str) -> Answer:
    """Before the first build: the answer over empty tables, with ``no_build`` as its reason."""
    project, manifest = asked.project, serving.manifest_or_empty(asked)
    definitions = serving.definitions()
    found = stage_funnel(
        serving.lake, project.name, definitions, name, asked.parameters, manifest, project.zone, serving.limits
    )
    return serving.marked(asked, found)
