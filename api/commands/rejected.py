"""``jcurve rejected``: events that broke a rule, listed, counted, written out and replayed, whether or not a server runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from api.clock import now
from api.commands import Refused, settings
from api.settings import Settings

if TYPE_CHECKING:
    from api.rejected import Rejected

_OPTIONS = (
    click.option("--reason", help="Only those rejected for this reason, such as too_large."),
    click.option("--source", help="Only those of this source."),
    click.option("--path", help="Only those that came by this path, such as /v1/batch."),
    click.option("--from", "from_", metavar="TIME", help="Only those that came at this date or time, or later."),
    click.option("--to", metavar="TIME", help="Only those that came before this date or time."),
)


def _choice(command: Callable[..., None]) -> Callable[..., None]:
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


@click.group()
def command() -> None:
    """List, count, write out and replay events that were rejected."""


@command.command(name="list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many, the newest first.")
@_choice
@settings("lake_url", "store_url")
def list_(settings: Settings, /, limit: int, **given: str | None) -> None:
    """Tell the newest: when, from where, why, and the beginning of what was sent."""
    items, more = _rejected(settings, given).page(limit, None)
    for row in items:
        when = f"{row['received_at']:%Y-%m-%d %H:%M:%S}"
        click.echo(f"{when}  {row['source']}  {row['path']}  {row['reason']}: {row['detail']}")
        click.echo(f"    {row.get('raw') or row.get('raw_base64', '')}"[:200])
    if not items:
        click.echo("Nothing was rejected.")
    elif more:
        click.echo("There are older ones: --limit, --to, or all of them with jcurve rejected download.")


@command.command()
@_choice
@settings("lake_url", "store_url")
def count(settings: Settings, /, **given: str | None) -> None:
    """Count them per reason, source and path."""
    rows = _rejected(settings, given).counts()
    for row in rows:
        click.echo(f"{row['events']:>10,}  {row['reason']:<18}{row['source']:<14}{row['path']:<20}{row['detail'][:60]}")
    if not rows:
        click.echo("Nothing was rejected.")


@command.command()
@click.option("--out", type=click.File("wb"), default="-", help="File to write to.  [default: standard output]")
@_choice
@settings("lake_url", "store_url")
def download(settings: Settings, /, out: IO[bytes], **given: str | None) -> None:
    """Write them as JSON lines with all raw bytes (raw, or raw_base64 where they are no text)."""
    for line in _rejected(settings, given).lines():
        out.write(line)


@command.command()
@click.option("--dry-run", is_flag=True, help="Tell what would be stored, and store nothing.")
@_choice
@settings("lake_url", "store_url", "definitions", "max_event", "dedup_days")
def replay(settings: Settings, /, dry_run: bool, **given: str | None) -> None:
    """Decode them again and store what is sound by now, as after an upgrade or with another --max-event. Nothing is stored
    twice, however often it is asked; what is still faulty stays as it is.
    """
    from api.commands.flushing import flushing
    from api.decoding import decoder_of
    from ingest.plan import CurrentPlan

    found = _rejected(settings, given)
    imports = None if dry_run else settings.folder.imports
    decoder = decoder_of(settings, CurrentPlan(settings.plan_folder))
    made = found.replay(decoder, imports, lambda: int(now().timestamp() * 1_000_000))
    if waiting := made["handed_over"]:
        with flushing(settings) as pause:
            while any(_waits(folder) for folder in waiting):
                pause()
    _tell(made, "would be stored" if dry_run else "stored")


def _waits(folder: Path) -> bool:
    return any(folder.glob("*.chunk"))


def _tell(made: dict[str, Any], done: str) -> None:
    for reason, number in made["sound"].items():
        click.echo(f"{number:>10,}  {reason:<18}sound now, {done}")
    for reason, number in made["still_faulty"].items():
        click.echo(f"{number:>10,}  {reason:<18}still faulty, kept")
    if not made["sound"] and not made["still_faulty"]:
        click.echo("Nothing was rejected.")


def _rejected(settings: Settings, given: dict[str, str | None]) -> Rejected:
    """Those chosen; ends the command with status 2 and every fault where a choice cannot be read."""
    from api.commands.opened import store
    from api.parameters import read
    from api.rejected import CHOICE, Rejected
    from funnels.errors import BadRequest
    from ingest.lake import Lake
    from transforms.engine import DEFAULT_LIMITS

    with store(settings) as opened:
        project = opened.project(settings.project)
    named = {name.rstrip("_"): text for name, text in given.items() if text is not None}
    try:
        choice = read(named, CHOICE, project.timezone)
    except BadRequest as wrong:
        faults = [f"--{fault.path} {fault.found}: {fault.message}; allowed: {fault.allowed}" for fault in wrong.faults]
        raise Refused("wrong options", faults) from None
    return Rejected(Lake(settings.lake_root), settings.project, DEFAULT_LIMITS, choice)
