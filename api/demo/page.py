"""The demo as seen in the terminal: progress while it works, then tables of found and planted figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from api.demo.compare import Figure, Section

_WIDTH: Final = 100  # where the output is no terminal
_BAR: Final = 30  # characters of the longest bar


class Advance(Protocol):
    """Tells a step how far it is."""

    def __call__(self, done: int) -> None: ...


class Page:
    """Bars and colours in a terminal; elsewhere a plain line for each step that ended."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(highlight=False)
        if not console.is_terminal:
            console.width = max(console.width, _WIDTH)
        self.console = console

    @contextmanager
    def step(self, doing: str, total: int | None = None) -> Iterator[Advance]:
        """One step with its bar (its spinner, where no total is known); ``advance(done)`` sets how far it is."""
        columns = [
            SpinnerColumn(),
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        ]
        if total is None:
            columns = [*columns[:2], TimeElapsedColumn()]
        with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as progress:
            task = progress.add_task(doing, total=total)
            yield lambda done: progress.update(task, completed=done)
            if total is None:
                progress.update(task, total=1, completed=1)
        if not self.console.is_terminal:
            self.console.print(doing if total is None else f"{doing}: {total:,}")

    def show(self, sections: list[Section]) -> None:
        for section in sections:
            self.console.print(_title(section), _table(section), sep="")

    def close(self, address: str, keys: dict[str, str], right: bool) -> None:
        verdict = "All planted numbers came out." if right else "Some planted numbers did NOT come out: see ✗ above."
        self.console.print(Text(verdict, style="bold green" if right else "bold red"))
        self.console.print(f"\nDashboard  {address}/#key={keys['read']}", soft_wrap=True)
        for kind, key in keys.items():
            self.console.print(f"{kind:<5} key  {key}", soft_wrap=True)


def _title(section: Section) -> Text:
    return Text.assemble((section.title, "bold"), ("  found / planted ", "dim"), _mark(section.is_right))


def _table(section: Section) -> Table:
    with_shares = any(row.share is not None for row in section.rows)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", *section.columns):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    if with_shares:
        table.add_column("of registered", justify="left", no_wrap=True)
    for row in section.rows:
        shares = [_bar(row.share or 0.0)] if with_shares else []
        table.add_row(row.label, *map(_cell, row.figures), *shares)
    return table


def _bar(share: float) -> Text:
    return Text.assemble(("█" * round(share * _BAR) or "▏", "cyan"), f" {share:.1%}")


def _cell(figure: Figure) -> Text:
    return Text.assemble(_number(figure.found), (f" / {_number(figure.planted)} ", "dim"), _mark(figure.is_right))


def _mark(right: bool) -> Text:
    return Text("✓", "green") if right else Text("✗", "bold red")


def _number(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4f}"
