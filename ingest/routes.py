"""The Segment SDKs' own paths, and what their users make of a base URL, as the path under which the log keeps a request.

``/v1/t`` and ``/v1/track/`` are ``/v1/track``; ``/b``, ``/v1/batch/b`` and ``/v1/batch/v1/batch`` are ``/v1/batch``. Never a
redirect: one SDK drops what it sent, another dies in the preflight.
"""

from __future__ import annotations

import re
from typing import Final

KINDS: Final = ("track", "page", "screen", "identify", "group", "alias")

METRICS: Final = "/v1/m"  # analytics-next's reports about itself: taken and thrown away
_LETTERS: Final = {"t": "track", "i": "identify", "g": "group", "p": "page", "s": "screen", "a": "alias", "b": "batch"}
_NAMES: Final = (*KINDS, "batch", "import")
_BATCHES: Final = ("batch", "b", "import")
_SETTINGS: Final = re.compile(r"(?:/v1)?/(?:projects/)?projects/([^/]+)/settings")


def _table() -> dict[str, str]:
    ends = {name: f"/v1/{name}" for name in _NAMES} | {letter: f"/v1/{name}" for letter, name in _LETTERS.items()}
    paths = {f"/v1/{end}": path for end, path in ends.items()}
    paths |= {f"/v1/v1/{end}": path for end, path in ends.items()}
    for base in _BATCHES:  # a host that ends in the batch path already, with the SDK's own path behind it
        paths |= {f"/v1/{base}/{end}": path for end, path in ends.items()}
        paths |= {f"/v1/{base}/v1/{end}": path for end, path in ends.items()}
    return paths | {"/batch": "/v1/batch", "/b": "/v1/batch", METRICS: METRICS, "/m": METRICS}


_ROUTES: Final = _table()
SINGLE: Final = frozenset(f"/v1/{kind}" for kind in KINDS)  # their body is one event


def route(path: str) -> str | None:
    """The path in the log, or None where no SDK posts there."""
    return _ROUTES.get(path) or _ROUTES.get(tidy(path))


def settings_key(path: str) -> str | None:
    """The write key whose settings a browser or mobile SDK asks for, or None."""
    found = _SETTINGS.fullmatch(tidy(path))
    return found[1] if found else None


def tidy(path: str) -> str:
    """Without doubled and trailing slashes."""
    while "//" in path:
        path = path.replace("//", "/")
    return path.rstrip("/") or "/"
