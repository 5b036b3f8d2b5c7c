"""Who asks: a read or admin key of one project, as ``Authorization: Bearer jr_...``.

Answers with 401 (no key, or none that is in force) or 403 (a write key: it is public in browsers and may only write).
"""

from __future__ import annotations

from collections.abc import Callable

from api.errors import Forbidden, Unauthorized
from ingest.keys import Key

HOW = "Send a read key: 'Authorization: Bearer jr_...'. Make one: jcurve keys create read"


def caller(authorization: str | None, keys: Callable[[str], Key | None]) -> Key:
    """The key of a request's ``Authorization`` header, if it may read."""
    scheme, _, text = (authorization or "").partition(" ")
    if not text.strip():
        raise Unauthorized(f"The request carries no key. {HOW}")
    if scheme.lower() != "bearer":
        raise Unauthorized(f"The key must come as a bearer token. {HOW}")
    key = keys(text.strip())
    if key is None:
        raise Unauthorized(f"This key is not known, or was revoked. {HOW}")
    if key.kind == "write":
        raise Forbidden(f"A write key only sends events. {HOW}")
    return key


def must_be_admin(key: Key) -> None:
    """For what changes or removes something. Raises ``Forbidden`` for any other key."""
    if key.kind != "admin":
        raise Forbidden("This takes an admin key. Make one: jcurve keys create admin")
