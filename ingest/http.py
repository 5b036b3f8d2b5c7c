"""The door: plain ASGI, because every event passes here (a FastAPI route with a model takes three times as long).

An event's way: read the body, unwrap it, look at the envelope, find the key, append to the log, wait until that is synced,
answer. What is no SDK's goes on to ``fallback``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ingest import answers, body, cors
from ingest.answers import Answer, Send, json_answer, refusal
from ingest.body import Receive
from ingest.browser_settings import address_of, settings_for
from ingest.errors import Unavailable
from ingest.keys import Key
from ingest.outcome import Outcome
from ingest.protocols import MAX_EVENT_BYTES, refused_path
from ingest.protocols.envelope import Keyed, Refused, opened
from ingest.request import Request, Scope
from ingest.routes import METRICS, SINGLE, route, settings_key, tidy

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_BRIEFLY: Final = ((b"cache-control", b"private, max-age=60"),)
_RETRY: Final = ((b"retry-after", b"1"),)


class Log(Protocol):
    """As much of ``ingest.wal.Log`` as the door needs."""

    def append(self, project: str, source: str, path: str, ip: str, user_agent: str, body: bytes) -> Awaitable[None]: ...

    def healthy(self) -> str | None: ...


class Keys(Protocol):
    """As much of ``ingest.keys.KeyFile`` as the door needs."""

    def __call__(self, key: str) -> Key | None: ...

    def healthy(self) -> str | None: ...


@dataclass(frozen=True)
class CollectorSettings:
    public_url: str | None = None  # under which SDKs reach us; None: as each request's Host header says
    trust_proxy: bool = False  # X-Forwarded-* come from a proxy of ours
    max_body_bytes: int = 512_000  # after inflating
    max_event_bytes: int = MAX_EVENT_BYTES


class Collector:
    def __init__(self, log: Log, keys: Keys, settings: CollectorSettings, fallback: ASGIApp | None = None) -> None:
        self._log = log
        self._keys = keys
        self._settings = settings
        self._fallback = fallback
        self._address = address_of(settings.public_url) if settings.public_url else None
        self._states: dict[str, Callable[[Request], Answer]] = {"/health": _alive, "/ready": self._ready}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await (self._fallback or _live)(scope, receive, send)
            return
        path = route(scope["path"])
        if path is not None and scope["method"] == "POST":
            await self._collect(path, Request(scope, self._settings.trust_proxy), receive, send)
        elif (answer := self._own(path, scope)) is not None:
            request = Request(scope, self._settings.trust_proxy)
            await answer(request).give(send, cors.allowed(request.origin), head=scope["method"] == "HEAD")
        elif self._fallback is not None and not scope["path"].startswith("/v1/"):
            await self._fallback(scope, receive, send)
        else:  # in words and with headers that an SDK of another protocol can read
            await answers.NOT_HERE.give(send, cors.allowed(Request(scope, self._settings.trust_proxy).origin))

    async def _collect(self, path: str, request: Request, receive: Receive, send: Send) -> None:
        raw = await body.read(receive, self._settings.max_body_bytes)
        if raw is None:
            return  # the sender hung up; nothing of it was promised
        try:
            answer = await self._store(path, request, raw)
        except Unavailable as fault:
            answer = answers.unavailable(fault)
        await answer.give(send, cors.allowed(request.origin))

    async def _store(self, path: str, request: Request, raw: bytes | Refused) -> Answer:
        examined = self._examine(path, raw)
        envelope, content = (None, examined) if isinstance(examined, Refused) else examined
        offered, key = self._key(request, envelope)
        if key is None:
            return _unreadable(content) if isinstance(content, Refused) and not offered else answers.NO_KEY
        if path == METRICS:
            return answers.OK
        if isinstance(content, Refused):
            path, answer, content = refused_path(path, content.reason, content.detail), _unreadable(content), content.raw
        else:
            answer = answers.OK
        await self._log.append(key.project, key.source, path, request.ip, request.user_agent, content)
        return answer

    def _examine(self, path: str, raw: bytes | Refused) -> tuple[Keyed, bytes] | Refused:
        if isinstance(raw, Refused):
            return raw
        content = body.unwrapped(raw, self._settings.max_body_bytes)
        if isinstance(content, Refused):
            return content
        single = path in SINGLE
        if single and len(content) > (limit := self._settings.max_event_bytes):
            return Refused(Outcome.TOO_LARGE, f"an event of {len(content)} bytes; at most {limit} are taken", content)
        return opened(content, single)

    def _key(self, request: Request, envelope: Keyed | None) -> tuple[bool, Key | None]:
        """Whether the request offers a key at all, and the first that may write: nearly always the header's."""
        in_header = request.header_key()
        if in_header is not None and (key := self._writer(in_header)):
            return True, key
        others = [*(envelope.keys() if envelope is not None else ()), *request.query_keys()]
        return in_header is not None or bool(others), next(filter(None, map(self._writer, others)), None)

    def _writer(self, candidate: str) -> Key | None:
        key = self._keys(candidate)
        return key if key is not None and key.kind == "write" else None

    def _own(self, path: str | None, scope: Scope) -> Callable[[Request], Answer] | None:
        """Who answers a request that carries no events, if it is ours to answer."""
        key = None if path else settings_key(scope["path"])
        state = None if path or key else self._states.get(tidy(scope["path"]))
        if not (path or key or state):
            return None
        if scope["method"] == "OPTIONS":
            return _preflight
        if path:
            return lambda _: answers.POST_ONLY
        if scope["method"] not in ("GET", "HEAD"):
            return lambda _: answers.GET_ONLY
        return state or (lambda request: self._browser_settings(key or "", request))

    def _browser_settings(self, key: str, request: Request) -> Answer:
        if self._writer(key) is None:
            return answers.NO_KEY
        return json_answer(settings_for(key, self._address or request.address), headers=_BRIEFLY)

    def _ready(self, _: Request) -> Answer:
        reason = self._log.healthy() or self._keys.healthy()
        return json_answer({"status": "ready"}) if reason is None else refusal(503, reason, _RETRY)


def _alive(_: Request) -> Answer:
    return json_answer({"status": "alive"})


def _preflight(request: Request) -> Answer:
    asked = request.header(b"access-control-request-headers")
    private = request.header(b"access-control-request-private-network") == b"true"
    return Answer(200, b"", ((b"content-length", b"0"), *cors.preflight(asked, private)))


def _unreadable(refused: Refused) -> Answer:
    return refusal(400, f"{refused.reason.value}: {refused.detail}")


async def _live(scope: Scope, receive: Receive, send: Send) -> None:
    """The lifespan of a server without a fallback; its owner opens and closes the log."""
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
