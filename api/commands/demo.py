"""``jcurve demo``: a make-believe company, sent through the front door, its funnel beside the planted truth."""

from __future__ import annotations

from pathlib import Path

import click

from api.clock import now
from api.commands import Refused, exit_with
from api.settings import Settings
from ingest.demo.shape import Size


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path("jcurve-data/demo"), show_default=True, metavar="DIR",
              help="Folder for the demo's data; the next demo makes it anew.")  # fmt: skip
@click.option("--project", default=Settings.project, show_default=True, metavar="NAME", help="The project to send it to.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8123, show_default=True, help="Port; a free one if it is taken."
)
@click.option(
    "--people", type=click.IntRange(50, 1_000_000), default=Size.people, show_default=True, help="How many sign up."
)
@click.option(
    "--accounts", type=click.IntRange(1), default=Size.accounts, show_default=True, help="How many accounts they open."
)
@click.option(
    "--days", type=click.IntRange(7, 730), default=Size.days, show_default=True, help="How long the company exists."
)
@click.option("--seed", type=int, default=Size.seed, show_default=True, help="Another number makes another company.")
@click.option(
    "--exit", "wants_exit", is_flag=True, help="Stop after printing, with status 0 if all planted numbers came out."
)
def command(data: Path, project: str, port: int, people: int, accounts: int, days: int, seed: int, wants_exit: bool) -> None:
    """Show a make-believe PLG company: its history goes through the HTTP collector, and every answer of the query API is
    printed beside the number that was planted. Then it serves the dashboard until Ctrl-C.
    """
    from api.demo import folder, show
    from api.demo.page import Page
    from api.folder import Unusable
    from api.locks import InUse
    from api.ports import CannotStart
    from api.store import StoreError

    if accounts > people:
        raise Refused("wrong options", [f"--accounts {accounts}: each is opened by one of the people; at most {people}"])
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    # Not the deployment's settings, on purpose: a demo must not write into a lake or a store that is somebody's own.
    settings = Settings(data=data, project=project, port=port)
    try:
        folder.fresh(data)
        right = show.run(show.Demo(settings, Size(people, accounts, days, seed), midnight, wants_exit, Page()))
    except (folder.NotOurs, Unusable, InUse, CannotStart, StoreError, show.DemoFailed) as error:
        raise Refused(f"the demo cannot be shown: {error}", []) from None
    exit_with(0 if right else 1)
