"""``jcurve keys``: create, list and revoke a project's keys, whether or not a server runs."""

from __future__ import annotations

import click

from api.clock import now
from api.commands import settings
from api.settings import Settings


@click.group()
def command() -> None:
    """Create, list and revoke the keys of a project.

    A write key sends events and may be public (browsers show it), a read key asks questions, an admin key manages.
    """


@command.command()
@click.argument("kind", type=click.Choice(["write", "read", "admin"]))
@click.option("--source", metavar="NAME", default="default", show_default=True, help="What will send with it: website, app.")
@settings("store_url")
def create(settings: Settings, kind: str, source: str) -> None:
    """Make a key and print it, alone on one line. It is kept hashed and cannot be shown again."""
    from api.commands.opened import store
    from api.store import KINDS

    with store(settings, create=True) as opened:
        chosen = next(known for known in KINDS if known == kind)
        click.echo(opened.create_key(settings.project, chosen, source, now()))


@command.command(name="list")
@settings("store_url")
def list_(settings: Settings) -> None:
    """Tell a project's keys: number, kind, source, the ends of the key, when made, when revoked."""
    from api.commands.opened import store

    with store(settings) as opened:
        opened.project(settings.project)
        for key in opened.keys(settings.project):
            ended = f"revoked {key.revoked:%Y-%m-%d %H:%M}" if key.revoked else "in force"
            click.echo(f"{key.id:>4}  {key.kind:<5}  {key.source:<20}  {key.hint:<8}  {key.created:%Y-%m-%d %H:%M}  {ended}")


@command.command()
@click.argument("key")
@settings("store_url")
def revoke(settings: Settings, key: str) -> None:
    """Revoke KEY: its number in the list, or the key itself. Collectors refuse it within two seconds."""
    from api.commands.opened import store

    with store(settings) as opened:
        opened.revoke_key(settings.project, key, now())
