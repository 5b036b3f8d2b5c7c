"""What happens to a request on its way: values of other types, keys that go or move, odd texts, wrappings, broken bytes.

All chance comes from one ``Random``, which hypothesis hands out: so what fails is shrunk, and found again.
"""

from __future__ import annotations

import base64
import copy
import gzip
import json
import zlib
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote

import brotli
import lzstring
import zstandard

from tests.ingest.fuzz.seeds import KINDS, NAMES

Tree = Any


class Token(str):
    """JSON, or what should be JSON, that goes into the body as it stands (latin-1)."""

    __slots__ = ()


TOKENS = tuple(
    Token(one)
    for one in (
        "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "-0", "-0.0", "9" * 30, "9" * 400, "9" * 5_000,
        "0.1e+1",
        "18446744073709551616", "-9223372036854775809", "1e20", "1.5e300", "-62135596800", "253402300800", "1e17",
        '"\\ud800"', '"a\\udc00"', '"\\ud83d\\"', '"\\u0000"', '"\\ud83e\\udd94"', '"\xed\xa0\xbe\xed\xb6\x94"',
        '"\xed\xa0\xbe"',
        '"\xff\xfe"', '"\xc3"', '"\xef\xbb\xbf"', '"\x00"', '"\x01\n"', "'single'", "undefined", "tru", "[1,]",
        '{"a":1,}', "{,}",
        "[" * 60 + "]" * 60, "[" * 3_000 + "]" * 3_000, '{"a":' * 3_000 + "1" + "}" * 3_000, '{"a":1,"a":2}', '{"":1}', "",
        '{"\\ud800":1}', '{"a\\u0000":1}', "//x",
    )
)  # fmt: skip
TEXTS = (
    "", " ", "\t\n", "undefined", "null", "None", "NaN", "[object Object]", "0", "true", "🦔", "é", "a" * 300, "x" * 40_000,
    "2026-13-45T99:99:99Z", "0000-00-00", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+14:00",
    "2026-01-01T00:00:00+99:99",
    "20260102", "1e400", "-1e400", "1_000", "١٢٣", "Mon, 01 Jan 2026 00:00:00 GMT", "+03", "2026-W01-1",
    "99999999999999999999",
    "http://[", "https://exa mple/?utm_source=%ff&utm_source", "//", "http://[::1", "$device:", "$device:d", "a\u2028b",
    "\ufeff",
    "%00", "a&b=c", "a#b?c", "../../x", "jw_web", "e30=", "{}", "[]", "iglu:a/b/c/d", "iglu:", "9" * 5_000,
)  # fmt: skip
PLAIN: tuple[Tree, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    0.5,
    -1.5,
    2**53,
    2**63,
    10**30,
    1e22,
    [],
    {},
    [[]],
    [None],
    [1, "a"],
    {"a": 1},
    {"": {}},
)


def dumps(tree: Tree) -> bytes:
    """JSON with the tokens as they stand."""
    if isinstance(tree, Token):
        return tree.encode("latin-1")
    if isinstance(tree, dict):
        return b"{" + b",".join(dumps(name) + b":" + dumps(value) for name, value in tree.items()) + b"}"
    if isinstance(tree, list):
        return b"[" + b",".join(map(dumps, tree)) + b"]"
    return json.dumps(tree, ensure_ascii=isinstance(tree, str) and len(tree) % 2 == 0).encode("utf-8", "surrogatepass")


def odd(random: Random) -> Tree:
    return copy.deepcopy(random.choice(random.choice((PLAIN, TEXTS, TOKENS))))


def told(random: Random, event: Tree) -> Tree:
    """The event as one of another kind."""
    for name, kinds in KINDS.items():
        if isinstance(event, dict) and name in event:
            event[name] = random.choice((event[name], *kinds))
    return event


def mutated(random: Random, tree: Tree, times: int) -> Tree:
    """The tree after some changes, each anywhere in it."""
    holder = [tree]
    for _ in range(times):
        parent, at = random.choice(_places(holder))
        random.choice(_CHANGES)(random, parent, at)
    return holder[0] if holder else None


def _places(holder: Tree) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [holder]
    while waiting:
        one = waiting.pop()
        items = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
        found += [(one, at) for at, _ in items]
        waiting += [value for _, value in items if isinstance(value, dict | list)]
    return found or [(holder, None)]


def _replace(random: Random, parent: Tree, at: Any) -> None:
    if at is not None:
        parent[at] = odd(random)


def _drop(random: Random, parent: Tree, at: Any) -> None:
    if isinstance(parent, dict):
        del parent[at]


def _add(random: Random, parent: Tree, at: Any) -> None:
    if isinstance(parent, dict):
        parent[random.choice((*NAMES, *TEXTS, Token('"\\ud800"')))] = odd(random)


def _nest(random: Random, parent: Tree, at: Any) -> None:
    if at is not None:
        parent[at] = random.choice(([parent[at]], {"a": parent[at]}, {"$set": parent[at]}, [parent[at]] * 3))


def _write(random: Random, parent: Tree, at: Any) -> None:
    """JSON within a text."""
    if at is not None:
        parent[at] = dumps(parent[at]).decode("latin-1")


def _move(random: Random, parent: Tree, at: Any) -> None:
    if isinstance(parent, dict):
        parent[random.choice(NAMES)] = parent.pop(at)


_CHANGES: tuple[Callable[[Random, Tree, Any], None], ...] = (_replace, _replace, _replace, _drop, _add, _nest, _write, _move)


def _lz64(data: bytes) -> bytes:
    said: str = lzstring.LZString().compressToBase64(data.decode("utf-8", "replace"))
    return said.encode()


def _raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def _form(data: bytes) -> bytes:
    return b"verbose=1&data=" + quote(data).encode()


def _unpadded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


WRAPS: tuple[Callable[[bytes], bytes], ...] = (
    gzip.compress, zlib.compress, _raw_deflate, zstandard.compress, brotli.compress, base64.b64encode, _unpadded, _form,
    _lz64,
    lambda data: b"\xef\xbb\xbf" + data, lambda data: b" \r\n" + data + b"\n",
    lambda data: data.decode("utf-8", "replace").encode("utf-16"), lambda data: data.decode("utf-8",
    "replace").encode("utf-16-le"),
    lambda data: data.decode("utf-8", "replace").encode("latin-1", "replace"),
)  # fmt: skip


def broken(random: Random, body: bytes) -> bytes:
    """Cut, flipped, doubled, with something put in or behind."""
    if not body:
        return random.randbytes(random.randint(0, 20))
    at = random.randrange(len(body))
    return random.choice(
        (
            lambda: body[:at],
            lambda: body[at:],
            lambda: body[:at] + bytes([random.randrange(256)]) + body[at + 1 :],
            lambda: body[:at] + random.randbytes(random.randint(1, 9)) + body[at:],
            lambda: body + body,
            lambda: body + random.randbytes(random.randint(1, 9)),
            lambda: body[:at] + body[random.randrange(len(body)) :],
        )
    )()


MAGIC = (
    b"",
    b"\x1f\x8b\x08",
    b"x\x9c",
    b"\x28\xb5\x2f\xfd",
    b"data=",
    b"N4",
    b"{",
    b"[",
    b"\xef\xbb\xbf",
    b'{"batch":[',
    b"\x0b",
)
HEADERS: dict[str, tuple[bytes, ...]] = {
    "content-type": (b"text/plain", b"application/json; charset=utf-16", b"application/x-www-form-urlencoded", b"\xff", b""),
    "content-encoding": (b"gzip", b"br", b"identity", b"deflate, gzip", b"nonsense"),
    "authorization": (b"Basic", b"Basic \xff", b"Basic e30", b"Bearer", b"Bearer jr_read", b"Bearer \xff\xfe",
        b"Digest x", b"basic andfd2ViOg=="),
    "origin": (b"null", b"https://example.com", b"\xff"),
    "user-agent": (b"\xff\xfe", b"Googlebot", b"x" * 70_000, b""),
    "x-forwarded-for": (b"[2001:db8::1]:443, 10.0.0.1", b"\xff", b",,", b"[", b"x" * 70_000),
    "x-forwarded-host": (b"\xff", b"a b"),
    "sentat": (b"\xff", b"yesterday", b"2026-01-01T00:00:00Z"),
    "anonymousid": (b"\xff", b"YQ==", b"%%%"),
    "cookie": (b"sp=x", b"sp=00000000-0000-4000-8000-000000000000; a=b", b"\xff"),
    "sp-anonymous": (b"*",),
    "posthog-request-timestamp": (b"\xff", b"-1", b"1e999", b"2026-01-01T00:00:00Z"),
    "posthog-sdk-info": (b"/", b"\xff/\xfe", b"a" * 300),
    "posthog-request-id": (b"\xff", b"r" * 300),
    "host": (b"", b"\xff", b"a:b:c"),
}  # fmt: skip
QUERIES = (
    b"", b"_=1790000000000", b"_=x&_=y", b"verbose=1", b"strict=1", b"img=1", b"compression=gzip-js",
    b"compression=lz64&beacon=1",
    b"writeKey=jw_web", b"token=%ff", b"api_key=jr_read", b"data=", b"data=e30%3D", b"data=%5B%5D", b"%ff=%00",
    b"&&==&", b"\xff\xfe",
    b"writeKey=jw_web&event=a&event.b=c&event.b.c=d&[a]=b&a..b=c&type=page&userId=&properties=1", b"sent_at=x#y?z",
    b"a[b][c][d][e][f][g][h][i][j][k][l][m][n][o][p][q]=1", b"userId=%ed%a0%80", b"_=" + b"9" * 500, b"ip=1&e=pv&aid=jw_web",
)  # fmt: skip
PATHS = ("/v1/batch", "/v1/t", "/batch", "/track", "/engage", "/e", "/i", "/import", "/2/httpapi", "/a.b/c",
"/pixel/v1/page",
         "/i/v1/analytics/events", "/s", "/v1/m", "/groups", "/capture/", "//e//", "/jw_web/i",
         "/v1/batch/v1/batch")  # fmt: skip
