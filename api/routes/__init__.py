"""The query API, a file per question; ``routers`` is all of it in the order of the documentation."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    catalogue,
    changes,
    drivers,
    forgotten,
    funnels,
    identity,
    live,
    metrics,
    people,
    plan,
    project,
    quality,
    recent,
    rejected,
    saved,
    sources,
    stages,
    status,
)
from api.serving import Serving


def routers(serving: Serving) -> list[APIRouter]:
    by_stages = (metrics, stages, people, forgotten, identity)
    asked = (funnels, drivers, saved, catalogue, *by_stages)
    modules = (*asked, status, live, recent, rejected, plan, sources, project, quality, changes)
    return [module.router(serving) for module in modules]
