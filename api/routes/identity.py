"""``/api/identity``: which links make a person, and their undo and redo, for those with an admin key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.any_id import ANY_ID
from api.auth import must_be_admin
from api.body import json_body
from api.errors import Conflict, Detail, NotFound, Unprocessable
from api.parameters import KNOWN_AT
from api.serving import Answer, Asked, Serving, documented
from transforms.errors import NothingToUndo, UnknownLink
from transforms.links import Ledger, links_of
from transforms.undo import Hand, Undo, redo, undo

_PARAMETERS: Final = (KNOWN_AT,)
_EXAMPLE: Final = {"link": "the id of the event that made it", "why": "a shared device", "by": "ada"}
_BODY: Final = {"required": True, "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}}
LONGEST: Final = 1000


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["people"])

    @routes.get(f"/api/identity/links/{ANY_ID}", **documented("The links that name an id, and their undos", _PARAMETERS))
    async def links(request: Request, id: str) -> Response:  # noqa: A002
        return await serving.answer(request, _PARAMETERS, lambda asked: _links(serving, asked, id))

    @routes.post("/api/identity/undo", **documented("Take a link out of force (admin key)", requestBody=_BODY))
    async def undo_(request: Request) -> Response:
        return await changed(request, undo)

    @routes.post("/api/identity/redo", **documented("Undo the undo of a link (admin key)", requestBody=_BODY))
    async def redo_(request: Request) -> Response:
        return await changed(request, redo)

    async def changed(request: Request, change: Callable[..., Undo]) -> Response:
        must_be_admin(serving.caller(request))  # before a body is read
        body = await json_body(request)
        return await serving.answer(request, (), lambda asked: _changed(serving, asked, change, body))

    return routes


def _links(serving: Serving, asked: Asked, given: str) -> Answer:
    ids = {given, f"user:{given}", f"anonymous:{given}"}
    ledger = Ledger.now(serving.lake, asked.project.name, with_events=True)
    return {"items": links_of(ledger, ids, serving.view(asked), serving.limits), "next": None}


def _changed(serving: Serving, asked: Asked, change: Callable[..., Undo], body: object) -> Answer:
    """Written when the answer comes: the next ad-hoc answer has it, the tables have it with the next build."""
    given = _read(body)
    hand = Hand(given.get("by") or f"key {asked.key.source}", given["why"], asked.now)
    try:
        done = change(serving.lake, asked.project.name, given["link"], hand, serving.limits)
    except UnknownLink as error:
        raise NotFound(str(error), [Detail("link", given["link"], [], "name the event that made the link")]) from None
    except NothingToUndo as error:
        raise Conflict(str(error)) from None
    ledger = Ledger.now(serving.lake, asked.project.name, with_events=True)
    found = links_of(ledger, {done.id}, serving.view(asked), serving.limits)
    link = next((one for one in found if (one["id"], one["owner"]) == (done.id, done.owner)), None)
    return {"undos": list(done.entries), "link": link}


def _read(body: object) -> dict[str, str]:
    """``link`` and ``why`` must be there, ``by`` may; raises ``Unprocessable`` with all faults."""
    given = dict(body) if isinstance(body, Mapping) else {}
    names = ("link", "why", "by")
    faults = [Detail(str(name), given[name], list(names), "unknown key") for name in given if name not in names]
    for name in names:
        text = given.get(name)
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
            if name == "by" and text is None:
                continue
            faults.append(Detail(name, text, [f"a text of 1 to {LONGEST} characters"], f"{name} must say something"))
    if faults:
        raise Unprocessable("; ".join(f"{fault.path}: {fault.message}" for fault in faults), faults)
    return {name: str(given[name]) for name in names if given.get(name)}
