"""``jcurve serve``: the query API and the dashboard alone."""

from __future__ import annotations

import click

from api.commands import settings
from api.commands.supervised import run
from api.settings import Settings, table


@click.command()
@settings(*(row.name for row in table()))
def command(settings: Settings) -> None:
    """Run the query API and the dashboard alone."""
    run(settings, ("serve",))
