"""The OpenAPI description: FastAPI's own of the query API, and the collector's paths, which FastAPI does not serve."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

DESCRIPTION: Final = """Send events with any Segment SDK and a write key; ask with a read key.
Lists page by `cursor`: send the `next` of the page before. Answers are JSON; `Accept: text/csv` or `?format=csv` gives CSV,
`Accept: application/vnd.apache.arrow.stream` gives Arrow. Errors are `application/problem+json`."""

_CALLS: Final[dict[str, dict[str, Any]]] = {
    "track": {"event": "Signed Up", "userId": "42", "properties": {"plan": "free"}},
    "identify": {"userId": "42", "anonymousId": "7f3a", "traits": {"email": "ada@example.com"}},
    "group": {"userId": "42", "groupId": "acme", "traits": {"name": "Acme"}},
    "page": {"anonymousId": "7f3a", "name": "Pricing", "properties": {"url": "https://example.com/pricing"}},
    "screen": {"userId": "42", "name": "Settings"},
    "alias": {"previousId": "old-42", "userId": "42"},
    "batch": {"batch": [{"type": "track", "event": "Signed Up", "userId": "42"}], "sentAt": "2026-01-31T10:00:00Z"},
    "import": {"batch": [{"type": "track", "event": "Signed Up", "userId": "42", "timestamp": "2025-01-31T10:00:00Z"}]},
}
_EVENT: Final = {"event": "Signed Up", "properties": {"distinct_id": "42", "token": "jw_..."}}
_OTHERS: Final[dict[tuple[str, str], tuple[str, Any]]] = {  # of other families' SDKs: one path of each kind
    ("post", "/beacon/v1/batch"): (
        "RudderStack: a browser's last events",
        {"batch": [{**_CALLS["track"], "type": "track"}]},
    ),
    ("get", "/pixel/v1/track"): ("RudderStack: an event as a pixel's query", None),
    ("post", "/i/v0/e"): (
        "PostHog: events (also /e, /capture, /batch, /track, /engage)",
        {"api_key": "jw_...", "batch": [_EVENT]},
    ),
    ("post", "/i/v1/analytics/events"): ("PostHog: events, with a result for each", {"batch": [_EVENT]}),
    ("post", "/2/httpapi"): (
        "Amplitude: events (also /batch)",
        {"api_key": "jw_...", "events": [{"event_type": "Signed Up", "user_id": "user-42"}]},
    ),
    ("post", "/track"): ("Mixpanel: events (also /import)", [_EVENT]),
    ("post", "/engage"): (
        "Mixpanel: updates of people",
        [{"$token": "jw_...", "$distinct_id": "42", "$set": {"plan": "free"}}],
    ),
    ("post", "/groups"): (
        "Mixpanel: updates of groups",
        [{"$token": "jw_...", "$group_key": "company", "$group_id": "acme", "$set": {"name": "Acme"}}],
    ),
    ("post", "/com.snowplowanalytics.snowplow/tp2"): (
        "Snowplow: events (also any /{vendor}/{version})",
        {"data": [{"e": "pv", "aid": "jw_...", "url": "https://example.com/pricing", "duid": "7f3a"}]},
    ),
    ("get", "/i"): ("Snowplow: an event as a pixel's query", None),
}
_STORED: Final = {
    "200": {"description": "Stored and synced to disk; events that broke a rule are kept apart, with their reason."},
    "400": {"description": "The body cannot be read, or is too large."},
    "401": {"description": "No write key, or none that is in force."},
    "503": {"description": "Nothing was stored; send again after Retry-After seconds."},
}
_TEXT: Final = {"type": "string"}
_FAULT: Final = {"type": "object", "properties": {"path": _TEXT, "found": {}, "allowed": {}, "message": _TEXT}}
PROBLEM: Final = {
    "type": "object",
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {"type": "array", "items": _FAULT},
    },
}
_PROBLEMS: Final = {
    "401": "No key, or none that is in force: send 'Authorization: Bearer jr_...'.",
    "403": "A write key only sends events.",
    "404": "The name does not exist; the answer lists those that do.",
    "422": "Parameters or body are wrong, or ask for too much; the answer names every fault, or what to narrow.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole description, made once."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
        found["components"] = {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A read key (jr_...)."},
                "write_key": {"type": "http", "scheme": "basic", "description": "A write key (jw_...) as user."},
            },
            "schemas": {"Problem": PROBLEM},
        }
        for operations in found["paths"].values():
            for operation in operations.values():
                operation["responses"] |= {status: _problem(text) for status, text in _PROBLEMS.items()}
        found["paths"] = {**_collector(), **found["paths"]}
        app.openapi_schema = found
    return app.openapi_schema


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}


def _collector() -> dict[str, Any]:
    paths: dict[str, Any] = {f"/v1/{call}": {"post": _send(call, example)} for call, example in _CALLS.items()}
    key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}, "description": "The write key."}
    ok = {"200": {"description": "Settings of the browser SDK."}, "401": {"description": "No such key."}}
    settings = {"tags": ["collector"], "summary": "Settings for analytics.js", "parameters": [key], "responses": ok}
    paths["/v1/projects/{key}/settings"] = {"get": settings}
    for (method, path), (summary, example) in _OTHERS.items():
        paths.setdefault(path, {})[method] = _other(summary, example)
    for path, summary in (("/health", "Is the collector alive?"), ("/ready", "Can the collector store events?")):
        responses = {"200": {"description": "Yes."}, "503": {"description": "No; the body says why."}}
        paths[path] = {"get": {"tags": ["collector"], "summary": summary, "responses": responses}}
    return paths


def _send(call: str, example: dict[str, Any]) -> dict[str, Any]:
    summary = "Many events in one request" if "batch" in example else f"One {call} call"
    body = {"content": {"application/json": {"schema": {"type": "object"}, "example": example}}, "required": True}
    security: list[dict[str, list[str]]] = [{"write_key": []}]
    return {"tags": ["collector"], "summary": summary, "requestBody": body, "responses": _STORED, "security": security}


def _other(summary: str, example: object) -> dict[str, Any]:
    """Their answers are those that their SDKs look for; none of them reads a description."""
    described: dict[str, Any] = {"tags": ["collector"], "summary": summary, "security": [{"write_key": []}]}
    if example is not None:
        schema = {"type": "array" if isinstance(example, list) else "object"}
        described["requestBody"] = {
            "content": {"application/json": {"schema": schema, "example": example}},
            "required": True,
        }
    too_large = {"413": {"description": "The body is too large."}}
    return described | {"responses": {**_STORED, **too_large}}
