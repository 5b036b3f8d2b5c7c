"""``jcurve sources``: what sends, with its settings and keys, whether or not a server runs."""

from __future__ import annotations

from datetime import timedelta

import click

from api.clock import now
from api.commands import settings
from api.commands.moments import SPAN
from api.settings import Settings
from ingest.policy import ADDRESSES, PLAIN, WITHOUT


@click.group()
def command() -> None:
    """Make, list, set up and switch off what sends, and rotate its keys.

    A source has a name, write keys (several may be in force at once), settings, and is on or off.
    """


@command.command()
@click.argument("name")
@settings("store_url")
def create(settings: Settings, name: str) -> None:
    """Make the source NAME and print its first write key, alone on one line. It cannot be shown again."""
    from api.commands.opened import store
    from api.sources import Sources

    with store(settings, create=True) as opened:
        click.echo(Sources(opened).create(settings.project, name, PLAIN, now()))


@command.command(name="list")
@settings("store_url")
def list_(settings: Settings) -> None:
    """Tell a project's sources: name, on or off, settings, and the keys that are in force."""
    from api.commands.opened import store
    from api.sources import Sources

    with store(settings) as opened:
        opened.project(settings.project)
        for source in Sources(opened).all(settings.project):
            keys = [f"{key.id} ({key.hint}, {key.ends(now())})" for key in source.keys if key.in_force(now())]
            told = f"keys {', '.join(keys)}" if keys else "no key in force"
            click.echo(f"{source.name:<20}  {'on' if source.on else 'off':<3}  {source.said}; {told}")


@command.command(name="set")
@click.argument("name")
@click.option("--on/--off", default=None, help="Take its events, or refuse them so that SDKs do not send them again.")
@click.option(
    "--ip", type=click.Choice(ADDRESSES), help="The sender's address: as the SDK sent it, kept, shortened, dropped."
)
@click.option("--do-not-track", type=click.Choice(WITHOUT), help="Events sent with DNT: 1 or Sec-GPC: 1.")
@click.option("--consent", type=click.Choice(WITHOUT), help="Events whose context says that consent was refused.")
@click.option("--consent-category", metavar="NAME", help="The category that must not be refused; empty: not all of them.")
@click.option("--cookie", type=bool, metavar="true|false", help="Set Snowplow's cookie.")
@settings("store_url")
def set_(settings: Settings, /, name: str, on: bool | None, **given: object) -> None:
    """Change the source NAME. Collectors follow within two seconds; what was stored before stays as it is."""
    from api.commands.opened import store
    from api.sources import Sources, policy_of

    with store(settings) as opened:
        sources = Sources(opened)
        policy = policy_of({k: v for k, v in given.items() if v is not None}, sources.get(settings.project, name).policy)
        source = sources.change(settings.project, name, on=on, policy=policy)
    click.echo(f"Source {source.name}: {'on' if source.on else 'off'}, {source.said}.")


@command.command()
@click.argument("name")
@click.option("--keep", type=SPAN, default="7d", show_default=True, metavar="SPAN", help="How long the old keys are taken.")
@settings("store_url")
def rotate(settings: Settings, name: str, keep: timedelta) -> None:
    """Print a new write key of the source NAME. Its old keys are taken for a while yet: put the new one in meanwhile."""
    from api.commands.opened import store
    from api.sources import Sources

    with store(settings) as opened:
        click.echo(Sources(opened).rotate(settings.project, name, now() + keep, now()))
