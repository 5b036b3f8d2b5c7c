"""The store, opened for a command: its errors end the command with their message and status 1.

A mistyped ``--data`` must not begin a second, empty deployment. So only what puts something into it makes a data folder:
``up`` and its roles, ``demo``, ``import``, and the making of a key or project, which says so on standard error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from api.clock import now
from api.settings import Settings
from api.store import Store, StoreError, open_store


@contextmanager
def store(settings: Settings, *, create: bool = False) -> Iterator[Store]:
    folder = settings.folder
    if not folder.is_made and not create:
        raise click.ClickException(
            f"there is no data folder at {folder.root.absolute()}; name the one that jcurve up serves with --data DIR,"
            f" or begin one: jcurve up --data {folder.root}"
        )
    if not folder.is_made:
        click.echo(f"a new data folder: {folder.root.absolute()}", err=True)
    try:
        with open_store(settings.store_address, settings.folder, now()) as opened:
            yield opened
    except StoreError as error:
        raise click.ClickException(str(error)) from None
