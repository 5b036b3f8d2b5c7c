"""``GET /api/plan``: the tracking plan, what broke it, and which events it does not know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.serving import Answer, Asked, Serving, documented
from ingest.ids import violations
from ingest.outcome import Outcome
from ingest.plan import CurrentPlan, Plan

_REJECTED: Final = """select detail, source, count(*) as events, max(received_at) as last,
    arg_max(event_id, received_at) as event_id, arg_max(raw[1:4096], received_at) as raw
    from rejected where reason = 'plan' group by detail, source order by events desc, detail, source limit 1000"""
_NAMES: Final = """select event, count(*) as events, min(time) as first, max(time) as last from events
    where kind not in ('page', 'screen') group by event order by events desc, event limit 1000"""


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["ingestion"])
    plan = CurrentPlan(serving.settings.plan_folder)

    @routes.get("/api/plan", **documented("The tracking plan, what broke it, and events that it does not name"))
    async def plan_(request: Request) -> Response:
        return await serving.answer(request, (), answer)

    def answer(asked: Asked) -> Answer:
        name, now = asked.project.name, plan()
        versions = {table: serving.lake.version(name, table) for table in ("events", "rejected")}
        with serving.engine(name, versions) as engine:
            rejected, seen = engine.table(_REJECTED).to_pylist(), engine.table(_NAMES).to_pylist()
        names = {row["event"] for row in seen}
        return {
            "items": [*_rejected(now, rejected), *_warned(violations(serving.settings.folder.index, name))],
            "events": sorted(now.schemas),
            "sources": dict(now.modes),
            "faults": list(now.faults),
            "not_in_plan": [row for row in seen if row["event"] not in now.schemas],
            "not_seen": sorted(set(now.schemas) - names),
        }

    return routes


def _rejected(plan: Plan, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"outcome": "rejected", **_split(plan, row.pop("detail")), **row, "raw": row["raw"].decode("utf-8", "replace")}
        for row in rows
    ]


def _split(plan: Plan, detail: str) -> dict[str, str]:
    """Event and rule of what a refused event was told; of names that the plan has, the longest that fits."""
    fitting = [name for name in plan.schemas if detail.startswith(f"{name}: ")]
    event = max(fitting, key=len, default=detail.partition(": ")[0])
    return {"event": event, "rule": detail.removeprefix(f"{event}: ").removesuffix(f": {Outcome.PLAN.help}")}


def _warned(rows: list[dict[str, str | int]]) -> list[dict[str, Any]]:
    found = sorted(rows, key=lambda row: (-int(row["events"]), row["event"], row["rule"], row["source"]))
    return [{"outcome": "warned", **_but_when(row), "last": _time(int(row["received_at"]))} for row in found]


def _but_when(row: dict[str, str | int]) -> dict[str, str | int]:
    return {name: value for name, value in row.items() if name != "received_at"}


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
