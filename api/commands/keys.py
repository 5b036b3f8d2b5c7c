"""``jcurve keys``: create, list and revoke a project's keys, whether or not a server runs."""

from __future__ import annotations

from datetime import datetime

import click

from api.clock import now
from api.commands import settings
from api.commands.moments import MOMENT
from api.settings import Settings


@click.group()
def command() -> None:
    """Create, list and revoke the keys of a project.

    A write key sends events and may be public (browsers show it), a read key asks questions, an admin key manages.
    """


@command.command()
@click.argument("kind", type=click.Choice(["write", "read", "admin"]))
@click.option("--source", metavar="NAME", default="default", show_default=True, help="What will send with it: website, app.")
@click.option("--until", type=MOMENT, metavar="DATE", help="When it ends by itself, in UTC.  [default: never]")
@click.option("--own", metavar="KEY", help="Take KEY, which apps send already, in place of a new one.")
@settings("store_url")
def create(settings: Settings, kind: str, source: str, until: datetime | None, own: str | None) -> None:
    """Make a key and print it, alone on one line. It is kept hashed and cannot be shown again.

    A write key's source is made with it, where there is none of that name (see `jcurve sources`).
    """
    from api.commands.opened import store
    from api.store import KINDS

    with store(settings, create=True) as opened:
        chosen = next(known for known in KINDS if known == kind)
        click.echo(opened.create_key(settings.project, chosen, source, now(), text=own, until=until))


@command.command(name="list")
@settings("store_url")
def list_(settings: Settings) -> None:
    """Tell a project's keys: number, kind, source, the ends of the key, when made, whether in force and until when."""
    from api.commands.opened import store

    with store(settings) as opened:
        opened.project(settings.project)
        for key in opened.keys(settings.project):
            ends = key.ends(now())
            click.echo(f"{key.id:>4}  {key.kind:<5}  {key.source:<20}  {key.hint:<8}  {key.created:%Y-%m-%d %H:%M}  {ends}")


@command.command()
@click.argument("key")
@click.option("--at", type=MOMENT, metavar="DATE", help="When, in UTC; until then it is taken.  [default: now]")
@settings("store_url")
def revoke(settings: Settings, key: str, at: datetime | None) -> None:
    """Revoke KEY: its number in the list, or the key itself. Collectors refuse it within two seconds, or from a date on."""
    from api.commands.opened import store

    with store(settings) as opened:
        if at is None:
            opened.revoke_key(settings.project, key, now())
        else:
            opened.end_key(settings.project, key, at, now())
