"""``POST /api/funnel/drivers``: what goes with converting between two steps of a funnel."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.body import json_body
from api.funnel_schema import driver_body
from api.parameters import KNOWN_AT
from api.routes.funnels import known, source_of
from api.serving import Answer, Asked, Serving, documented
from funnels.driver_question import parse_drivers
from funnels.drivers import COLUMNS, drivers, explained

_VIEW: Final = (KNOWN_AT,)


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["funnels"])

    @routes.post(
        "/api/funnel/drivers",
        **documented(
            "Which properties and other events go with getting from one step to a later one",
            _VIEW,
            requestBody=driver_body(),
            description=explained(),
        ),
    )
    async def found(request: Request) -> Response:
        serving.caller(request)  # before a body is read
        body = await json_body(request)
        return await serving.answer(request, _VIEW, lambda asked: answer(serving, asked, body), columns=COLUMNS)

    return routes


def answer(serving: Serving, asked: Asked, body: object) -> Answer:
    return drivers(source_of(serving, asked), parse_drivers(body, known(serving)))
