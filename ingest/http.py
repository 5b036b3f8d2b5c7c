"""The door: plain ASGI, because every event passes here (a FastAPI route with a model takes three times as long).

An event's way: read the body, unwrap it, see whose SDK sent it, look at the envelope, find the key, append to the log, wait
until that is synced, answer in that SDK's words. What is no SDK's goes on to ``fallback``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Protocol

from ingest import answers, body, cors
from ingest.answers import Answer, Send, json_answer, refusal
from ingest.body import Receive, too_large
from ingest.browser_settings import address_of
from ingest.errors import Unavailable
from ingest.keys import Key
from ingest.meter import Met, Meter, unmetered
from ingest.policy import address
from ingest.protocols import FAMILIES, MAX_EVENT_BYTES, at, envelope, event_limit, name_of, refused_path
from ingest.protocols.envelope import Refused
from ingest.protocols.family import Arrived, Asked, Family, Opened
from ingest.request import Request, Scope
from ingest.shares import Shares
from ingest.told import beside, mark

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

Stored = Awaitable[None]

Candidates = tuple[tuple[Family, str], ...]

_READ: Final = ("GET", "HEAD")
_RETRY: Final = ((b"retry-after", b"1"),)
_DOUBT_SECONDS: Final = 5.0  # until a key that may have been made elsewhere is worth another look


class Log(Protocol):
    """As much of ``ingest.wal.Log`` as the door needs."""

    def append(self, project: str, source: str, path: str, ip: str, user_agent: str, body: bytes) -> Awaitable[None]: ...

    def healthy(self) -> str | None: ...


class Keys(Protocol):
    """As much of ``ingest.keys.KeyFile`` as the door needs."""

    def __call__(self, key: str) -> Key | None: ...

    def doubt(self, key: str) -> str | None: ...

    def healthy(self) -> str | None: ...


@dataclass(frozen=True)
class CollectorSettings:
    public_url: str | None = None  # under which SDKs reach us; None: as each request's Host header says
    prefix: str = ""  # "/x7k": SDKs may post below it as well, where a blocker knows their own paths
    trust_proxy: bool = False  # X-Forwarded-* come from a proxy of ours
    country_header: str = ""  # in which a proxy of ours says the sender's country, such as CF-IPCountry
    max_body_bytes: int = 512_000  # after inflating
    max_event_bytes: int = MAX_EVENT_BYTES
    upload_bytes: int = 64 << 20  # of all bodies that are on their way


class Collector:
    def __init__(
        self,
        log: Log,
        keys: Keys,
        settings: CollectorSettings,
        fallback: ASGIApp | None = None,
        meter: Meter = unmetered,
    ) -> None:
        self._log = log
        self._keys = keys
        self._settings = settings
        self._fallback = fallback
        self._meter = meter
        self._uploads = Shares(settings.upload_bytes)
        self._limits: dict[Candidates, int] = {}
        self._country_header = settings.country_header.lower().encode("latin-1")
        self._address = address_of(settings.public_url) if settings.public_url else None
        self._states: dict[str, Callable[[], Answer]] = {"/health": _alive, "/ready": self._ready}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await (self._fallback or _live)(scope, receive, send)
            return
        path, method = self._path(scope), scope["method"]
        candidates = takers(path, method)
        if candidates:
            await self._collect(candidates, Request(scope, self._settings.trust_proxy), receive, send)
        elif (answer := self._own(path, scope)) is not None:
            origin = Request(scope, self._settings.trust_proxy).origin
            await answer.give(send, cors.allowed(origin), head=method == "HEAD")
        elif self._fallback is not None and not sdks(path, method):
            await self._fallback(scope, receive, send)
        else:  # in words and with headers that an SDK of another protocol can read
            await answers.NOT_HERE.give(send, cors.allowed(Request(scope, self._settings.trust_proxy).origin))

    async def _collect(self, candidates: Candidates, request: Request, receive: Receive, send: Send) -> None:
        limit, met = self._largest(candidates), Met()
        try:
            raw = await body.read(receive, limit, self._uploads, lambda: request.header_key() or request.ip)
            if raw is None:
                return  # the sender hung up; nothing of it was promised
            content = raw if isinstance(raw, Refused) else _content(raw, request, limit)
            answer, stored = self._store(candidates, request, content, b"" if isinstance(raw, Refused) else raw, met)
            del raw, content  # while it waits, the log alone holds the body, and counts it
            if stored is not None:
                await stored
        except Unavailable as fault:
            answer, met.outcome = answers.unavailable(fault), "unavailable"
        finally:
            self._meter(met)
        await answer.give(send, cors.allowed(request.origin), head=request.method == "HEAD")

    def _store(
        self, candidates: Candidates, request: Request, content: bytes | Refused, raw: bytes, met: Met
    ) -> tuple[Answer, Stored | None]:
        """The answer to give when the body is stored; None: nothing of it is to be."""
        family, endpoint = chosen(candidates, content)
        limit = self._limit(family)
        if not isinstance(content, Refused) and len(content) > limit:  # within that of another family at this path
            content = too_large(content[:limit], limit)
        body = b"" if isinstance(content, Refused) else content
        arrived = Arrived(endpoint, request, body, event_limit(family, self._settings.max_event_bytes), raw)
        opened = content if isinstance(content, Refused) else family.opened(arrived)
        if isinstance(opened, Refused):
            offered, key = self._key(request, ())
            key = key or self._first([*envelope.seen_keys(opened.seen or opened.raw)])
            answer = family.refused(arrived, opened.reason, f"{opened.reason.value}: {opened.detail}")
            kept, body = "", opened.raw
        else:
            offered, key = True, self._key(request, opened.keys)[1]
            answer = family.taken(arrived, opened)
            kept, body = f"?{opened.kept}" if opened.kept else "", opened.content
        met.protocol, met.size = name_of(endpoint), len(body)
        if key is None:
            met.outcome = "unknown_key"
            return family.unknown(arrived) if offered else answer, None
        met.source = key.source
        if not key.on:
            met.outcome = "source_off"
            return family.disabled(arrived), None
        if not isinstance(opened, Refused) and not opened.stored:
            met.outcome = "discarded"
            return answer, None
        met.outcome = opened.reason.value if isinstance(opened, Refused) else "stored"
        told = beside(key.policy, request, self._country_header)
        if told.private != "store" or not key.policy.cookie:
            answer = answer.without_cookie()
        path = f"{endpoint}{mark(told)}{kept}"
        if isinstance(opened, Refused):
            path = refused_path(path, opened.reason, opened.detail)
        ip = "" if isinstance(opened, Opened) and opened.anonymous else address(request.ip, key.policy.ip)
        return answer, self._log.append(key.project, key.source, path, ip, request.user_agent, body)

    def _largest(self, candidates: Candidates) -> int:
        """The limit of the one that takes most; there are few different candidates."""
        found = self._limits.get(candidates)
        if found is None:
            found = self._limits[candidates] = max(self._limit(family) for family, _ in candidates)
        return found

    def _limit(self, family: Family) -> int:
        return family.MAX_BODY_BYTES or self._settings.max_body_bytes

    def _key(self, request: Request, carried: Callable[[], Iterable[str]] | tuple[()]) -> tuple[bool, Key | None]:
        """Whether the request offers a key at all, and the first that may write: nearly always the header's."""
        in_header = request.header_key()
        if in_header is not None and (key := self._writer(in_header)):
            return True, key
        others = [*(carried() if carried else ()), *request.query_keys()]
        offered = others if in_header is None else [in_header, *others]
        return bool(offered), self._first(offered)

    def _first(self, candidates: Sequence[str]) -> Key | None:
        """Raises ``Unavailable`` where none may write, but one might be somebody's."""
        if (found := next(filter(None, map(self._writer, candidates)), None)) is not None:
            return found
        if (doubt := next(filter(None, map(self._keys.doubt, candidates)), None)) is not None:
            told = f"The key cannot be looked up now ({doubt}); nothing was stored, send it again."
            raise Unavailable(told, _DOUBT_SECONDS)
        return None

    def _writer(self, candidate: str) -> Key | None:
        key = self._keys(candidate)
        return key if key is not None and key.kind == "write" else None

    def _may_send(self, candidate: str) -> bool:
        """One in doubt may: an SDK that gets no settings sends nothing."""
        return self._writer(candidate) is not None or self._keys.doubt(candidate) is not None

    def _is_off(self, candidate: str) -> bool:
        key = self._writer(candidate)
        return key is not None and not key.on

    def _path(self, scope: Scope) -> str:
        path, prefix = tidy(scope["path"]), self._settings.prefix
        return path.removeprefix(prefix) if prefix and path.startswith(f"{prefix}/") else path

    def _own(self, path: str, scope: Scope) -> Answer | None:
        """The answer to a request that carries no events, if it is ours to answer."""
        request = Request(scope, self._settings.trust_proxy)
        address = self._address or request.address
        if path != tidy(scope["path"]):  # who came by the prefix goes on by it
            address = replace(address, host=address.host + self._settings.prefix)
        asked = Asked(request, self._may_send, address, self._is_off)
        method, state = scope["method"], self._states.get(path)
        if method == "OPTIONS" and sdks(path, method):
            return _preflight(request)  # also where nothing is: its page may read that from the answer to what follows
        answer = next(filter(None, (family.other(method, path, asked) for family in FAMILIES.values())), None)
        if answer is not None or state is None:
            return answer
        return state() if method in _READ else answers.GET_ONLY

    def _ready(self) -> Answer:
        reason = self._log.healthy() or self._keys.healthy()
        return json_answer({"status": "ready"}) if reason is None else refusal(503, reason, _RETRY)


def _alive() -> Answer:
    return json_answer({"status": "alive"})


def _preflight(request: Request) -> Answer:
    asked = request.header(b"access-control-request-headers")
    private = request.header(b"access-control-request-private-network") == b"true"
    return Answer(200, b"", ((b"content-length", b"0"), *cors.preflight(asked, private)))


def _content(raw: bytes, request: Request, limit: int) -> bytes | Refused:
    """Of a GET what its query holds as ``data``, if that is JSON in some wrapping; else nothing."""
    if request.method == "POST":
        return body.unwrapped(raw, limit)
    found = body.unwrapped(request.query, limit) if b"data=" in request.query else b""
    return b"" if isinstance(found, Refused) else found


@lru_cache(maxsize=4_096)
def takers(path: str, method: str) -> Candidates:
    """The families that take events by this method at this path."""
    return tuple((family, to) for family, to in at(path) if method == "POST" or (method in _READ and to in family.GETS))


def sdks(path: str, method: str) -> bool:
    """Whether it can only be an SDK who asks: of what else there is, pages are read and the API is below ``/api/``."""
    return path.startswith("/v1/") or not (method in _READ or path.startswith("/api/"))


def chosen(candidates: Candidates, content: bytes | Refused) -> tuple[Family, str]:
    """Whose request it is, by its body or what is seen of it; the last one's where that tells nothing."""
    if len(candidates) > 1:
        seen = (content.seen or content.raw) if isinstance(content, Refused) else content
        for family, endpoint in candidates[:-1]:
            if family.claims(seen):
                return family, endpoint
    return candidates[-1]


@lru_cache(maxsize=4_096)
def tidy(path: str) -> str:
    """Without doubled and trailing slashes."""
    while "//" in path:
        path = path.replace("//", "/")
    return path.rstrip("/") or "/"


async def _live(scope: Scope, receive: Receive, send: Send) -> None:
    """The lifespan of a server without a fallback; its owner opens and closes the log."""
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
