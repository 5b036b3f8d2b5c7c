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
from transforms.engine import Engine

_REJECTED: Final = """select detail, source, count(*) as events, max(received_at) as last,
    arg_max(event_id, received_at) as event_id, arg_max(raw[1:4096], received_at) as raw
    from rejected where reason = 'plan' group by detail, source order by events desc, detail, source limit 1000"""
_NAMES: Final = """select event, count(*) as events, min(time) as first, max(time) as last from events
    where kind not in ('page', 'screen') group by event order by events desc, event limit 1000"""

_EXAMPLES: Final = """select event_id, properties, md5(event_id) as example from events
    where event in (select unnest($events)) and received_at between $least and $greatest
        and md5(event_id) in (select unnest($examples))"""
_COPIES: Final = timedelta(days=31)


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
            warned = _warned(now, violations(serving.settings.folder.index, name), engine)
        names = {row["event"] for row in seen}
        return {
            "items": [*_rejected(now, rejected), *warned],
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


def _warned(plan: Plan, rows: list[dict[str, str | int]], engine: Engine) -> list[dict[str, Any]]:
    """The newest event that broke a rule is an example as long as it is stored; null where it went, or the rule did."""
    found = sorted(rows, key=lambda row: (-int(row["events"]), row["event"], row["rule"], row["source"]))
    examples = _examples(engine, [row for row in found if "example" in row])
    return [
        {"outcome": "warned", "event": row["event"], "rule": row["rule"], "source": row["source"], "events": row["events"]}
        | {"last": _time(int(row["received_at"]))}
        | _shown(plan, row, examples.get(row.get("example")))
        for row in found
    ]


def _examples(engine: Engine, rows: list[dict[str, str | int]]) -> dict[object, dict[str, Any]]:
    """The stored events by their ``example``; an earlier copy may stand in the place of the one that was told."""
    if not rows:
        return {}
    times = [_time(int(row["received_at"])) for row in rows]
    named = {"events": [row["event"] for row in rows], "examples": [row["example"] for row in rows]}
    found = engine.table(_EXAMPLES, {**named, "least": min(times) - _COPIES, "greatest": max(times)}).to_pylist()
    return {row["example"]: row for row in found}


def _shown(plan: Plan, row: dict[str, str | int], example: dict[str, Any] | None) -> dict[str, str | None]:
    if example is None:
        return {"event_id": None, "found": None}
    broken = plan.broken_by(str(row["event"]), example["properties"])
    return {"event_id": example["event_id"], "found": broken.found if broken and broken.rule == row["rule"] else None}


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
