"""``jcurve projects``: create and list projects. Keys, events and tables all belong to one project."""

from __future__ import annotations

import click

from api.clock import now
from api.commands import settings
from api.settings import Settings


@click.group()
def command() -> None:
    """Create and list projects."""


@command.command()
@click.argument("name")
@click.option("--zone", default="UTC", show_default=True, help="Time zone in which days, weeks and months begin.")
@click.option("--currency", default="USD", show_default=True, help="Currency of its money, ISO 4217.")
@settings("store_url")
def create(settings: Settings, name: str, zone: str, currency: str) -> None:
    """Make the project NAME."""
    from api.commands.opened import store
    from api.store import Project

    with store(settings) as opened:
        opened.create_project(Project(name, zone, currency), now())


@command.command(name="list")
@settings("store_url")
def list_(settings: Settings) -> None:
    """Tell the projects: name, time zone, currency."""
    from api.commands.opened import store

    with store(settings) as opened:
        for project in opened.projects():
            click.echo(f"{project.name:<32}  {project.zone:<24}  {project.currency}")
