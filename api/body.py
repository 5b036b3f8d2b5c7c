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
    except UnicodeDecodeError:
        raise _wrong("bytes that are not UTF-8", "a JSON object in UTF-8") from None
    except RecursionError:
        raise _wrong("lists or objects too deep within each other", "a JSON object") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise _wrong(str(error), "a JSON object") from None


def _wrong(found: str, allowed: str) -> Unprocessable:
    return Unprocessable(f"The body is not {allowed}: {found}.", [Detail("body", found, [allowed], "send JSON")])
