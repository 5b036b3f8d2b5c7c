"""``GET /api/live``: what arrives, accepted and rejected side by side, newest first, by name, user, source and outcome.

Read from the lake's newest files, where an event is a second or two after its answer; never from the log, whose disk the
door needs. A filter looks among the last LOOKED_AT events and REJECTS rejected ones only, so that it costs the same however
long the history is, and however rare what it looks for.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pyarrow as pa
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.parameters import Parameter
from api.routes.recent import newest, shown
from api.serving import Answer, Asked, Serving, documented
from ingest.outcome import Outcome

LOOKED_AT: Final = 10_000
REJECTS: Final = 1_000

_EVENT: Final = (
    "received_at", "event_id", "time", "kind", "event", "user_id", "anonymous_id", "account_id", "source", "library"
)  # fmt: skip
_REJECTED: Final = ("received_at", "event_id", "source", "path", "reason", "detail", "raw")
COLUMNS: Final = ("outcome", *_EVENT, "path", "reason", "detail", "raw")
_REASONS: Final = tuple(outcome.value for outcome in Outcome if outcome.is_rejection)

EVENT: Final = Parameter("event", "Part of the event's name, in any case; of a rejected one, of its raw text.")
USER: Final = Parameter("user", "Part of the user, anonymous or account id; of a rejected one, of its raw text.")
SOURCE: Final = Parameter("source", "The source whose key sent it.")
OUTCOME: Final = Parameter("outcome", "What became of it.", "choice", ("accepted", "rejected", *_REASONS))
SHOWN: Final = Parameter("limit", "How many at most.", "number", default=50, most=500)
_PARAMETERS: Final = (EVENT, USER, SOURCE, OUTCOME, SHOWN)

_MATCHES: Final = """
    ($event is null or contains(lower(event), lower($event)))
    and ($user is null or contains(lower(concat_ws(chr(10), user_id, anonymous_id, account_id)), lower($user)))
    and ($source is null or source = $source)
"""
_TEXT: Final = "lower(coalesce(try(decode(raw)), cast(raw as varchar)))"  # bytes that are no UTF-8: with these escaped
_REJECT_MATCHES: Final = f"""
    ($event is null or contains({_TEXT}, lower($event)) or contains({_TEXT}, $event_escaped))
    and ($user is null or contains({_TEXT}, lower($user)) or contains({_TEXT}, $user_escaped))
    and ($source is null or source = $source)
    and ($outcome = 'rejected' or reason = $outcome)
"""


def router(serving: Serving) -> APIRouter:
    routes = APIRouter(tags=["ingestion"])

    @routes.get("/api/live", **documented("What arrives, accepted and rejected, filtered", _PARAMETERS))
    async def live(request: Request) -> Response:
        return await serving.answer(request, _PARAMETERS, arrivals, quick=True, columns=COLUMNS)

    def arrivals(asked: Asked) -> Answer:
        wanted = asked.parameters["outcome"]
        found: list[dict[str, Any]] = []
        if wanted in (None, "accepted"):
            found += [_accepted(row) for row in rows(asked, "events", _EVENT, LOOKED_AT, _MATCHES)]
        if wanted != "accepted":
            found += [_rejected(row) for row in rows(asked, "rejected", _REJECTED, REJECTS, _REJECT_MATCHES)]
        found.sort(key=lambda row: row["received_at"], reverse=True)
        return {"items": found[: asked.parameters["limit"]], "looked_at": {"events": LOOKED_AT, "rejected": REJECTS}}

    def rows(asked: Asked, table: str, columns: tuple[str, ...], most: int, matches: str) -> list[dict[str, Any]]:
        """The newest of a table's last rows that match."""
        given = {name: asked.parameters[name] for name in ("event", "user", "source")}
        if table == "rejected":
            given["outcome"] = asked.parameters["outcome"] or "rejected"
            given |= {f"{name}_escaped": _escaped(given[name]) for name in ("event", "user")}
        last: pa.Table = newest(
            serving.lake, asked.project.name, table, columns, asked.parameters["limit"], serving.limits, among=most,
            where=matches, parameters=given,
        )  # fmt: skip
        matching: list[dict[str, Any]] = last.to_pylist()
        return matching

    return routes


def _escaped(text: str | None) -> str | None:
    """As many SDKs write it in JSON: ``zo\\u00eb``."""
    return None if text is None else json.dumps(text.lower())[1:-1]


def _accepted(row: dict[str, Any]) -> dict[str, Any]:
    return {"outcome": "accepted", **row, **dict.fromkeys(("path", "reason", "detail", "raw"))}


def _rejected(row: dict[str, Any]) -> dict[str, Any]:
    return {"outcome": "rejected", **dict.fromkeys(_EVENT), **row, **shown(row)}
