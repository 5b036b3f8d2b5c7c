"""``jcurve projects``: create, list and set up projects. Keys, events and tables all belong to one project."""

from __future__ import annotations

import click

from api.clock import now
from api.commands import settings
from api.settings import Settings


@click.group()
def command() -> None:
    """Create, list and set up projects."""


@command.command()
@click.argument("name")
@click.option("--zone", default="UTC", show_default=True, help="Time zone in which days, weeks and months begin.")
@click.option("--currency", default="USD", show_default=True, help="Currency of its money, ISO 4217.")
@settings("store_url")
def create(settings: Settings, name: str, zone: str, currency: str) -> None:
    """Make the project NAME."""
    from api.commands.opened import store
    from api.store import Project

    with store(settings, create=True) as opened:
        opened.create_project(Project(name, zone, currency), now())


@command.command(name="list")
@settings("store_url")
def list_(settings: Settings) -> None:
    """Tell the projects: name, time zone, currency, and how long events are kept."""
    from api.commands.opened import store

    with store(settings) as opened:
        for project in opened.projects():
            kept = f"events kept for {project.retention_days} days" if project.retention_days else "events kept for ever"
            click.echo(f"{project.name:<32}  {project.zone:<24}  {project.currency}  {kept}")


@command.command(name="set")
@click.argument("name")
@click.option("--retention-days", type=click.IntRange(min=0), required=True, help="Days events are kept; 0: for ever.")
@settings("store_url")
def set_(settings: Settings, name: str, retention_days: int) -> None:
    """Change the project NAME. Events older than its retention leave in the nightly run, and cannot be had again."""
    from api.commands.opened import store

    with store(settings) as opened:
        project = opened.set_retention(name, retention_days)
    kept = f"kept for {project.retention_days} days from their time" if project.retention_days else "kept for ever"
    click.echo(f"Project {project.name}: events are {kept}.")
