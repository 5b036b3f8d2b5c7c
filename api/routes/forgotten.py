"""``GET /api/forgotten``: who is being forgotten, and the receipts of whom was."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import forgetting
from api.auth import must_be_admin
from api.serving import Answer, Asked, Serving, documented


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["people"])

    @routes.get("/api/forgotten", **documented("Requests to forget that are under way, and receipts (admin key)"))
    async def forgotten(request: Request) -> Response:
        must_be_admin(serving.caller(request))
        return await serving.answer(request, (), answer)

    def answer(asked: Asked) -> Answer:
        """A receipt is found by its ``asked_at``, which the request was answered with."""
        return {
            "under_way": [_told(one) for one in forgetting.waiting(serving.settings, asked.project.name)],
            "items": forgetting.receipts(serving.lake, asked.project.name),
        }

    return routes


def _told(one: forgetting.Request) -> Answer:
    asked, since = datetime.fromisoformat(one.asked_at), datetime.fromisoformat(one.at)
    when = {"asked_at": asked, "step": one.step, "since": since}
    return {"request": one.token, **when, "ids": len(one.ids), "why": one.why, "by": one.by, "error": one.error}
