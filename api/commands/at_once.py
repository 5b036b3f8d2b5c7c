"""A job of the table, run by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from api.clock import now
from api.settings import Settings

if TYPE_CHECKING:
    from transforms.schedule import Job, Run

_BUSY: Final = 3600.0  # seconds for another job to end


def run_at_once(settings: Settings, job: Job) -> Run:
    """Now, or when the job of the project that runs has ended."""
    from transforms.errors import Busy
    from transforms.schedule import run

    deadline = time.monotonic() + _BUSY
    while True:
        try:
            return run(settings.folder.work, job, settings.project, now)
        except Busy as busy:
            if time.monotonic() > deadline:
                raise click.ClickException(str(busy)) from None
            time.sleep(0.2)
