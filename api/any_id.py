"""``ANY_ID`` at a route's end: the rest of the path, whatever is in it (Starlette's own ``path`` ends at a newline)."""

from __future__ import annotations

from typing import Final

from starlette.convertors import PathConvertor, register_url_convertor

ANY_ID: Final = "{id:any_id}"


class _AnyId(PathConvertor):
    regex = "(?s:.*)"


register_url_convertor("any_id", _AnyId())
