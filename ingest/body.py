"""A request's body as JSON, whatever its headers say: real SDKs mislabel gzip, forms, base64 and JSON alike.

Looked at in this order: gzip by its magic bytes, JSON by its first character, a form with ``data=``, base64; each may hold
another. Nothing grows past ``limit``: neither what is read from the wire nor what is inflated from it.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from ingest.outcome import Outcome
from ingest.protocols.envelope import Refused

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

GZIP: Final = b"\x1f\x8b\x08"
_LAYERS: Final = 4  # a form of base64 of gzip of JSON
_DRAINED: Final = 32 * 1024 * 1024  # read past the limit, so that a sender gets its answer instead of a broken pipe
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_PLAIN: Final = bytes.maketrans(b"-_ ", b"+/+")  # the URL's alphabet, and a "+" that a form turned into a space


async def read(receive: Receive, limit: int) -> bytes | Refused | None:
    """The body as it came; None where the sender hung up before its end."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body") and len(message["body"]) <= limit:
        whole: bytes = message["body"]  # nearly always
        return whole
    kept, size = bytearray(), 0
    while message["type"] == "http.request":
        part: bytes = message.get("body", b"")
        size += len(part)
        kept += part[: limit - len(kept)]
        if size > limit + _DRAINED or not message.get("more_body"):
            return bytes(kept) if size <= limit else too_large(bytes(kept), limit)
        message = await receive()
    return None


def unwrapped(body: bytes, limit: int) -> bytes | Refused:
    """The JSON within, not yet parsed."""
    if body[:1] in (b"{", b"["):
        return body
    inner = body
    for _ in range(_LAYERS):
        if inner.startswith(GZIP):
            inflated = _inflated(inner, limit)
            if inflated is None:
                return Refused(Outcome.UNREADABLE, "gzip that breaks off or is damaged; send it whole", body)
            if len(inflated) > limit:
                return too_large(body, limit, inflated)
            inner = inflated
        elif inner.lstrip()[:1] in (b"{", b"[", b"\xef"):
            return inner
        elif inner.startswith(b"data=") or b"&data=" in inner:
            inner = _data_field(inner)
        elif decoded := _from_base64(inner):
            inner = decoded
        else:
            break
    return Refused(Outcome.UNREADABLE, Outcome.UNREADABLE.help, body)


def _inflated(data: bytes, limit: int) -> bytes | None:
    """At most one byte more than ``limit``; None where it is damaged or not whole."""
    result = b""
    try:
        while data.startswith(GZIP):  # members may follow each other
            stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            result += stream.decompress(data, limit + 1 - len(result))
            if len(result) > limit:
                return result
            if not stream.eof:
                return None
            data = stream.unused_data
    except zlib.error:
        return None
    return result


def _data_field(form: bytes) -> bytes:
    """``urllib.parse.parse_qs`` would stop at bytes that are not ASCII."""
    value = form.partition(b"data=")[2] if form.startswith(b"data=") else form.partition(b"&data=")[2]
    return unquote_to_bytes(value.partition(b"&")[0].replace(b"+", b" "))


def _from_base64(data: bytes) -> bytes | None:
    plain = data.strip().translate(_PLAIN, b"\r\n\t")
    if not _BASE64.fullmatch(plain):
        return None
    plain = plain.rstrip(b"=")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return None


def too_large(kept: bytes, limit: int, seen: bytes = b"") -> Refused:
    return Refused(Outcome.TOO_LARGE, f"a body of more than {limit} bytes; send fewer events at once", kept, seen)
