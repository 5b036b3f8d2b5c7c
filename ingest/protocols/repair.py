"""JSON that real SDKs send and strict readers refuse, made readable: text first, then grammar.

- CESU-8: mixpanel-browser sends an emoji as two surrogates of three bytes each (``ed a0 be ed b6 94``).
- ``\\u0000`` and lone surrogates (``\\ud83d"``): PostgreSQL, Arrow and Python's encoder stop at them. Both become U+FFFD.
- ``NaN`` and ``Infinity`` (Python's ``json.dumps`` writes them), naked control characters: null, and the escaped character.
- What is nested deeper than readers go: its text, so that the events beside it in a batch can be read.
"""

from __future__ import annotations

import json
import re
from typing import Final

from ingest.numbers import finite, integer

_SURROGATES: Final = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]|\xed[\xa0-\xbf][\x80-\xbf]")
_DOUBTFUL: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# every escape is matched from the left, so that the "\\u0000" of an escaped backslash is never taken for a NUL
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u0000|u[dD][89a-fA-F]..|.)", re.DOTALL)
_DEEPEST: Final = 500  # objects and lists within each other; readers stop at about a thousand
_LOOKED_THROUGH: Final = 1 << 20  # bytes of a body in which deeper ones are looked for: a tenth of a second
_TOKEN: Final = re.compile(rb'[\[{\]}]|"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)

REPLACEMENT: Final = "\ufffd".encode()


def text(body: bytes) -> bytes:
    """The same JSON as sound UTF-8 without NUL and lone surrogates; the very same object where there is nothing to do."""
    if not body.isascii():
        body = _utf8(body)
    if b"\\" in body and _DOUBTFUL.search(body):  # to look for one byte first takes a twentieth
        body = _ESCAPE.sub(_escape, body)
    return body


def grammar(body: bytes) -> bytes | None:
    """The same document as strict JSON, or None where it is no JSON at all."""
    try:
        return dumps(loads(body))
    except ValueError:
        return None
    except RecursionError:
        pass
    try:
        return dumps(loads(_folded(body))) if len(body) <= _LOOKED_THROUGH else None
    except (ValueError, RecursionError):
        return None


def loads(data: bytes) -> object:
    """Raises ``ValueError`` or ``RecursionError``; what JSON cannot say (NaN, 1e999, endless integers) comes as None."""
    return json.loads(
        data.decode("utf-8", "replace"), parse_constant=lambda _: None, parse_float=finite, parse_int=integer, strict=False
    )


def dumps(value: object) -> bytes:
    return text(json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode())


def _folded(body: bytes) -> bytes:
    """Objects and lists that lie deeper than DEEPEST as texts."""
    parts: list[bytes] = []
    level = start = done = 0
    for found in _TOKEN.finditer(body):
        mark = found[0]
        if mark in (b"[", b"{"):
            level += 1
            if level == _DEEPEST + 1:
                start = found.start()
        elif mark in (b"]", b"}"):
            level -= 1
            if level == _DEEPEST:
                inner = body[start : found.end()].decode("utf-8", "replace")
                parts += [body[done:start], json.dumps(inner).encode()]
                done = found.end()
    return b"".join([*parts, body[done:]])


def _utf8(body: bytes) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError:
        return _SURROGATES.sub(_surrogate, body).decode("utf-8", "replace").encode().removeprefix(b"\xef\xbb\xbf")
    return body.removeprefix(b"\xef\xbb\xbf")


def _surrogate(found: re.Match[bytes]) -> bytes:
    halves = found[0].decode("utf-8", "surrogatepass")
    return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le").encode() if len(halves) == 2 else REPLACEMENT


def _escape(found: re.Match[bytes]) -> bytes:
    escape = found[0]
    if len(escape) == 6:
        return b"\\ufffd"
    return escape  # a pair of surrogates, or one of \n, \", \\ and their like
