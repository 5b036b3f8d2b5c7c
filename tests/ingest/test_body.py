"""Bodies as SDKs wrap them: gzip, forms, base64, in each other, under wrong names."""

import base64
import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from urllib.parse import quote

import brotli
import lzstring
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest.body import unwrapped
from ingest.outcome import Outcome
from ingest.protocols.envelope import Refused

LIMIT = 10_000
LZ64 = lzstring.LZString().compressToBase64
JSON = '{"event":"Größe 🦔?>","userId":"u1"}'.encode()
MARKS = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x78\x9c")
BASE64 = base64.b64encode(JSON)


@pytest.mark.parametrize(
    "body",
    [
        JSON,
        b"  \r\n" + JSON,
        gzip.compress(JSON),
        gzip.compress(JSON[:9]) + gzip.compress(JSON[9:]),
        b"data=" + quote(JSON).encode(),
        b"ip=0&verbose=1&data=" + quote(JSON).encode(),
        b"data=" + quote(BASE64).encode() + b"&verbose=1",
        b"data=" + BASE64,
        BASE64,
        BASE64.rstrip(b"="),
        base64.urlsafe_b64encode(JSON),
        base64.encodebytes(JSON * 1),
        base64.b64encode(gzip.compress(JSON)),
        gzip.compress(b"data=" + quote(BASE64).encode()),
        zlib.compress(JSON),
        zlib.compress(JSON, 0),
        zlib.compress(JSON)[2:-4],
        zstandard.compress(JSON),
        zstandard.compress(JSON[:9]) + zstandard.compress(JSON[9:]),
        brotli.compress(JSON),
        base64.b64encode(zlib.compress(JSON)),
        b"data=" + quote(base64.b64encode(gzip.compress(JSON))).encode() + b"&compression=gzip-js",
    ],
)
def test_the_json_is_found_however_it_is_wrapped(body: bytes) -> None:
    found = unwrapped(body, LIMIT)
    assert isinstance(found, bytes) and found.strip() == JSON


@pytest.mark.parametrize(
    "body", [b"", b" ", b"hello world", b"data=", b"data=%zz", b"<xml/>", gzip.compress(b"hello!"), b"\x1f\x8b"]
)
def test_a_body_without_json_is_unreadable(body: bytes) -> None:
    refused = unwrapped(body, LIMIT)
    assert isinstance(refused, Refused) and (refused.reason, refused.raw) == (Outcome.UNREADABLE, body)


@pytest.mark.parametrize("cut", [12, 30, -1])
@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, brotli.compress])
def test_what_breaks_off_is_unreadable_and_kept_as_it_came(compress: Callable[[bytes], bytes], cut: int) -> None:
    body = compress(JSON * 20)[:cut]
    refused = unwrapped(body, LIMIT)
    assert isinstance(refused, Refused) and (refused.reason, refused.raw) == (Outcome.UNREADABLE, body)


def test_inflating_stops_at_the_limit() -> None:
    at_limit = gzip.compress(b"[" + b" " * (LIMIT - 2) + b"]")
    over = gzip.compress(b"[" + b" " * (LIMIT - 1) + b"]")
    nested = base64.b64encode(gzip.compress(gzip.compress(b"[" + b" " * 9_000_000)))
    assert isinstance(unwrapped(at_limit, LIMIT), bytes)
    for body in (over, nested, gzip.compress(b"{" + b" " * 9_000) * 2):
        refused = unwrapped(body, LIMIT)
        assert isinstance(refused, Refused) and (refused.reason, refused.raw) == (Outcome.TOO_LARGE, body)


@pytest.mark.parametrize(
    "bomb",
    [
        gzip.compress(b"[" + b" " * 3_000_000),
        zlib.compress(b"[" + b" " * 3_000_000),
        zlib.compress(b"[" + b" " * 3_000_000)[2:-4],
        zstandard.compress(b"[" + b" " * 3_000_000),
        brotli.compress(b"[" + b" " * 3_000_000),
        LZ64("[" + " " * 100_000).encode(),
    ],
    ids=["gzip", "deflate", "bare deflate", "zstd", "br", "lz64"],
)
def test_a_bomb_is_too_large_and_never_unfolds(bomb: bytes) -> None:
    tracemalloc.start()
    refused = unwrapped(bomb, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(refused, Refused) and (refused.reason, refused.raw) == (Outcome.TOO_LARGE, bomb)
    assert peak < 400_000


@pytest.mark.parametrize(("members", "read"), [(99, True), (100, False), (200_000, False)])
def test_a_body_of_endless_members_of_gzip_is_not_read_to_its_end(members: int, read: bool) -> None:
    """Each costs a copy of all that is behind it: 4 MB of empty ones would hold up the door for seconds."""
    body = gzip.compress(b"") * members + gzip.compress(JSON)
    found = unwrapped(body, LIMIT)
    assert found == (JSON if read else Refused(Outcome.UNREADABLE, found.detail, body))  # type: ignore[union-attr]


@pytest.mark.parametrize("inner", ["", '"a","🦔 日本語"', '"' + "ab" * 3_000 + '"', "".join(map(chr, range(0x100, 0x900)))])
def test_lz64_is_read_as_its_own_package_writes_it(inner: str) -> None:
    text = f"[{inner}]"
    units = "".join(map(chr, memoryview(text.encode("utf-16-le")).cast("H")))  # as JavaScript has them
    assert unwrapped(LZ64(units).encode(), LIMIT) == text.encode()


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    for wrapped in (
        body,
        gzip.compress(body),
        b"data=" + body,
        base64.b64encode(body),
        b"N" + base64.b64encode(body),
        *(mark + body for mark in MARKS),
    ):
        assert isinstance(unwrapped(wrapped, LIMIT), bytes | Refused)
