"""``jcurve work``: the scheduled builds alone."""

from __future__ import annotations

import click

from api.commands import settings
from api.commands.supervised import run
from api.settings import Settings, table


@click.command()
@settings(*(row.name for row in table()))
def command(settings: Settings) -> None:
    """Run the scheduled builds alone."""
    run(settings, ("work",), port=False)
