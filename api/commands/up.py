"""``jcurve up``: everything on one port."""

from __future__ import annotations

import click

from api.commands import settings
from api.commands.supervised import run
from api.settings import Settings, table


@click.command()
@settings(*(row.name for row in table()))
def command(settings: Settings) -> None:
    """Serve everything on one port: collector, builds, query API, dashboard. Ends on Ctrl-C or SIGTERM, losing nothing."""
    run(settings, ("door", "flush", "work", "serve"))
