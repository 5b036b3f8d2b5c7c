"""The commands, one file each, named as they are typed: ``api/commands/keys.py`` is ``jcurve keys``
(``import_.py``, a word of Python's own, ``jcurve import``).

A file gives ``command``, a ``click.Command`` (or ``click.Group``), and imports what is heavy inside its functions, so that
``jcurve --help`` stays quick. ``@settings("port", ...)`` gives a command ``--data``, ``--project``, ``--config`` and the
flags of the named settings, and hands it one ``Settings`` as its first argument; wrong ones end it with status 2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click

from api.settings import Settings, WrongSettings, load, table

P = ParamSpec("P")
R = TypeVar("R")


def settings(*names: str) -> Callable[[Callable[Concatenate[Settings, P], R]], Callable[P, R]]:
    """A decorator that stands below ``@click.command()``: flags of these settings and of those that all have."""

    def decorate(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
        @wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            return command(_load(kwargs), *args, **kwargs)

        wrapped: Callable[P, R] = run
        for row in reversed([row for row in table() if row.name in {"data", "project", *names}]):
            told = f"{row.help}  [default: {row.default}]" if row.default else row.help
            metavar = {"data": "DIR", "project": "NAME", "bool": "true|false"}.get(row.name, row.type.upper())
            wrapped = click.option(row.flag, f"setting_{row.name}", metavar=metavar, help=told)(wrapped)
        told = "Settings in TOML.  [default: jcurve.toml in the data folder]"
        return click.option("--config", "setting_file", metavar="FILE", help=told)(wrapped)

    return decorate


def _load(kwargs: dict[str, object]) -> Settings:
    config = kwargs.pop("setting_file", None)
    names = [name for name in kwargs if name.startswith("setting_")]
    given = {name: kwargs.pop(name) for name in names}
    flags = {name.removeprefix("setting_"): str(text) for name, text in given.items() if text is not None}
    try:
        return load(flags, Path(str(config)) if config else None)
    except WrongSettings as wrong:
        raise Refused("wrong settings", wrong.faults) from None


class Refused(click.ClickException):
    """What keeps a command from starting, a line for each fault; the command ends with status 2."""

    exit_code = 2

    def __init__(self, title: str, faults: list[str]) -> None:
        super().__init__(title + "".join(f"\n  {fault}" for fault in faults))


def exit_with(status: int) -> None:
    """End the command; click turns it into the process's exit status."""
    raise click.exceptions.Exit(status)
