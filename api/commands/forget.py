"""``jcurve forget``: take a person out of everything that the data folder holds, and prove it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import click

from api.clock import now
from api.commands import settings
from api.settings import Settings

if TYPE_CHECKING:
    from api.forgetting import Request
    from ingest.lake import Lake

_PATIENCE: Final = 120.0  # seconds for what was received before the command to reach the lake, and for a job to end


@click.command()
@click.argument("id", required=False)
@click.option("--why", help="The reason, kept in the receipt; a ticket's number, nothing about the person.")
@click.option("--now", "at_once", is_flag=True, help="Remove old files at once; questions that read them end with an error.")
@click.option("--lift", is_flag=True, help="Take events of this id again from now on; what was forgotten stays so.")
@click.option("--list", "listed", is_flag=True, help="Tell what is under way, and the receipts.")
@settings("lake_url", "store_url", "definitions", "build_memory")
def command(settings: Settings, id: str | None, why: str | None, at_once: bool, lift: bool, listed: bool) -> None:  # noqa: A002
    """Forget the person who has the id ID (user:42, anonymous:7f3a, or 42), whether or not a server runs."""
    from api.commands.opened import store
    from ingest.lake import Lake
    from ingest.tombstones import Tombstones

    with store(settings) as opened:
        opened.project(settings.project)
    lake = Lake(settings.lake_root)
    if listed:
        _list(settings, lake)
    elif id is None:
        raise click.UsageError("name the person: jcurve forget ID --why REASON")
    elif lift:
        typed = [id] if ":" in id else [f"user:{id}", f"anonymous:{id}"]
        gone = Tombstones(settings.folder.tombstones).lift(settings.project, typed)
        click.echo("Its events are taken again from now on." if gone else "It was not kept out.")
    elif not (why and why.strip()):
        raise click.UsageError("say why: jcurve forget ID --why REASON")
    else:
        _forget(settings, lake, id, why, at_once)


def _forget(settings: Settings, lake: Lake, given: str, why: str, at_once: bool) -> None:
    from api.app import prepare_definitions
    from api.building import builder
    from api.forgetting import Unknown, advance, ask, waiting

    prepare_definitions(settings)
    try:
        request: Request | None = ask(settings, lake, settings.project, given, why, "command line", now())
    except (Unknown, ValueError) as error:
        raise click.ClickException(str(error)) from None
    assert request is not None
    token, deadline = request.token, time.monotonic() + _PATIENCE
    while request is not None and (request.step != "removed" or at_once):
        left = advance(settings, lake, builder(settings, lake), now, request, at_once=at_once)
        if left is not None:
            if left.found:
                raise click.ClickException("ids are left in\n  " + "\n  ".join(left.found))
            click.echo(f"Forgotten: no id is left in {left.files:,} files ({left.bytes / 1e6:,.1f} MB).")
            return
        request = next((one for one in waiting(settings) if one.token == token), None)
        if request is not None and request.error:
            raise click.ClickException(f"{request.error}. It is tried again; see: jcurve forget --list")
        if time.monotonic() > deadline:
            raise click.ClickException("it waits for the log or for another job; the work role goes on with it")
        if request is not None and request.step == "buried":
            _flush(settings)
            time.sleep(0.2)
    click.echo("No answer knows the person any more. Old files go in ten minutes, with the work role (or now, with --now).")


def _flush(settings: Settings) -> None:
    """Where no flush runs, the log is brought into the lake here."""
    from api.app import flush
    from ingest.errors import IngestError

    once = threading.Event()
    once.set()
    try:
        flush(settings, once)
    except IngestError:
        return


def _list(settings: Settings, lake: Lake) -> None:
    from api.forgetting import receipts, waiting

    for one in waiting(settings, settings.project):
        click.echo(f"under way  {one.token}  {one.step} since {one.at[:19]}  {one.error or ''}".rstrip())
    for row in receipts(lake, settings.project):
        took = f"{row['events']:,} events, {row['rejected']:,} rejected, {row['changed']:,} of others changed"
        click.echo(f"{row['erased_at']:%Y-%m-%d %H:%M}  {row['receipt']}  {took}, {row['traces']} traces left  {row['why']}")
