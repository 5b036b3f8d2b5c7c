"""``jcurve tidy``: small files into large sorted ones, now, whether or not a server runs."""

from __future__ import annotations

import click

from api.commands import Refused, settings
from api.commands.at_once import run_at_once
from api.settings import Settings


@click.command()
@settings("lake_url", "store_url", "build_memory", "tidy_file")
def command(settings: Settings) -> None:
    """Gather the small files of a project's tables into large sorted ones. No row changes; queries get quicker."""
    from api.building import tidier
    from api.commands.opened import store
    from ingest.lake import Lake

    with store(settings) as opened:
        opened.project(settings.project)
    lake = Lake(settings.lake_root)
    ended = run_at_once(settings, tidier(settings, lake))
    if ended.error is not None:
        raise Refused(f"no row was touched, the tables stay as they are: {ended.error}", [])
    click.echo(f"Tidied project {settings.project}: {ended.rows:,} rows written again in {ended.seconds:.1f} s.")
    for table in ended.to_versions:
        click.echo(f"  {table:<12} {len(lake.files(settings.project, table)):,} files")
