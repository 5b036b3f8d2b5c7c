"""A funnel's answer as a page for the terminal: its steps with bars, its states, its groups; plain columns elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_BAR: Final = 28  # characters of the longest bar, half as many in a narrow terminal
_WIDE: Final = 124  # characters from which on a terminal shows all columns
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_WIDTH: Final = 120  # where the output is no terminal
_STATES: Final = (("converted", "green"), ("pending", "cyan"), ("excluded", "yellow"), ("lost", "dim"))
_NONE: Final = "–"
_SPANS: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def page(answer: Mapping[str, Any], console: Console | None = None) -> None:
    console = wide(console or Console(highlight=False))
    width = _BAR if console.width >= _WIDE else _BAR // 2
    steps = _steps(answer["steps"], width if console.is_terminal else 0, narrow=console.is_terminal and width < _BAR)
    console.print(steps, _states(answer), sep="")
    if answer.get("groups"):
        console.print(_groups(answer["groups"], answer["definition"]))
    if answer.get("trend"):
        console.print(_trend(answer["trend"]))
    for warning in answer.get("warnings", ()):
        console.print(f"warning: {warning}", style="yellow", markup=False)


def wide(console: Console) -> Console:
    """As wide as it is, and no narrower than lines of a file."""
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH)
    return console


def bar(share: float | None, width: int = _BAR) -> str:
    """``bar(0.5, 4) == "██"``, to an eighth of a character."""
    eighths = round((share or 0.0) * width * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def percent(share: float | None) -> str:
    return _NONE if share is None else f"{share:.1%}"


def duration(seconds: float | None) -> str:
    """In the largest unit that fits: ``duration(5400.0) == "1.5 h"``."""
    if seconds is None:
        return _NONE
    size, unit = next((one for one in _SPANS if abs(seconds) >= one[0]), _SPANS[-1])
    return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"


def _steps(steps: Sequence[Mapping[str, Any]], width: int, *, narrow: bool) -> Table:
    """``width`` 0: without bars. ``narrow``: without the interval and the median."""
    heads = ("reached", "of start", "of previous", "dropped", *(() if narrow else ("95% interval", "median time")))
    table = columns(("step", *(("",) if width else ())), heads)
    for number, step in enumerate(steps, 1):
        shown = (Text(bar(step["from_start"], width), "green", no_wrap=True),) if width else ()
        table.add_row(Text(f"{number} {step['label']}"), *shown, *_figures(step)[: len(heads)])
    return table


def _figures(step: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{step.get('by_path', step['reached']):,}",
        percent(step["from_start"]),
        percent(step["from_previous"]),
        f"{step['dropped']:,}",
        _interval(step["interval"]),
        duration((step["seconds_from_previous"] or {}).get("median")),
    )


def _states(answer: Mapping[str, Any]) -> Text:
    found = Text(f"\n  {answer['entrants']:,} entered")
    for name, style in _STATES:
        if answer[name] or name != "excluded":
            found.append(" · ").append(f"{answer[name]:,} {name}", style)
    times = answer.get("time_to_convert")
    if times is not None and times["median"] is not None:
        found.append(f"\n  time to convert: {duration(times['median'])} for half of {times['count']:,}")
    mature = answer["mature"]
    if mature["conversion"] is not None:
        told = f"{percent(mature['conversion'])} converted ({mature['converted']:,} of {mature['entrants']:,})"
        found.append(f"\n  of those whose window has closed, {told}")
    return found.append("\n")


def _trend(buckets: Sequence[Mapping[str, Any]]) -> Table:
    found = columns(("begins",), ("entrants", "converted", "conversion", "pending", ""))
    for one in buckets:
        figures = (f"{one['entrants']:,}", f"{one['converted']:,}", percent(one["conversion"]), f"{one['pending']:,}")
        found.add_row(Text(one["start"]), *figures, "" if one["complete"] else "open")
    return found


def _groups(groups: Sequence[Mapping[str, Any]], definition: Mapping[str, Any]) -> Table:
    by = (definition.get("breakdown") or {}).get("by") or definition.get("by") or ["group"]
    table = columns((" / ".join(by),), ("entrants", "converted", "conversion", "95% interval", "p, corrected"))
    for group in groups:
        name = "(other)" if group["other"] else " / ".join("(none)" if one is None else str(one) for one in group["values"])
        p = group.get("p_corrected")
        figures = (f"{group['entrants']:,}", f"{group['converted']:,}", percent(group["conversion"]))
        table.add_row(Text(name), *figures, _interval(group["interval"]), _NONE if p is None else f"{p:.2g}")
    return table


def columns(names: Sequence[str], figures: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _interval(bounds: Sequence[float] | None) -> str:
    return _NONE if bounds is None else f"{bounds[0] * 100:.1f}–{bounds[1] * 100:.1f}%"
