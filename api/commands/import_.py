"""``jcurve import FILE...``: history from files into the lake, whether or not a server runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.clock import now
from api.commands import Refused, settings
from api.commands.flushing import flushing
from api.settings import Settings

if TYPE_CHECKING:
    from ingest.load.plan import Type
    from ingest.load.report import Report
    from ingest.load.run import Place

_FORMATS = ("segment", "plain", "posthog", "mixpanel", "amplitude")
_TYPES = ("number", "boolean", "text")


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option(
    "--source", default="import", show_default=True, metavar="NAME", help="Source that the events are said to have."
)
@click.option(
    "--format", "format_", type=click.Choice(_FORMATS), help="What the files are.  [default: told by their content]"
)
@click.option("--types", default="", metavar="NAME=TYPE,...", help=f"Types of CSV columns: {', '.join(_TYPES)}.")
@click.option("--zone", default="UTC", show_default=True, metavar="ZONE",
              help="Zone of the times of a Mixpanel project made before 2023.")  # fmt: skip
@settings("lake_url", "store_url", "build_memory", "max_event", "dedup_days")
def command(settings: Settings, files: tuple[Path, ...], source: str, format_: str | None, types: str, zone: str) -> None:
    """Import history: JSON lines of Segment calls, CSV or Parquet of plain events (event, time, user_id or anonymous_id, any
    properties), exports of PostHog, Mixpanel and Amplitude. Importing the same again adds nothing; a killed import goes on
    where it ended when the same command is given again. It runs beside a server or alone.
    """
    from api.commands.opened import store
    from ingest.load import CannotImport
    from ingest.load.plan import Request
    from ingest.load.run import load

    _check_zone(zone)
    request = Request(files, settings.project, source, format_, _types(types), zone, f"{settings.build_memory >> 21}MiB")
    with store(settings, create=True) as opened:
        opened.project(settings.project)
    settings.folder.create()
    with _progress() as tell, flushing(settings) as pause:
        try:
            report = load(request, _place(settings, tell, pause))
        except CannotImport as error:
            raise Refused(f"nothing was imported: {error}", []) from None
    _show(report)


def _place(settings: Settings, tell: Callable[[str, int], None], pause: Callable[[], None]) -> Place:
    from api.app import lake_of
    from ingest.load.run import Place

    folder = settings.folder
    return Place(folder.imports, folder.index, lake_of(settings), _micros, pause, tell)


def _micros() -> int:
    return int(now().timestamp() * 1_000_000)


def _types(text: str) -> dict[str, Type]:
    pairs = [
        (name.strip(), kind.strip()) for name, _, kind in (pair.rpartition("=") for pair in text.split(",") if pair.strip())
    ]
    wrong = [
        f"--types {name}={kind}: a column, and {', '.join(_TYPES)}" for name, kind in pairs if not name or kind not in _TYPES
    ]
    if wrong:
        raise Refused("wrong options", wrong)
    return dict(pairs)  # type: ignore[arg-type]


def _check_zone(zone: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise Refused("wrong options", [f"--zone {zone}: no such zone; write it as Europe/Berlin or UTC"]) from None


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """Two bars: rows read, of a number not known before they are, and rows handed over, of those."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars = {step: progress.add_task(step, total=None) for step in ("read", "stored")}
        read = 0

        def tell(step: str, done: int) -> None:
            nonlocal read
            if step == "read":
                read += done
            else:
                progress.update(bars["read"], total=read)
            progress.update(bars[step], advance=done, total=read if step == "stored" else None)

        yield tell


def _show(report: Report) -> None:
    for file in report.files:
        click.echo(f"{file.file}: {file.format}, {file.rows:,} rows")
    click.echo(f"{'read':<12}{report.rows:>14,}")
    if report.made:
        click.echo(
            f"{'made':<12}{report.made:>14,}   calls that say who is who, made of events that show it (no row of a file)"
        )
    if report.described:
        click.echo(
            f"{'described':<12}{report.described:>14,}   calls beside events that set something on their person (no row)"
        )
    click.echo(f"{'taken':<12}{report.taken:>14,}")
    if report.links + report.made:
        click.echo(f"{'links':<12}{report.links + report.made:>14,}   of what was read or made: calls that say who is who")
    click.echo(f"{'duplicates':<12}{report.duplicates:>14,}")
    if report.forgotten:
        click.echo(
            f"{'forgotten':<12}{report.forgotten:>14,}   of people who were forgotten, see `jcurve forget`; not stored"
        )
    kept = f"   {report.refused_before:,} of them kept before" if report.refused_before else ""
    click.echo(f"{'refused':<12}{sum(report.refused.values()):>14,}{kept}")
    for reason, number in report.refused.items():
        click.echo(f"  {reason:<18}{number:>6,}")
    if report.months:
        click.echo(f"\n{'month':<12}{'taken':>14}{'duplicates':>14}")
    for name, month in report.months.items():
        click.echo(f"{name:<12}{month.taken:>14,}{month.duplicates:>14,}")
    if not report.reconciled:
        raise click.ClickException("these numbers do not add up: report this as a bug, with the files if you can")
