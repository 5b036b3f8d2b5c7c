"""Which keys a request offers, the likeliest first: SDKs put them in whatever place their HTTP client makes easy."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs

QUERY_FIELDS: Final = ("writeKey", "api_key", "token", "$token")


@lru_cache(maxsize=4_096)
def from_header(authorization: bytes) -> str | None:
    """The user of ``Basic`` (with or without the colon behind it), or the token of ``Bearer``."""
    scheme, _, value = authorization.strip().partition(b" ")
    value = value.strip()
    if scheme.lower() == b"bearer":
        return value.decode("utf-8", "replace") or None
    if scheme.lower() != b"basic":
        return None
    try:
        user = base64.b64decode(value + b"=" * (-len(value) % 4)).decode("utf-8", "replace")
    except binascii.Error:
        return None
    return user.partition(":")[0].strip() or None


def from_query(query: bytes) -> Iterator[str]:
    if query:
        given = parse_qs(query.decode("utf-8", "replace"))
        for field in QUERY_FIELDS:
            yield from given.get(field, ())
