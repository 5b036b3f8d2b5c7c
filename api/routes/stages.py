"""``GET /api/stages/{stage}/people`` and ``/accounts``: who entered a stage, the latest first; by first entry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import cursor
from api.errors import unknown
from api.parameters import CURSOR, FROM, LIMIT, TO
from api.serving import NO_BUILD, Answer, Asked, Serving, documented

_PARAMETERS: Final = (FROM, TO, LIMIT, CURSOR)
_ALWAYS: Final = datetime(1, 1, 1, tzinfo=UTC)
_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_OF_PEOPLE: Final = ("person", "email", "name", "account", "channel", "entered", "left", "by")
_OF_ACCOUNTS: Final = ("account", "name", "members", "channel", "entered", "left", "by")

PEOPLE: Final = """
with chosen as (
    select
        stages.subject_id as person, people.email, people.name, people.account_id as account, people.channel,
        stages.entered, stages."left", stages.event_id as by
    from stages
    left join people on people.person = stages.subject_id
    where stages.subject = 'person' and stages.stage = $stage and stages.spell = 1
        and stages.entered >= $from and stages.entered < $to
)
select *, (select count(*) from chosen) as total
from chosen
where entered < $time or (entered = $time and person > $id)
order by entered desc, person
limit $limit
"""
ACCOUNTS: Final = """
with chosen as (
    select
        stages.subject_id as account, accounts.name, accounts.members, accounts.channel,
        stages.entered, stages."left", stages.event_id as by
    from stages
    left join accounts on accounts.account_id = stages.subject_id
    where stages.subject = 'account' and stages.stage = $stage and stages.spell = 1
        and stages.entered >= $from and stages.entered < $to
)
select *, (select count(*) from chosen) as total
from chosen
where entered < $time or (entered = $time and account > $id)
order by entered desc, account
limit $limit
"""


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["stages"])

    @routes.get("/api/stages/{stage}/people", **documented("People who entered a stage, the latest first", _PARAMETERS))
    async def people(request: Request, stage: str) -> Response:
        return await serving.answer(
            request, _PARAMETERS, lambda asked: entered(serving, asked, stage, "people"), columns=_OF_PEOPLE
        )

    @routes.get("/api/stages/{stage}/accounts", **documented("Accounts that entered a stage, the latest first", _PARAMETERS))
    async def accounts(request: Request, stage: str) -> Response:
        return await serving.answer(
            request, _PARAMETERS, lambda asked: entered(serving, asked, stage, "accounts"), columns=_OF_ACCOUNTS
        )

    return routes


def entered(serving: Serving, asked: Asked, stage: str, whose: str) -> Answer:
    """A page of the list; its cursor keeps the pages on one build."""
    known = list(serving.definitions().stages)
    if stage not in known:
        raise unknown("stage", "stage", stage, known)
    if asked.manifest is None:
        return {"items": [], "next": None, "total": 0, "data": asked.data, "reason": "no_build", "warnings": [NO_BUILD]}
    given = asked.parameters
    place = cursor.decode(given["cursor"]) if given["cursor"] else None
    manifest = serving.manifest(asked, place.manifest) if place else asked.manifest
    assert manifest is not None
    parameters = {
        "stage": stage,
        "from": given["from"] or _ALWAYS,
        "to": given["to"] or _EVER,
        "time": place.time if place else _EVER,
        "id": place.id if place else "",
        "limit": given["limit"] + 1,
    }
    with serving.built(asked.project.name, manifest, "stages", whose) as engine:
        rows = engine.table(PEOPLE if whose == "people" else ACCOUNTS, parameters).to_pylist()
    total = rows[0]["total"] if rows else 0
    items = [{name: value for name, value in row.items() if name != "total"} for row in rows[: given["limit"]]]
    following = _cursor(manifest.number, items[-1], whose) if len(rows) > len(items) else None
    data = {"manifest": manifest.number, "complete_until": manifest.complete_until}
    return {"items": items, "next": following, "total": total, "data": data}


def _cursor(manifest: int, last: dict[str, Any], whose: str) -> str:
    return cursor.Cursor(manifest, last["entered"], last["person" if whose == "people" else "account"]).encode()
