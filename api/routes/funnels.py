"""``GET /api/funnels``, ``/api/funnels/{name}`` (over stages), and ``POST /api/funnel`` (any funnel over raw events) with
``/people`` (who stands behind a number) and ``/explain`` (why one unit stands where it stands).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import duckdb
from deltalake.exceptions import DeltaError
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import cursor
from api.body import json_body
from api.errors import Detail, Unprocessable
from api.funnel_schema import answered, codes, funnel_body, list_body, unit_body
from api.parameters import FROM, KNOWN_AT, TO, Parameter
from api.saved import Saved
from api.serving import Answer, Asked, Serving, documented
from funnels import explain, listing
from funnels.adhoc import Source
from funnels.answers import Answers
from funnels.plg import stage_funnel
from funnels.request import Known, body_of, parse
from funnels.survival import thinned
from funnels.times import iso
from funnels.unknown import UnknownName
from ingest.progress import complete_until
from transforms.ledger import LEDGER
from transforms.manifest import published

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
_MOMENTS: Final = Parameter("survival", "The curve thinned to so many moments, for a picture.", "number", most=100_000)
_OF_FUNNEL: Final = documented(
    "A funnel over raw events, by the definition of a funnel",
    (*_VIEW, _MOMENTS),
    requestBody=funnel_body(),
    description=answered(),
)
_OF_LIST: Final = documented("Who stands behind a number of a funnel", _VIEW, requestBody=list_body())
_OF_UNIT: Final = documented(
    "Why a unit stands where it stands in a funnel", _VIEW, requestBody=unit_body(), description=codes()
)


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["funnels"])
    answers = Answers()

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
        return await serving.answer(request, None, lambda asked: by_name(serving, asked, name, answers))

    @routes.post("/api/funnel", **_OF_FUNNEL)
    async def ad_hoc(request: Request) -> Response:
        serving.caller(request)  # before a body is read
        body = await json_body(request)
        return await serving.answer(request, (*_VIEW, _MOMENTS), lambda asked: drawn(asked, body))

    def drawn(asked: Asked, body: object) -> Answer:
        found, points = over_events(serving, asked, body, answers), asked.parameters[_MOMENTS.name]
        return found if points is None else {**found, "survival": thinned(found["survival"], points)}

    @routes.post("/api/funnel/people", **_OF_LIST)
    async def people(request: Request) -> Response:
        serving.caller(request)
        body = await json_body(request)
        return await serving.answer(request, _VIEW, lambda asked: page_of(serving, asked, body), columns=listing.COLUMNS)

    @routes.post("/api/funnel/explain", **_OF_UNIT)
    async def why(request: Request) -> Response:
        serving.caller(request)
        body = await json_body(request)
        return await serving.answer(
            request,
            _VIEW,
            lambda asked: unit_of(serving, asked, body),
            columns=explain.COLUMNS,
        )

    return routes


def known(serving: Serving) -> Known:
    """What requests may name."""
    definitions = serving.definitions()
    return Known(definitions.cohorts, tuple(definitions.stages))


def source_of(serving: Serving, asked: Asked, place: cursor.FunnelCursor | None = None) -> Source:
    """All events that are in the lake now, and identity as of these very events; or what a cursor was read from."""
    lake, project = serving.lake, asked.project.name
    until = complete_until(serving.settings.folder.log, asked.now).until  # before the events' version is read
    manifest = asked.manifest
    if place is not None:
        numbers = {one.number: one for one in published(lake, project)}
        manifest = None if place.manifest is None else numbers.get(place.manifest)
        if manifest is None and place.manifest is not None:
            raise _gone(place)
    return Source(
        lake,
        project,
        version=lake.version(project, "events") if place is None else place.events,
        complete_until=until if place is None else place.complete_until,
        manifest=manifest,
        limits=serving.limits,
        domains=serving.domains(asked),
        view=serving.view(asked),
        internal=serving.definitions().internal,
        ledger=lake.version(project, LEDGER) if place is None else place.ledger,
    )


def over_events(serving: Serving, asked: Asked, body: object, answers: Answers) -> Answer:
    return answers.of(source_of(serving, asked), parse(body, known(serving)))


def by_name(serving: Serving, asked: Asked, name: str, answers: Answers) -> Answer:
    """One of the definitions' files, else a saved one: its question, of which the parameters say single values anew."""
    definitions = serving.definitions()
    kept = None if name in definitions.funnels else serving.saved.find(asked.project.name, name)
    if kept is not None:
        return over_events(serving, asked, {**kept.asked(asked.now), **anew(asked.parameters)}, answers)
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


def page_of(serving: Serving, asked: Asked, body: object) -> Answer:
    """A page of a list; its cursor keeps the pages on one state of the data, and to one question."""
    question = listing.parse_list(body, known(serving))
    own = cursor.digest(
        listing.same_question(body_of(body)),
        serving.definitions().version,
        question.funnel.cohorts,
        str(asked.parameters.get("known_at")),
        asked.project.name,
    )
    place = cursor.decode_of_funnel(question.after) if question.after else None
    if place is not None and place.question != own:
        fault = Detail("after", question.after, ["the 'next' of a page of this very question"], "another question's cursor")
        raise Unprocessable("after: this cursor belongs to another question, or the definitions have changed.", [fault])
    source = source_of(serving, asked, place)
    try:
        page = listing.page(source, question, (place.entry, place.id) if place else None)
    except (DeltaError, duckdb.IOException):
        if place is None:
            raise
        raise _gone(place) from None
    following = None
    if page.last is not None:
        number = None if source.manifest is None else source.manifest.number
        versions = (source.version, number, source.ledger)
        following = cursor.FunnelCursor(*versions, source.complete_until, own, *page.last).encode()
    return {"items": page.items, "next": following, "total": page.total, "as_of": iso(page.as_of), "data": page.data}


def unit_of(serving: Serving, asked: Asked, body: object) -> Answer:
    """Why one unit stands where it stands."""
    return explain.explain(source_of(serving, asked), explain.parse_unit(body, known(serving)))


def _gone(place: cursor.FunnelCursor) -> Unprocessable:
    fault = Detail("after", place.encode(), [None], "the data that the first page was read from is kept no more")
    return Unprocessable("after: the first page's data is kept no more; ask for the first page again.", [fault])


def over_stages(serving: Serving, asked: Asked, name: str) -> Answer:
    """Before the first build: the answer over empty tables, with ``no_build`` as its reason."""
    project, manifest = asked.project, serving.manifest_or_empty(asked)
    definitions = serving.definitions()
    found = stage_funnel(
        serving.lake, project.name, definitions, name, asked.parameters, manifest, project.zone, serving.limits
    )
    return serving.marked(asked, found)
