"""Who sent an event, as a number, and the kinds of calls. Apart from ``event`` because the door cannot carry pyarrow."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

KINDS: Final = ("track", "page", "screen", "identify", "group", "alias")


@lru_cache(maxsize=100_000)
def actor_id(kind: str, identifier: str) -> int:
    """The signed 64-bit actor id of a typed id: ``actor_id("user", "42")`` hashes ``user:42``.

    BLAKE2b, 8 bytes, little endian; signed, because Delta Lake has no unsigned type.
    """
    digest = hashlib.blake2b(f"{kind}:{identifier}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
