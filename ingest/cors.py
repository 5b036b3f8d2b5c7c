"""What a browser needs to let a page of another origin speak to us: its own origin back, by name, on every answer.

``*`` is not enough: SDKs send credentials and an Authorization header, for which browsers do not take it. The keys in pages
are public and can only write, so every origin may.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

Headers = tuple[tuple[bytes, bytes], ...]

MAX_AGE: Final = b"7200"  # Chromium keeps no preflight longer
_VARY: Final = (b"vary", b"Origin")


@lru_cache(maxsize=1_024)
def allowed(origin: bytes | None) -> Headers:
    """For any answer, errors too: a page may not read a failure either without them."""
    if origin is None:
        return (_VARY,)
    return (
        _VARY,
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"Retry-After"),
    )


def preflight(asked: bytes | None, private_network: bool) -> Headers:
    """Beside ``allowed``; ``asked`` is Access-Control-Request-Headers, given back as it came."""
    headers: Headers = ((b"access-control-allow-methods", b"GET, POST, OPTIONS"), (b"access-control-max-age", MAX_AGE))
    if asked:
        headers = (*headers, (b"access-control-allow-headers", asked))
    if private_network:  # a page on the internet and a collector in the office's network
        headers = (*headers, (b"access-control-allow-private-network", b"true"))
    return headers
