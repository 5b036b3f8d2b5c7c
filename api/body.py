"""The body of a question: JSON of a bounded size, whatever its content type says."""

from __future__ import annotations

import json
from typing import Final

from starlette.requests import Request

from api.errors import Detail, Unprocessable

LARGEST: Final = 1 << 20


async def json_body(request: Request) -> object:
    """Raises ``Unprocessable`` with the place of the fault."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST:
            raise _wrong(f"more than {LARGEST} bytes", f"a question of at most {LARGEST} bytes")
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise _wrong(f"line {error.lineno}, column {error.colno}: {error.msg}", "a JSON object") from None
    except (UnicodeDecodeError, RecursionError):
        raise _wrong("no JSON", "a JSON object in UTF-8") from None


def _wrong(found: str, allowed: str) -> Unprocessable:
    return Unprocessable(f"The body is not {allowed}: {found}.", [Detail("body", found, [allowed], "send JSON")])
