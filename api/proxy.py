"""The door's way to ``serve``: every request that no SDK makes goes on over a local socket and comes back as it was.

Bodies stream both ways. While ``serve`` is away, or has more to do than it can hold, the answer is 503; the collector beside
this code waits for nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

import httpx

from api.errors import PROBLEM_JSON, Problem, Unavailable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# RFC 9110, section 7.6.1: these belong to one connection
HOP_BY_HOP: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
     b"transfer-encoding", b"upgrade")
)  # fmt: skip
_TIMEOUT: Final = httpx.Timeout(300, connect=2, pool=10)
_LIMITS: Final = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=30)


class Proxy:
    """An ASGI application that hands requests on to the server at a Unix socket."""

    def __init__(self, path: Path) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(path), limits=_LIMITS, retries=1)
        self._client = httpx.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        uploaded = asyncio.Event()
        body = None
        if any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
            body = _body(receive, uploaded)
        else:
            uploaded.set()
        handing_on = asyncio.ensure_future(self._hand_on(_request(scope, body), send))
        leaving = asyncio.ensure_future(_left(receive, uploaded))
        try:
            await asyncio.wait((handing_on, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:  # a caller who left frees the query's place
            for task in (handing_on, leaving):
                task.cancel()
            done = await asyncio.gather(handing_on, leaving, return_exceptions=True)
        if isinstance(done[0], Exception):
            raise done[0]

    async def _hand_on(self, request: httpx.Request, send: Send) -> None:
        try:
            response = await self._client.send(request, stream=True)
        except httpx.TransportError:
            await _answer(send, Unavailable("The query service is away; it is started again. Ask again in a moment."))
            return
        try:
            headers = [(k.lower(), v) for k, v in response.headers.raw if k.lower() not in (*HOP_BY_HOP, b"date")]
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()


def _request(scope: MutableMapping[str, Any], body: AsyncIterator[bytes] | None) -> httpx.Request:
    path = scope.get("raw_path") or scope["path"].encode()
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    url = httpx.URL(scheme="http", host="serve", raw_path=path + query)
    headers = [(k, v) for k, v in scope["headers"] if k not in HOP_BY_HOP]
    client = scope.get("client")
    headers += [(b"x-forwarded-proto", scope["scheme"].encode())]
    headers += [(b"x-forwarded-for", client[0].encode())] if client else []
    return httpx.Request(scope["method"], url, headers=headers, content=body)


async def _body(receive: Receive, uploaded: asyncio.Event) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise httpx.ReadError("the caller left")
        more = message.get("more_body", False)
        yield message.get("body", b"")
    uploaded.set()


async def _left(receive: Receive, uploaded: asyncio.Event) -> None:
    await uploaded.wait()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, problem: Problem) -> None:
    headers = {"content-type": PROBLEM_JSON, **problem.headers}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": encoded})
    await send({"type": "http.response.body", "body": problem.body()})
