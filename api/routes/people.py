"""``GET /api/people/{id}``: one person by any of its ids: who it is, what it reached, and the events behind it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import cursor, forgetting
from api.any_id import ANY_ID
from api.auth import must_be_admin
from api.errors import Detail, NotFound, Unprocessable
from api.parameters import CURSOR, KNOWN_AT, LIMIT, Parameter
from api.serving import NO_BUILD, Answer, Asked, Serving, documented
from ingest.numbers import loads
from transforms.core import ABOUT_THEM
from transforms.engine import Engine
from transforms.links import Ledger, links_of
from transforms.manifest import Manifest
from transforms.model import make
from transforms.overlay import identity
from transforms.tables import TABLES

_PARAMETERS: Final = (LIMIT, CURSOR, KNOWN_AT)
WHY: Final = Parameter("why", "The reason, kept in the receipt; a ticket's number, nothing about the person.")
_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)

_THEN: Final = "Identity is as known then; stages and invitations are of the last build only and are left out."
_FORMS: Final = "Ids are typed: user:... for a signed-in user, anonymous:... for a device."

PERSON: Final = """
select person, person_id
from actors
where id in ($id, 'user:' || $id, 'anonymous:' || $id)
order by id = $id desc, id desc -- an id as it stands first, then a user's before a device's
limit 1
"""
IDS: Final = "select id, linked_by, linked_at as at from actors where person_id = $person_id order by id"
TRAITS: Final = "select traits, first_seen, last_seen, events, channel from people where person_id = $person_id"
# Of the accounts those that the person has not left.
MEMBERSHIPS: Final = "select account_id from memberships where person_id = $person_id and until is null order by ordinal"
STAGES: Final = """
select stage, spell, entered, "left", event_id as by
from stages
where subject = 'person' and subject_id = $person
order by entered, stage
"""
# The one invitation that is credited for the person; whoever came without one is of generation 0.
CAME_BY: Final = """
select inviter, invite_id, sent_at, accepted_at, scope, generation
from invites
where invitee = $person and scope is not null
"""
INVITED: Final = """
select count(distinct invite_id) as sent, count(*) filter (where scope is not null) as brought
from invites
where inviter = $person
"""
BROUGHT: Final = """
select invitee as person, invitee_registered_at as registered, generation
from invites
where inviter = $person and scope is not null
order by invitee_registered_at, invitee
limit $limit
"""
_BROUGHT_SHOWN: Final = 50
OWN_EVENTS: Final = "select * from events where actor_id in (select actor_id from actors where person_id = $person_id)"
EVENTS: Final = """
select event_id, time, kind, event, account_id, source, properties
from events
where actor_id in (select actor_id from actors where person_id = $person_id)
  and (time < $time or (time = $time and event_id > $id))
order by time desc, event_id
limit $limit
"""


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["people"])

    @routes.get(f"/api/people/{ANY_ID}", **documented("A person, found by any of its ids", _PARAMETERS))
    async def person(request: Request, id: str) -> Response:  # noqa: A002
        return await serving.answer(request, _PARAMETERS, lambda asked: _person(serving, asked, id))

    @routes.delete(f"/api/people/{ANY_ID}", **documented("Forget a person (admin key)", (WHY,)))
    async def forget(request: Request, id: str) -> Response:  # noqa: A002
        must_be_admin(serving.caller(request))
        return await serving.answer(request, (WHY,), lambda asked: _forget(serving, asked, id))

    return routes


def _forget(serving: Serving, asked: Asked, given: str) -> Answer:
    """Only notes the request: the work role carries it out, see ``api/forgetting.py``."""
    why = asked.parameters["why"]
    if not why:
        raise Unprocessable("Say why: ?why=TICKET-1", [Detail("why", "", "a reason without personal data", "send why")])
    try:
        noted = forgetting.ask(serving.settings, serving.lake, asked.project.name, given, why, "api", asked.now)
    except forgetting.Unknown as error:
        raise NotFound(str(error), [_fault(given)]) from None
    except ValueError as error:
        raise Unprocessable(str(error), [Detail("why", "", "a reason without personal data", str(error))]) from None
    return {"request": noted.token, "step": noted.step, "ids": len(noted.ids), "asked_at": asked.now}


def _person(serving: Serving, asked: Asked, given: str) -> Answer:
    place = cursor.decode(asked.parameters["cursor"]) if asked.parameters["cursor"] else None
    manifest = serving.manifest(asked, place.manifest) if place else asked.manifest
    if manifest is None:
        raise NotFound(f"Nobody is known yet. {NO_BUILD}", [_fault(given)])
    with _engine(serving, asked, manifest) as engine:
        found = engine.table(PERSON, {"id": given}).to_pylist()
        if not found:
            raise NotFound(f"There is no person '{given}' in the last build. {_FORMS}", [_fault(given)])
        person = found[0]
        own = {"person_id": person["person_id"]}
        ids = engine.table(IDS, own).to_pylist()
        if asked.parameters["known_at"]:
            _describe(engine, own)
        about = (engine.table(TRAITS, own).to_pylist() or [{"traits": "{}"}])[0]
        return {
            "person": person["person"],
            "ids": ids,
            "links": links_of(_ledger(serving, asked), [one["id"] for one in ids], serving.view(asked), serving.limits),
            **about,
            "traits": loads(about["traits"]),
            "accounts": engine.table(MEMBERSHIPS, own)["account_id"].to_pylist(),
            "stages": engine.table(STAGES, {"person": person["person"]}).to_pylist(),
            "invitations": _invitations(engine, person["person"]),
            "events": _events(engine, manifest, own, place, asked.parameters["limit"]),
            "data": {"manifest": manifest.number, "complete_until": manifest.complete_until},
            **({"warnings": [_THEN]} if asked.parameters["known_at"] else {}),
        }


def _ledger(serving: Serving, asked: Asked) -> Ledger:
    return Ledger.now(serving.lake, asked.project.name, with_events=False)


def _engine(serving: Serving, asked: Asked, manifest: Manifest) -> Engine:
    """The tables of a build; as known at a moment, its events with who was who then."""
    project = asked.project.name
    if not asked.parameters["known_at"]:
        return serving.built(project, manifest, "actors", "people", "memberships", "stages", "invites", "events")
    events = manifest.tables.get("events")
    domains, view = serving.domains(asked), serving.view(asked)
    known = identity(serving.lake, project, events, manifest, serving.limits, domains, view)
    engine = serving.engine(project, {"events": events, **known.built})
    known.bind(engine)
    for table in ("stages", "invites"):
        engine.bind(table, TABLES[table].empty_table())
    return engine


def _invitations(engine: Engine, person: str) -> Answer:
    """Who brought this person, of which generation that makes them, and whom they brought: the first of them by name."""
    came_by = (engine.table(CAME_BY, {"person": person}).to_pylist() or [None])[0]
    people = engine.table(BROUGHT, {"person": person, "limit": _BROUGHT_SHOWN}).to_pylist()
    generation = came_by.pop("generation") if came_by else 0
    invited = engine.table(INVITED, {"person": person}).to_pylist()[0]
    return {"generation": generation, "came_by": came_by, **invited, "people": people}


def _describe(engine: Engine, own: Mapping[str, Any]) -> None:
    """Binds ``people`` with one row: what the build would say of this person, had it known who was who then."""
    engine.bind("events", engine.table(OWN_EVENTS, own))
    for model in ABOUT_THEM:
        make(engine, model)


def _fault(given: str) -> Detail:
    return Detail("id", given, ["user:...", "anonymous:..."], _FORMS)


def _events(engine: Engine, manifest: Manifest, own: dict[str, Any], place: cursor.Cursor | None, limit: int) -> Answer:
    time, last = (place.time, place.id) if place else (_EVER, "")
    rows = engine.table(EVENTS, {**own, "time": time, "id": last, "limit": limit + 1}).to_pylist()
    items = [{**row, "properties": loads(row["properties"])} for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        following = cursor.Cursor(manifest.number, items[-1]["time"], items[-1]["event_id"]).encode()
    return {"items": items, "next": following}
