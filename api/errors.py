"""Errors of the query API: one tree, split by what the caller can do, and the one shape in which they are answered.

Problem                       application/problem+json (RFC 9457); ``errors``: a list of path, found, allowed, message
├── Unauthorized     401      send a key
├── Forbidden        403      send another kind of key
├── NotFound         404      ask for a name that exists
├── Conflict         409      nothing to do: it is so already
├── Unprocessable    422      change the request
├── TooSlow          503      narrow the question
└── Unavailable      503      ask again, after ``Retry-After`` seconds
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Final

PROBLEM_JSON: Final = "application/problem+json"


@dataclass(frozen=True)
class Detail:
    """One fault of a request: where, what stood there, what may stand there."""

    path: str
    found: object
    allowed: object
    message: str


class Problem(Exception):
    status = 500
    title = "Internal error"

    def __init__(self, detail: str, errors: Sequence[Detail] = (), title: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.title = title or self.title

    @property
    def headers(self) -> dict[str, str]:
        return {}

    def body(self) -> bytes:
        return problem_body(self.status, self.title, self.detail, self.errors)


class Unauthorized(Problem):
    status = 401
    title = "A key is needed"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="jcurve"'}


class Forbidden(Problem):
    status = 403
    title = "This key may not do that"


class NotFound(Problem):
    status = 404
    title = "Not found"


class Conflict(Problem):
    status = 409
    title = "It is so already"


class Unprocessable(Problem):
    status = 422
    title = "The request cannot be understood"


class TooSlow(Problem):
    """As of Prometheus: 422 for what cannot be worked out, 503 for what was stopped by its deadline."""

    status = 503
    title = "The question took too long"


class Unavailable(Problem):
    status = 503
    title = "Not available at the moment"

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "2"}


def unknown(kind: str, path: str, found: str, allowed: Sequence[str]) -> NotFound:
    """404 for a name, with those that exist and the nearest: ``unknown("funnel", "name", "plgg", ["plg"])``."""
    close = get_close_matches(found, allowed, 1)
    message = f"did you mean '{close[0]}'?" if close else f"no {kind} has that name"
    listed = ", ".join(allowed) or "none"
    detail = f"There is no {kind} '{found}'. Known: {listed}."
    return NotFound(detail, [Detail(path, found, list(allowed), message)], f"Unknown {kind}")


def problem_body(status: int, title: str, detail: str, errors: Sequence[Detail] = ()) -> bytes:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "errors": [asdict(e) for e in errors]}
    return json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace")
