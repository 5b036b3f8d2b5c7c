"""A request's body as JSON, whatever its headers say: real SDKs mislabel gzip, forms, base64 and JSON alike.

Looked at in this order: gzip, zstd and zlib ("deflate") by their magic bytes, JSON by its first character, a form with
``data=``, lz64, base64; each may hold another. What is none of these is tried as Brotli and as bare deflate, which have no
mark. Nothing grows past ``limit``: neither what is read from the wire nor what is inflated from it. All bodies that are on
their way together hold no more than the door's ``shares``; how long one may take is the server's affair.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import brotli
import zstandard

from ingest import lz64
from ingest.errors import Busy
from ingest.outcome import Outcome
from ingest.protocols.envelope import Refused
from ingest.shares import Shares

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_BOM: Final = b"\xef\xbb\xbf"
GZIP: Final = b"\x1f\x8b\x08"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_WINDOW: Final = 1 << 25  # bytes; as much as a body of this size can make use of
_BARE: Final = -zlib.MAX_WBITS  # deflate without zlib's header
_LAYERS: Final = 4  # a form of base64 of gzip of JSON
_MEMBERS: Final = 100  # of gzip in one body; each costs a copy of what is behind it
_DRAINED: Final = 32 * 1024 * 1024  # read past the limit, so that a sender gets its answer instead of a broken pipe
_RETRY: Final = 1.0  # seconds
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]+={0,3}")  # three: lz64
_PLAIN: Final = bytes.maketrans(b"-_ ", b"+/+")  # the URL's alphabet, and a "+" that a form turned into a space


async def read(receive: Receive, limit: int, shares: Shares, who: Callable[[], str]) -> bytes | Refused | None:
    """The body as it came; None where the sender hung up before its end.

    Raises ``Busy``, after its end, where ``who`` sends it may not have the memory for it now.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body") and len(message["body"]) <= limit:
        whole: bytes = message["body"]  # nearly always
        return whole
    kept = _Kept(shares, who(), limit)
    try:
        while message["type"] == "http.request":
            kept.add(message.get("body", b""))
            if kept.size > limit + _DRAINED or not message.get("more_body"):
                return kept.whole()
            message = await receive()
        return None
    finally:
        kept.free()


class _Kept:
    """A body that comes in parts: what is kept of it, and how much came."""

    def __init__(self, shares: Shares, who: str, limit: int) -> None:
        self.size = 0
        self._shares = shares
        self._who = who
        self._limit = limit
        self._bytes = io.BytesIO()  # which gives its content away without a copy
        self._refused = False

    def add(self, part: bytes) -> None:
        self.size += len(part)
        part = part[: self._limit - self._bytes.tell()]
        if not part or self._refused:
            return
        if self._shares.take(self._who, len(part)):
            self._bytes.write(part)
        else:  # read on to its end, so that the sender gets its answer instead of a broken pipe
            self.free()
            self._refused = True

    def whole(self) -> bytes | Refused:
        if self._refused:
            raise Busy("more is being sent than memory allows; send again", _RETRY)
        kept = self._bytes.getvalue()
        return kept if self.size <= self._limit else too_large(kept, self._limit)

    def free(self) -> None:
        self._shares.give_back(self._who, self._bytes.tell())
        self._bytes = io.BytesIO()


def unwrapped(body: bytes, limit: int) -> bytes | Refused:
    """The JSON within, not yet parsed."""
    if body[:1] in (b"{", b"["):
        return body
    inner = body
    for _ in range(_LAYERS):
        inflate = _compression(inner)
        if inflate is not None:
            inflated = inflate(inner, limit)
            if inflated is None:
                return Refused(Outcome.UNREADABLE, "a compressed body that breaks off or is damaged; send it whole", body)
            if len(inflated) > limit:
                return too_large(body, limit, inflated)
            inner = inflated
        elif _is_json(inner):
            return inner.lstrip().removeprefix(_BOM)
        elif inner.startswith(b"data=") or b"&data=" in inner:
            inner = _data_field(inner)
        elif decoded := _from_base64(inner, limit):
            if len(decoded) > limit:
                return too_large(body, limit, decoded)
            inner = decoded
        else:
            return _unmarked(inner, body, limit)
    return Refused(Outcome.UNREADABLE, Outcome.UNREADABLE.help, body)


Inflate = Callable[[bytes, int], bytes | None]  # at most some bytes more than the limit; None: damaged, or not whole


def _compression(data: bytes) -> Inflate | None:
    if data.startswith(GZIP):
        return _from_gzip
    if data.startswith(_ZSTD):
        return _from_zstd
    if data[:1] == b"x" and len(data) > 1 and (data[0] << 8 | data[1]) % 31 == 0:
        return _from_deflate
    return None


def _unmarked(data: bytes, body: bytes, limit: int) -> bytes | Refused:
    for inflate in (_from_brotli, _from_bare_deflate):
        inflated = inflate(data, limit)
        if inflated and _is_json(inflated):
            return inflated if len(inflated) <= limit else too_large(body, limit, inflated)
    return Refused(Outcome.UNREADABLE, Outcome.UNREADABLE.help, body)


def _is_json(data: bytes) -> bool:
    return data.lstrip().removeprefix(_BOM).lstrip()[:1] in (b"{", b"[")


def _from_gzip(data: bytes, limit: int) -> bytes | None:
    result = b""
    try:
        for _ in range(_MEMBERS):  # may follow each other
            stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            result += stream.decompress(data, limit + 1 - len(result))
            if len(result) > limit:
                return result
            if not stream.eof:
                return None
            data = stream.unused_data
            if not data.startswith(GZIP):
                return result
    except zlib.error:
        return None
    return None


def _from_deflate(data: bytes, limit: int, bits: int = zlib.MAX_WBITS) -> bytes | None:
    stream = zlib.decompressobj(bits)
    try:
        result = stream.decompress(data, limit + 1)
    except zlib.error:
        return None
    return result if stream.eof or len(result) > limit else None


def _from_bare_deflate(data: bytes, limit: int) -> bytes | None:
    return _from_deflate(data, limit, _BARE)


def _from_zstd(data: bytes, limit: int) -> bytes | None:
    """A frame that breaks off gives what came of it: JSON that is not whole."""
    stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(data, read_across_frames=True)
    try:
        return stream.read(limit + 1)
    except zstandard.ZstdError:
        return None


def _from_brotli(data: bytes, limit: int) -> bytes | None:
    stream, result = brotli.Decompressor(), b""
    try:
        part: bytes = stream.process(data, output_buffer_limit=limit + 1)
        while part:
            result += part
            if len(result) > limit:
                return result
            part = stream.process(b"", output_buffer_limit=limit + 1 - len(result))
    except brotli.error:
        return None
    whole: bool = stream.is_finished()
    return result if whole else None


def _data_field(form: bytes) -> bytes:
    """``urllib.parse.parse_qs`` would stop at bytes that are not ASCII."""
    value = form.partition(b"data=")[2] if form.startswith(b"data=") else form.partition(b"&data=")[2]
    return unquote_to_bytes(value.partition(b"&")[0].replace(b"+", b" "))


def _from_base64(data: bytes, limit: int) -> bytes | None:
    """Of base64, or of lz64, which writes with the same digits but begins JSON as base64 never does."""
    plain = data.strip().translate(_PLAIN, b"\r\n\t")
    if not _BASE64.fullmatch(plain):
        return None
    if plain.startswith(lz64.FIRST):
        return lz64.decompressed(plain, limit)
    plain = plain.rstrip(b"=")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        return None


def too_large(kept: bytes, limit: int, seen: bytes = b"") -> Refused:
    return Refused(Outcome.TOO_LARGE, f"a body of more than {limit} bytes; send fewer events at once", kept, seen)
