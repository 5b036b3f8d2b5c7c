"""The query API, a file per question; ``routers`` is all of it in the order of the documentation."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import funnels, identity, metrics, people, project, recent, stages, status
from api.serving import Serving


def routers(serving: Serving) -> list[APIRouter]:
    return [module.router(serving) for module in (funnels, metrics, stages, people, identity, status, recent, project)]
