"""Answers of the collector. Every error has one body that all SDKs can read, since each looks for another
field: RudderStack's for ``code`` and ``message``, PostHog's for ``detail``, Amplitude's and Mixpanel's for ``error``.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from ingest.cors import Headers
from ingest.errors import Unavailable

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: Headers = ()

    def without_cookie(self) -> Answer:
        return replace(self, headers=tuple(header for header in self.headers if header[0] != b"set-cookie"))

    async def give(self, send: Send, extra: Headers = (), head: bool = False) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers, *extra]})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


def json_answer(value: object, status: int = 200, headers: Headers = ()) -> Answer:
    """``value`` as JSON; bytes are JSON already."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    length = str(len(body)).encode()
    return Answer(status, body, ((b"content-type", b"application/json"), (b"content-length", length), *headers))


def text_answer(text: str, status: int = 200, headers: Headers = ()) -> Answer:
    body = text.encode()
    length = str(len(body)).encode()
    return Answer(status, body, ((b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length), *headers))


def refusal(status: int, message: str, headers: Headers = ()) -> Answer:
    """An error as every SDK understands it."""
    body = {"code": status, "status": 0, "message": message, "error": message, "detail": message}
    return json_answer(body, status, headers)


def unavailable(fault: Unavailable) -> Answer:
    """503, never 429: nearly every SDK tries again after the one, some drop events at the other."""
    return refusal(503, str(fault), ((b"retry-after", str(max(1, math.ceil(fault.retry_after))).encode()),))


_DOT: Final = (  # one transparent point, in 43 bytes
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
    b"!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
PIXEL: Final = Answer(  # for requests by an <img>: a page shows a broken image for anything else
    200,
    _DOT,
    (
        (b"content-type", b"image/gif"),
        (b"content-length", str(len(_DOT)).encode()),
        (b"cache-control", b"no-cache, no-store, must-revalidate"),
    ),
)
OK: Final = json_answer(b'{"success":true}')  # exactly 200: SDKs send again what was answered 201, 202 or 204
NO_KEY: Final = refusal(
    401,
    "Invalid write key, or none in this request. Put one in the Authorization header (Basic, the key as user), "
    "in the body or in the query as writeKey; a read key cannot write.",
)
SOURCE_OFF: Final = refusal(401, "The source of this write key is disabled; nothing was stored.")  # as final as NO_KEY
NOT_HERE: Final = refusal(404, "There is nothing here; SDKs post to /v1/track, /v1/batch and their like.")
POST_ONLY: Final = refusal(405, "Events are sent by POST.", ((b"allow", b"POST, OPTIONS"),))
GET_ONLY: Final = refusal(405, "This is read by GET.", ((b"allow", b"GET, HEAD, OPTIONS"),))
