"""Whatever goes wrong in the query API, as ``application/problem+json``: the one map from errors to statuses."""

from __future__ import annotations

import logging

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.errors import PROBLEM_JSON, Detail, NotFound, Problem, TooSlow, Unavailable, Unprocessable, problem_body, unknown
from api.openapi import describe
from api.store import StoreError
from funnels import errors
from funnels.errors import BadRequest, NoSuchUnit, TooMuch
from funnels.unknown import UnknownName

logger = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(BadRequest, _bad_request)
    app.add_exception_handler(UnknownName, _unknown_name)
    app.add_exception_handler(NoSuchUnit, _no_such_unit)
    app.add_exception_handler(TooMuch, _too_much)
    app.add_exception_handler(StoreError, _store_error)
    for away in (sa.exc.OperationalError, sa.exc.InterfaceError):
        app.add_exception_handler(away, _store_away)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def answer(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers, PROBLEM_JSON)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(error)


async def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    details = [Detail(**fault.as_json()) for fault in error.faults]  # type: ignore[arg-type]
    return answer(Unprocessable(str(error), details))


async def _unknown_name(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnknownName)
    return answer(unknown(error.noun, "name", error.found, error.known))


async def _no_such_unit(request: Request, error: Exception) -> Response:
    assert isinstance(error, NoSuchUnit)
    return answer(NotFound(str(error), [Detail("unit_id", error.given, [error.form], str(error))]))


async def _too_much(request: Request, error: Exception) -> Response:
    assert isinstance(error, TooMuch)
    details = [Detail("", None, list(error.narrow), "ask for less: one of these")]
    if isinstance(error, errors.TooSlow):
        return answer(TooSlow(str(error), details))
    return answer(Unprocessable(str(error), details, "The question is too large"))


async def _store_error(request: Request, error: Exception) -> Response:
    return answer(NotFound("The project of this key is not in the store any more."))


async def _store_away(request: Request, error: Exception) -> Response:
    logger.error("the store does not answer", exc_info=error)
    return answer(Unavailable("The store (--store-url) does not answer at the moment. Ask again; the log tells more."))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = [Detail(".".join(map(str, e["loc"])), e.get("input"), [], e["msg"]) for e in error.errors()]
    return answer(Unprocessable("; ".join(f"{d.path}: {d.message}" for d in details), details))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return answer(unknown("page", "path", request.url.path, ["/", "/docs", *describe(request.app)["paths"]]))
    detail = str(error.detail)
    if error.status_code == 405:
        detail = f"{request.method} is not for {request.url.path}. Allowed: {headers.get('allow') or headers.get('Allow')}."
    return Response(problem_body(error.status_code, str(error.detail), detail), error.status_code, headers, PROBLEM_JSON)


async def _bug(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "")  # never the address itself: it may name a person
    logger.error("a request failed", extra={"method": request.method, "route": route}, exc_info=error)
    detail = "This is a fault of the server, not of the request; its log tells more. Other questions still work."
    return Response(problem_body(500, "Internal error", detail), 500, None, PROBLEM_JSON)
