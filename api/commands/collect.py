"""``jcurve collect``: the collector alone, for a host that only takes events."""

from __future__ import annotations

import click

from api.commands import settings
from api.commands.supervised import run
from api.settings import Settings, table


@click.command()
@settings(*(row.name for row in table()))
def command(settings: Settings) -> None:
    """Run the collector alone: HTTP, the log and its flush."""
    run(settings, ("door", "flush"))
