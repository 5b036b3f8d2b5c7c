"""``jcurve status``: the answer of ``GET /api/status`` for people, read from the data folder."""

from __future__ import annotations

from typing import Any

import click

from api.clock import now
from api.commands import settings
from api.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The answer of GET /api/status.")
@settings("lake_url", "store_url")
def command(settings: Settings, as_json: bool) -> None:
    """Tell what came in, what was rejected, and how fresh the tables are."""
    from api.commands.opened import store
    from api.formats import to_json
    from api.status import status
    from ingest.lake import Lake

    with store(settings) as opened:
        opened.project(settings.project)
    found = status(settings, Lake(settings.lake_root), settings.project, now())
    click.echo(to_json(found).decode() if as_json else "\n".join(lines(found)))


def lines(status: dict[str, Any]) -> list[str]:
    """The status as a table for the terminal."""
    received, lag, disk = status["received"], status["lag"], status["disk"]
    behind = lag["lake_to_build_seconds"]
    built = "no build yet: run jcurve build" if behind is None else f"{behind:,.0f} s behind the lake"
    rows = [
        ("project", status["project"]),
        ("received", f"{received['total']:,}, {received['last_hour']:,} of them in the last hour"),
        *((f"  {name}", f"{number:,}") for name, number in sorted(status["outcomes"].items())),
        ("in the lake", f"up to {status['complete_until']:%Y-%m-%d %H:%M:%S} UTC"),
        ("tables", built),
        ("disk", f"{disk['data_bytes'] / 1e6:,.1f} MB used, {disk['free_bytes'] / 1e9:,.1f} GB free"),
    ]
    rows += [("warning", status["held_back_by"])] if status["held_back_by"] else []
    rows += [("warning", "the disk is nearly full: collectors will soon refuse events")] if disk["low"] else []
    for one in status["runaway_ids"]:
        rows.append(("warning", f"{one['id']} is linked to {one['others']:,} ids and joins none: no sender should share it"))
    for run in status["runs"]:
        rows.append((run["job"], f"{run['started']:%Y-%m-%d %H:%M} UTC  {run['status']}  {run['error'] or ''}".rstrip()))
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {text}" for name, text in rows]
