"""``/api/sources``: what sends, with its settings and write keys; made, changed and rotated with an admin key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.auth import must_be_admin
from api.body import json_body
from api.errors import Conflict, Detail, NotFound, Problem, Unprocessable
from api.serving import Answer, Asked, Serving, documented
from api.sources import CHOICES, Source, policy_of
from api.store import StoreError, Taken, UnknownName

_COLUMNS: Final = ("name", "on", "settings", "created", "keys")
_KEEP_DAYS: Final = 7.0
_LONGEST_KEEP: Final = 3650.0
_MOST_DIGITS: Final = 10
_SETTINGS: Final = {"ip": "truncate", "do_not_track": "anonymous"}


def _body(required: bool, **example: object) -> dict[str, Any]:
    return {"required": required, "content": {"application/json": {"schema": {"type": "object"}, "example": example}}}


_NEW: Final = _body(True, name="website", settings=_SETTINGS)
_CHANGE: Final = _body(True, on=False, settings=_SETTINGS)
_ROTATE: Final = _body(False, keep_days=7)
_KEY: Final = _body(False, key="phc_one-that-apps-send-already")
_END: Final = _body(True, until="2026-04-01T00:00:00Z")


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["sources"])
    sources = serving.sources

    @routes.get("/api/sources", **documented("Sources with their settings, and their write keys without their text"))
    async def all_(request: Request) -> Response:
        return await serving.answer(request, (), listed, quick=True, columns=_COLUMNS)

    @routes.get("/api/sources/{name}", **documented("One source"))
    async def one(request: Request, name: str) -> Response:
        return await serving.answer(request, (), lambda asked: shown(asked, name), quick=True)

    @routes.post("/api/sources", **documented("Make a source; the answer alone has its key (admin key)", requestBody=_NEW))
    async def create(request: Request) -> Response:
        return await changed(request, created)

    @routes.patch("/api/sources/{name}", **documented("Switch or set up a source (admin key)", requestBody=_CHANGE))
    async def change(request: Request, name: str) -> Response:
        return await changed(request, lambda asked, body: set_up(asked, name, body))

    @routes.post(
        "/api/sources/{name}/keys",
        **documented("One more write key of a source, new or brought along (admin key)", requestBody=_KEY),
    )
    async def add_key(request: Request, name: str) -> Response:
        return await changed(request, lambda asked, body: key_added(asked, name, body), empty=True)

    @routes.post(
        "/api/sources/{name}/rotate",
        **documented("A new write key; the old ones end some days later (admin key)", requestBody=_ROTATE),
    )
    async def rotate(request: Request, name: str) -> Response:
        return await changed(request, lambda asked, body: rotated(asked, name, body), empty=True)

    @routes.patch(
        "/api/sources/{name}/keys/{number}",
        **documented("Give a key an end, or with null take it away (admin key)", requestBody=_END),
    )
    async def end_key(request: Request, name: str, number: str) -> Response:
        return await changed(request, lambda asked, body: key_ended(asked, name, number, body))

    @routes.delete("/api/sources/{name}/keys/{number}", **documented("Revoke a key at once (admin key)"))
    async def revoke(request: Request, name: str, number: str) -> Response:
        must_be_admin(serving.caller(request))
        return await serving.answer(request, (), lambda asked: _told(lambda: revoked(asked, name, number)), quick=True)

    async def changed(request: Request, work: Callable[[Asked, object], Answer], empty: bool = False) -> Response:
        must_be_admin(serving.caller(request))  # before a body is read
        body = {} if empty and _is_empty(request) else await json_body(request)
        return await serving.answer(request, (), lambda asked: _told(lambda: work(asked, body)), quick=True)

    def listed(asked: Asked) -> Answer:
        return {"items": [source.as_json(asked.now) for source in sources.all(asked.project.name)]}

    def shown(asked: Asked, name: str) -> Answer:
        return _told(lambda: found(asked, name).as_json(asked.now))

    def found(asked: Asked, name: str) -> Source:
        return sources.get(asked.project.name, name)

    def created(asked: Asked, body: object) -> Answer:
        given = _fields(body, "name", "settings")
        name = _text(given, "name")
        key = sources.create(asked.project.name, name, policy_of(_settings(given)), asked.now)
        return {**found(asked, name).as_json(asked.now), "key": key}

    def set_up(asked: Asked, name: str, body: object) -> Answer:
        given = _fields(body, "on", "settings")
        on = given.get("on")
        if on is not None and type(on) is not bool:
            raise _wrong("on", on, [True, False], "say true or false")
        policy = policy_of(_settings(given), found(asked, name).policy)
        return sources.change(asked.project.name, name, on=on, policy=policy).as_json(asked.now)

    def key_added(asked: Asked, name: str, body: object) -> Answer:
        given = _fields(body, "key")
        text = _text(given, "key") if "key" in given else None
        key = sources.add_key(asked.project.name, name, asked.now, text)
        return {**found(asked, name).as_json(asked.now), "key": key}

    def rotated(asked: Asked, name: str, body: object) -> Answer:
        days = _fields(body, "keep_days").get("keep_days", _KEEP_DAYS)
        if type(days) not in (int, float) or not 0 <= days <= _LONGEST_KEEP:  # type: ignore[operator]
            raise _wrong("keep_days", days, [f"days from 0 to {_LONGEST_KEEP:.0f}"], "how long the old keys are taken")
        key = sources.rotate(asked.project.name, name, asked.now + timedelta(days=float(days)), asked.now)  # type: ignore[arg-type]
        return {**found(asked, name).as_json(asked.now), "key": key}

    def key_ended(asked: Asked, name: str, number: str, body: object) -> Answer:
        given = _fields(body, "until")
        if "until" not in given:
            raise _wrong("until", None, ["2026-04-01T00:00:00Z", None], "say when it ends, or null")
        sources.end_key(asked.project.name, name, _number(number), _moment(given["until"]), asked.now)
        return found(asked, name).as_json(asked.now)

    def revoked(asked: Asked, name: str, number: str) -> Answer:
        sources.revoke_key(asked.project.name, name, _number(number), asked.now)
        return found(asked, name).as_json(asked.now)

    return routes


def _told(work: Callable[[], Answer]) -> Answer:
    """The store's errors as the API's."""
    try:
        return work()
    except UnknownName as error:
        raise NotFound(str(error)) from None
    except Taken as error:
        raise Conflict(str(error)) from None
    except StoreError as error:
        raise Unprocessable(str(error)) from None


def _is_empty(request: Request) -> bool:
    return request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers


def _fields(body: object, *names: str) -> Mapping[str, object]:
    if not isinstance(body, Mapping):
        raise _wrong("body", type(body).__name__, ["an object"], f"write an object with any of {', '.join(names)}")
    for name in body:
        if name not in names:
            raise _wrong(str(name), body[name], list(names), "no such field")
    return body


def _settings(given: Mapping[str, object]) -> Mapping[str, object]:
    settings = given.get("settings", {})
    if not isinstance(settings, Mapping):
        raise _wrong("settings", settings, list(CHOICES), "write an object")
    return settings


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise _wrong(name, value, ["a text"], f"{name} must be a text")
    return value


def _number(given: str) -> int:
    """Of a key. The framework would say that a text is no number before anybody looked who asks."""
    if len(given) > _MOST_DIGITS or not (given.isascii() and given.isdecimal()):
        raise NotFound(f"There is no key {given!r}; GET /api/sources tells their numbers.")
    return int(given)


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(str(value))
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _wrong("until", value, ["2026-04-01T00:00:00Z", None], "write a date in UTC, or null") from None


def _wrong(path: str, found: object, allowed: list[Any], message: str) -> Problem:
    return Unprocessable(f"{path}: {message}.", [Detail(path, found, allowed, message)])
