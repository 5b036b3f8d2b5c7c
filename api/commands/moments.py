"""Moments and spans as they are typed: ``2026-04-01``, ``2026-04-01 12:00`` (UTC), ``7d``, ``36h``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

_SPAN: Final = re.compile(r"(\d{1,5})([hdw])")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class _Moment(click.ParamType[datetime]):
    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            read = datetime.fromisoformat(str(value))
            return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
        except (ValueError, OverflowError):  # an offset may lead out of the years that there are
            self.fail(f"'{value}' is no date; write 2026-04-01 or '2026-04-01 12:00', in UTC", param, ctx)


class _Span(click.ParamType[timedelta]):
    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = _SPAN.fullmatch(str(value))
        if found is None:
            self.fail(f"'{value}' is no span of time; write 36h, 7d or 4w", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


MOMENT: Final = _Moment()
SPAN: Final = _Span()
