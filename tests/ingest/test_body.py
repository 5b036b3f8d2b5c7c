"""Bodies as SDKs wrap them: gzip, forms, base64, in each other, under wrong names."""

import base64
import gzip
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.body import unwrapped
from ingest.outcome import Outcome
from ingest.protocols.envelope import Refused

LIMIT = 10_000
JSON = '{"event":"Größe 🦔?>","userId":"u1"}'.encode()
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
def test_gzip_that_breaks_off_is_unreadable_and_kept_as_it_came(cut: int) -> None:
    body = gzip.compress(JSON * 20)[:cut]
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


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    for wrapped in (body, gzip.compress(body), b"data=" + body, base64.b64encode(body), b"\x1f\x8b\x08" + body):
        assert isinstance(unwrapped(wrapped, LIMIT), bytes | Refused)
