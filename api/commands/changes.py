"""``jcurve changes``: which numbers of the past moved, when, and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

import click

from api.clock import now
from api.commands import Refused, settings
from api.settings import Settings

_FORMS = "write a date such as 2026-01-31, or a time such as 2026-01-31T10:00:00Z"


@click.command()
@click.option("--since", "moment", metavar="DATE", required=True, help="First day, in the project's time zone, or a time.")
@settings("lake_url", "store_url")
def command(settings: Settings, moment: str) -> None:
    """Tell which numbers of past days moved in builds from DATE on, and why.

    Late events, merges of people and their undos, events that retention or 'jcurve forget' took out, and changed definitions
    correct days that were told before. A line has the number, its day, what it was and what it is.
    """
    from api.commands.opened import store
    from ingest.lake import Lake
    from transforms.changes import since

    with store(settings) as opened:
        zone = ZoneInfo(opened.project(settings.project).zone)
    start = _read(moment, zone)
    if start > now():
        raise Refused(f"--since {moment} is still to come", [_FORMS])
    rows = since(Lake(settings.lake_root), settings.project, start)
    for line in lines(rows, zone):
        click.echo(line)
    if not rows:
        click.echo(f"No number of a past day moved since {moment}.")


def lines(rows: Iterable[dict[str, Any]], zone: ZoneInfo) -> list[str]:
    """What is printed: a heading per build, below it a line per number and day."""
    from transforms.changes import why

    said = []
    for (number, built_at), moved in groupby(rows, key=lambda row: (row["manifest"], row["built_at"])):
        said.append(f"Build {number} of {built_at.astimezone(zone):%Y-%m-%d %H:%M}:")
        for row in moved:
            said.append(f"  {row['day']}  {row['number']}: {row['before']:,} -> {row['after']:,}  ({', '.join(why(row))})")
    return said


def _read(text: str, zone: ZoneInfo) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):  # an offset may lead out of the years that there are
        raise Refused(f"--since {text} is no date", [_FORMS]) from None
