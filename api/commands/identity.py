"""``jcurve identity``: which links make a person, their undo and redo, whether or not a server runs."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from api.clock import now
from api.commands import settings
from api.commands.moments import MOMENT
from api.settings import Settings

if TYPE_CHECKING:
    from transforms.undo import Undo

_LONGEST = 1000  # characters, as over HTTP
_NEXT = "Ad-hoc answers have it at once, the tables with the next build (jcurve build)."


def _said(_: click.Context, __: click.Parameter, why: str) -> str:
    if not why.strip() or len(why) > _LONGEST:
        raise click.BadParameter(f"say why, in 1 to {_LONGEST} characters")
    return why


_why = click.option("--why", metavar="TEXT", required=True, callback=_said, help="The reason; it is kept with the undo.")


@click.group()
def command() -> None:
    """Tell which links make a person, undo one, or undo its undo."""


@command.command()
@click.argument("id")
@click.option("--known-at", type=MOMENT, metavar="DATE", help="As it was known then: 2026-01-31 or '2026-01-31 10:00', UTC.")
@settings("lake_url", "store_url", "runaway_links")
def links(settings: Settings, id: str, known_at: datetime | None) -> None:  # noqa: A002
    """Tell the links of ID (user:42, anonymous:7f3a) and their undos."""
    from ingest.lake import Lake
    from transforms.identity import View
    from transforms.links import Ledger, links_of
    from transforms.undo import EVER

    _known_project(settings)
    ids = {id, f"user:{id}", f"anonymous:{id}"}
    ledger = Ledger.now(Lake(settings.lake_root), settings.project, with_events=True)
    found = links_of(ledger, ids, View(settings.runaway_links, known_at or EVER))
    for link in found:
        click.echo("\n".join(lines(link)))
    if not found:
        click.echo(f"No link names {id}.")


@command.command(name="undo")
@click.argument("link")
@_why
@settings("lake_url", "store_url")
def undo_(settings: Settings, link: str, why: str) -> None:
    """Take LINK, named by the event that made it, out of force."""
    from transforms.undo import undo

    done = _changed(settings, undo, link, why)
    click.echo(f"Undone: {done.id} no longer belongs to {done.owner} by this link. {_NEXT}")


@command.command(name="redo")
@click.argument("link")
@_why
@settings("lake_url", "store_url")
def redo_(settings: Settings, link: str, why: str) -> None:
    """Undo the undo of LINK."""
    from transforms.undo import redo

    done = _changed(settings, redo, link, why)
    click.echo(f"Done again: {done.id} belongs to {done.owner}. {_NEXT}")


def lines(link: dict[str, Any]) -> list[str]:
    """A link and its undos for the terminal."""
    state = link["state"].replace("_", " ")
    told = [f"{link['link']}  {link['id']} -> {link['owner']}  {link['time']:%Y-%m-%d %H:%M:%S}  {state}"]
    for undo in link["undos"]:
        what = "undone" if undo["undoes"]["kind"] == "link" else f"undo {undo['undoes']['name']} undone"
        told.append(f"  {undo['at']:%Y-%m-%d %H:%M:%S}  {what} by {undo['by']}: {undo['why']}  ({undo['undo']})")
    return told


def _changed(settings: Settings, change: Callable[..., Undo], link: str, why: str) -> Undo:
    from ingest.lake import Lake
    from transforms.errors import UndoRefused
    from transforms.undo import Hand

    _known_project(settings)
    try:
        return change(Lake(settings.lake_root), settings.project, link, Hand(getpass.getuser(), why, now()))
    except UndoRefused as error:
        raise click.ClickException(str(error)) from None


def _known_project(settings: Settings) -> None:
    from api.commands.opened import store

    with store(settings) as opened:
        opened.project(settings.project)
