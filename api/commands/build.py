"""``jcurve build``: people, accounts, stages and invites, now, whether or not a server runs."""

from __future__ import annotations

import time
from typing import Final

import click

from api.clock import now
from api.commands import Refused, settings
from api.commands.at_once import run_at_once
from api.settings import Settings

_PATIENCE: Final = 30.0  # seconds for what was sent before the command to reach the lake


@click.command()
@settings("lake_url", "store_url", "definitions", "build_memory")
def command(settings: Settings) -> None:
    """Bring the tables of a project up to date. A fault in a definition or a check leaves the last good ones in place."""
    from api.app import prepare_definitions
    from api.building import builder
    from api.commands.opened import store
    from funnels.definitions.written import DefinitionError
    from ingest.lake import Lake
    from transforms.schedule import Job

    with store(settings) as opened:
        opened.project(settings.project)
    try:
        prepare_definitions(settings)
    except DefinitionError as error:
        raise Refused(f"nothing was built, the last good tables stay in place: {error}", []) from None
    _wait_for_the_log(settings)
    ended = run_at_once(settings, Job("build", "off", builder(settings, Lake(settings.lake_root))))
    if ended.error is not None:
        raise click.ClickException(f"nothing was built, the last good tables stay in place: {ended.error}")
    click.echo(f"Built project {settings.project}: {ended.rows:,} rows in {ended.seconds:.1f} s ({ended.status}).")
    for name, number in sorted((ended.to_versions or {}).items()):
        click.echo(f"  {name:<12} version {number}")


def _wait_for_the_log(settings: Settings) -> None:
    """What was acknowledged before the command belongs into its build, as far as a flush runs."""
    from ingest.progress import complete_until

    began = now()
    deadline = time.monotonic() + _PATIENCE
    while True:
        complete = complete_until(settings.folder.log, now())
        if complete.until >= began:
            return
        if time.monotonic() > deadline or complete.held_back_by is not None:
            reason = complete.held_back_by or "the flush is behind"
            click.echo(f"Events received after {complete.until:%Y-%m-%d %H:%M:%S} UTC may be missing: {reason}", err=True)
            return
        time.sleep(0.2)
