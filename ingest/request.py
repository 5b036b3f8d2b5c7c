"""What the door wants to know of a request besides its body."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from ingest.browser_settings import PublicAddress
from ingest.credentials import from_header, from_query

Scope = MutableMapping[str, Any]


class Request:
    """``trust_proxy``: whether X-Forwarded-For, -Proto, -Host and -Prefix are our own proxy's word, or anybody's."""

    __slots__ = ("_headers", "_scope", "_trust_proxy", "origin")

    def __init__(self, scope: Scope, trust_proxy: bool) -> None:
        self._scope = scope
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._trust_proxy = trust_proxy
        self.origin = self._headers.get(b"origin")

    def header(self, name: bytes) -> bytes | None:
        return self._headers.get(name)

    @property
    def method(self) -> str:
        method: str = self._scope["method"]
        return method

    @property
    def query(self) -> bytes:
        query: bytes = self._scope.get("query_string", b"")
        return query

    @property
    def user_agent(self) -> str:
        return self._headers.get(b"user-agent", b"").decode("latin-1")

    @property
    def ip(self) -> str:
        """The sender's address without its port."""
        if self._trust_proxy and (first := self._forwarded(b"for")):
            return _without_port(first)
        client = self._scope.get("client")
        return client[0] if client else ""

    @property
    def address(self) -> PublicAddress:
        """Where the sender found us."""
        host = self._headers.get(b"host", b"localhost").decode("latin-1")
        if not self._trust_proxy:
            return PublicAddress(self._scope.get("scheme", "http"), host)
        protocol = self._forwarded(b"proto") or self._scope.get("scheme", "http")
        prefix = self._forwarded(b"prefix").strip("/")
        return PublicAddress(protocol, (self._forwarded(b"host") or host) + (f"/{prefix}" if prefix else ""))

    def header_key(self) -> str | None:
        authorization = self._headers.get(b"authorization")
        return None if authorization is None else from_header(authorization)

    def query_keys(self) -> Iterator[str]:
        """Of the query, and of a path such as ``/jw_.../i``."""
        yield from from_query(self.query)
        yield from (part for part in self._scope["path"].split("/") if part.startswith("jw_"))

    def _forwarded(self, name: bytes) -> str:
        """The first of a list, which is the farthest from us."""
        return self._headers.get(b"x-forwarded-" + name, b"").partition(b",")[0].strip().decode("latin-1")


def _without_port(address: str) -> str:
    """``[2001:db8::1]:443`` and ``192.0.2.1:80`` lose the port; a bare IPv6 address has none."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
