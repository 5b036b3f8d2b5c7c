"""The store, opened for a command: its errors end the command with their message and status 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from api.clock import now
from api.settings import Settings
from api.store import Store, StoreError, open_store


@contextmanager
def store(settings: Settings) -> Iterator[Store]:
    try:
        with open_store(settings.store_address, settings.folder, now()) as opened:
            yield opened
    except StoreError as error:
        raise click.ClickException(str(error)) from None
